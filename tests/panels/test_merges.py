"""Merges while they run: real ones on both ends of the version range, stuck ones by hand."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from clustersight.collection import PanelRun
from clustersight.panels import merges
from clustersight.panels.merges import PANEL, Row
from clustersight.panels.panel import Status
from tests.panels.tables import HOSTILE, Server, address_of, database, insert, make_table
from tests.panels.visiting import run, run_until, values
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer


def row(**changed: object) -> Row:
    usual: dict[str, object] = {
        "database": "d",
        "table": "t",
        "result_part": "all_1_2_1",
        "elapsed_seconds": 10.0,
        "progress": 0.5,
        "num_parts": 2,
        "size_bytes": 100,
        "memory_bytes": 7,
        "is_mutation": 0,
    }
    return Row(**(usual | changed))  # type: ignore[arg-type]


def slow_mutation(server: EmbeddedServer, quoted: str) -> None:
    """A mutation of a part that takes some two seconds, in the background."""
    insert(server, quoted, select="number, 'x' FROM system.numbers LIMIT 5")
    sql = f"ALTER TABLE {quoted} DELETE WHERE sleepEachRow(0.4) = 1"
    server.execute(sql, mutations_sync=0, allow_nondeterministic_mutations=1)


def slow_merges(server: ClickHouse18, quoted: str, seen: threading.Event) -> None:
    """A merge of about a second, again with more rows until one was seen: a visit may take as long."""
    rows = "number, toString(cityHash64(number)) FROM system.numbers LIMIT 1500000"
    while True:
        server.execute(f"SYSTEM STOP MERGES {quoted}")
        insert(server, quoted, 2, select=rows)
        server.execute(f"SYSTEM START MERGES {quoted}")
        server.execute(f"OPTIMIZE TABLE {quoted} FINAL")
        if seen.is_set():
            return


def check_running(server: Server, name: tuple[str, str]) -> PanelRun:
    found = run_until(address_of(server), PANEL, lambda r: ("clickhouse_merges_active", *name) in values(r))
    sampled = values(found)
    assert sampled[("clickhouse_merges_active", *name)] == 1
    assert 0 < sampled[("clickhouse_merge_longest_elapsed_seconds", *name)] < 60
    assert sampled[("clickhouse_merges_stuck", *name)] == 0
    assert sampled[("clickhouse_merges_running",)] >= 1
    return found


def payload_of(found: PanelRun, db: str) -> dict[str, Any]:
    return next(shown for shown in PANEL.payload(found.rows) if shown["database"] == db)


def check_over(server: Server, name: tuple[str, str]) -> None:
    key = ("clickhouse_merges_active", *name)
    found = run_until(address_of(server), PANEL, lambda r: key not in values(r))
    assert key not in values(found)
    assert found.status is Status.OK


def test_a_running_mutation_of_a_part_is_seen_on_26(embedded: EmbeddedServer) -> None:
    with database(embedded, HOSTILE) as db:
        slow_mutation(embedded, make_table(embedded, (db, HOSTILE)))
        found = check_running(embedded, (db, HOSTILE))
        shown = payload_of(found, db)
        assert shown["result_part"].startswith("202001_1_1_0")
        assert (shown["num_parts"], shown["is_mutation"]) == (1, True)
        check_over(embedded, (db, HOSTILE))


def test_a_running_merge_is_seen_on_18(replicas: list[ClickHouse18]) -> None:
    server = replicas[0]
    with database(server, HOSTILE) as db, ThreadPoolExecutor() as pool:
        seen = threading.Event()
        merging = pool.submit(slow_merges, server, make_table(server, (db, HOSTILE)), seen)
        try:
            found = check_running(server, (db, HOSTILE))
        finally:
            seen.set()
        shown = payload_of(found, db)
        assert shown["result_part"].startswith("202001_1_")
        assert shown["num_parts"] >= 2
        assert shown["is_mutation"] is False
        assert shown["size_bytes"] > 1_000_000
        merging.result()
        check_over(server, (db, HOSTILE))


def test_a_quiet_server_has_totals_and_no_tables(embedded: EmbeddedServer) -> None:
    found = run_until(address_of(embedded), PANEL, lambda r: not r.rows)
    assert values(found) == {
        ("clickhouse_merges_running",): 0,
        ("clickhouse_merges_running_mutations",): 0,
        ("clickhouse_merges_running_stuck",): 0,
        ("clickhouse_merges_running_max_elapsed_seconds",): 0,
        ("clickhouse_merges_running_memory_bytes",): 0,
    }
    assert run(address_of(embedded), PANEL).queries == 1


@pytest.mark.parametrize(
    ("elapsed", "progress", "eta", "stuck"),
    [
        (10, 0.5, 10, False),
        (3599, 0.0, None, False),
        (3601, 0.0, None, True),
        (3601, math.nan, None, True),
        (7200, 0.5, 7200, False),
        (7200, 0.01, 712800, True),
        (3600, 0.01, 356400, False),
        (90000, 1.0, 0, False),
        (90000, 1.2, 0, False),
    ],
)
def test_a_merge_is_stuck_when_its_end_is_a_day_away(
    elapsed: float, progress: float, eta: float | None, stuck: bool
) -> None:
    merge = row(elapsed_seconds=float(elapsed), progress=progress)
    assert merge.eta_seconds == pytest.approx(eta)
    assert merge.is_stuck is stuck


def test_merges_of_one_table_are_one_series() -> None:
    rows = [row(), row(elapsed_seconds=9000.0, progress=0.0), row(table="u", is_mutation=1)]
    sampled = {(s.metric.name, *s.labels): s.value for s in merges.samples(rows)}
    assert sampled[("clickhouse_merges_active", "d", "t")] == 2
    assert sampled[("clickhouse_merges_stuck", "d", "t")] == 1
    assert sampled[("clickhouse_merge_longest_elapsed_seconds", "d", "t")] == 9000
    assert sampled[("clickhouse_merges_memory_bytes", "d", "t")] == 14
    assert sampled[("clickhouse_merges_running_mutations",)] == 1
    assert sampled[("clickhouse_merges_running_max_elapsed_seconds",)] == 9000


def test_an_unknown_progress_is_null_in_the_payload() -> None:
    assert PANEL.payload([row(progress=math.nan)])[0]["progress"] is None
