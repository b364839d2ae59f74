"""The replication queue panel, on two ClickHouse 18.16 that cannot or may not fetch from each other."""

from __future__ import annotations

from typing import Any

import pytest

from clustersight.clickhouse.connection import Address, Wire
from clustersight.panels import replication_queue
from clustersight.panels.panel import Status
from clustersight.panels.replication_queue import PANEL, Row
from tests.panels.replicated import BAD_NAME, native, replicated_table
from tests.panels.visiting import run, run_until, values

STUCK = "clickhouse_replication_queue_stuck_tasks"
OLDEST = "clickhouse_replication_queue_oldest_task_seconds"


def row_of(panel_run: Any, labels: tuple[str, str]) -> Row | None:
    return next((row for row in panel_run.rows if (row.database, row.table) == labels), None)


def test_a_task_that_waits_is_counted_but_not_stuck(replicas: list) -> None:
    with replicated_table(replicas, BAD_NAME) as table:
        replicas[1].execute(f"SYSTEM STOP FETCHES {table.quoted}")
        replicas[0].execute(f"INSERT INTO {table.quoted} SELECT toDate('2024-01-01'), 1")
        waiting = run_until(
            native(replicas[1]), PANEL, lambda r: values(r).get((OLDEST, *table.labels), 0) >= 2
        )
        assert waiting.status is Status.OK, waiting.error
        row = row_of(waiting, table.labels)
        assert row is not None
        assert (row.tasks, row.worst_type, row.worst_source_replica) == (1, "GET_PART", "1")
        known = values(waiting)
        assert known[STUCK, *table.labels] == 0
        assert known["clickhouse_replication_tasks",] == 1
        assert known["clickhouse_replication_tasks_stuck",] == 0
        assert known["clickhouse_replication_max_oldest_task_seconds",] == known[OLDEST, *table.labels]
        replicas[1].execute(f"SYSTEM START FETCHES {table.quoted}")
        done = run_until(native(replicas[1]), PANEL, lambda r: row_of(r, table.labels) is None)
        assert (STUCK, *table.labels) not in values(done)


def test_a_task_that_is_put_off_for_long_is_stuck(replicas: list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(replication_queue.STUCK, "postponements", 1)
    monkeypatch.setitem(replication_queue.STUCK, "postponed_seconds", 1)
    with replicated_table(replicas) as table:
        for number in (1, 2):
            replicas[0].execute(f"INSERT INTO {table.quoted} SELECT toDate('2024-01-01'), {number}")
        replicas[1].execute(f"SYSTEM SYNC REPLICA {table.quoted}")
        replicas[1].execute(f"SYSTEM STOP MERGES {table.quoted}")
        replicas[0].execute(f"OPTIMIZE TABLE {table.quoted} FINAL", replication_alter_partitions_sync=0)
        stuck = run_until(native(replicas[1]), PANEL, lambda r: values(r).get((STUCK, *table.labels)) == 1)
        assert values(stuck).get((STUCK, *table.labels)) == 1
        row = row_of(stuck, table.labels)
        assert row is not None
        assert row.failing_tasks == 0
        assert row.postponed_tasks == 1
        assert "merges and mutations are cancelled" in row.postpone_reason
        replicas[1].execute(f"SYSTEM START MERGES {table.quoted}")


def test_a_task_that_fails_for_long_is_stuck(replicas: list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(replication_queue.STUCK, "tries", 1)
    monkeypatch.setitem(replication_queue.STUCK, "failing_seconds", 1)
    with replicated_table(replicas) as table:
        replicas[1].execute(f"SYSTEM STOP FETCHES {table.quoted}")
        replicas[0].execute(f"INSERT INTO {table.quoted} SELECT toDate('2024-01-01'), 1")
        run_until(native(replicas[1]), PANEL, lambda r: row_of(r, table.labels) is not None)
        replicas[0].kill()
        try:
            replicas[1].execute(f"SYSTEM START FETCHES {table.quoted}")
            stuck = run_until(
                native(replicas[1]), PANEL, lambda r: values(r).get((STUCK, *table.labels)) == 1, 60
            )
        finally:
            replicas[0].start()
        row = row_of(stuck, table.labels)
        assert row is not None
        assert row.stuck_tasks == 1
        assert row.failing_tasks == 1
        assert row.worst_tries > 1
        assert row.last_exception
        assert len(row.last_exception) <= 300
        done = run_until(native(replicas[1]), PANEL, lambda r: row_of(r, table.labels) is None, 60)
        assert row_of(done, table.labels) is None


def test_the_limits_are_those_of_the_metric_s_help() -> None:
    assert replication_queue.STUCK == {
        "tries": 10, "failing_seconds": 300, "postponements": 1000, "postponed_seconds": 3600
    }  # fmt: skip


@pytest.mark.parametrize("server", ["embedded", "replicas"])
def test_empty_queues_give_totals_of_zero(server: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(server)
    address = native(found[0]) if server == "replicas" else Address("127.0.0.1", found.port, Wire.HTTP)
    at_rest = run(address, PANEL)
    assert at_rest.status is Status.OK, at_rest.error
    assert values(at_rest) == {
        ("clickhouse_replication_tasks",): 0,
        ("clickhouse_replication_tasks_stuck",): 0,
        ("clickhouse_replication_max_oldest_task_seconds",): 0,
    }
