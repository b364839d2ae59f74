"""What replication takes its time for, in real time: `make soak` has it, `make test` has not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.incidents.chain import of_18, watched
from tests.panels.replicated import replicated_table
from tests.servers.clickhouse18 import ClickHouse18

# The lag at which the pack warns, and as long again as messages take.
LAG_SECONDS = 300 + 120


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_replica_that_cannot_fetch_lags_and_its_task_is_stuck(
    tmp_path: Path, replicas: list[ClickHouse18]
) -> None:
    source, behind = replicas
    with replicated_table(replicas) as table:
        behind.execute(f"SYSTEM STOP FETCHES {table.quoted}")
        source.execute(f"INSERT INTO {table.quoted} SELECT toDate('2024-01-01'), 1")
        source.kill()
        try:
            behind.execute(f"SYSTEM START FETCHES {table.quoted}")
            with watched(tmp_path, [of_18(behind, "prod")]) as chain:
                lag = chain.wait_message("[WARNING] ReplicationLag", timeout_seconds=LAG_SECONDS)
                assert f"SYSTEM START FETCHES `{table.database}`.`{table.name}`;" in lag.fix
                stuck = chain.wait_message("[WARNING] ReplicationQueueStuck", timeout_seconds=LAG_SECONDS)
                assert f"SYSTEM RESTART REPLICA `{table.database}`.`{table.name}`;" in stuck.fix
                chain.wait_message("InterserverFailing", "kind=fetch")
        finally:
            source.start()
