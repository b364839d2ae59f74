"""The replication panel, on two ClickHouse 18.16 with ZooKeeper and on 26.9 with a replica that has none."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from clustersight.clickhouse.connection import Address, Wire
from clustersight.panels import replication_queue
from clustersight.panels.panel import Status
from clustersight.panels.replicas import SQL, Replica
from clustersight.panels.replication import PANEL, ReplicaStatus, Row, is_expected
from tests.panels.replicated import BAD_NAME, native, replicated_table
from tests.panels.visiting import run, run_until, values, visit

LAG = "clickhouse_replica_lag_seconds"
UNKNOWN = "clickhouse_replica_lag_unknown"
READONLY = "clickhouse_replica_readonly"
UNEXPECTED = "clickhouse_replica_readonly_unexpected"
EXPIRED = "clickhouse_replica_session_expired"
QUEUE = "clickhouse_replica_queue_size"


def a_row(**changed: Any) -> Row:
    row = Row(
        **(dict.fromkeys((f.name for f in dataclasses.fields(Replica)), 0)),  # type: ignore[arg-type]
        stuck_tasks=0,
        last_exception="",
        expected=False,
    )
    return dataclasses.replace(row, database="db", table="t", replica_name="r1", **changed)


def rows_of(panel_run: Any, labels: tuple[str, str]) -> Row:
    return next(row for row in panel_run.rows if (row.database, row.table) == labels)


def test_a_replica_that_keeps_up_is_at_rest(replicas: list) -> None:
    with replicated_table(replicas) as table:
        found = run(native(replicas[0]), PANEL)
        assert found.status is Status.OK, found.error
        known = values(found)
        assert known[LAG, *table.labels] == 0
        assert known[UNKNOWN, *table.labels] == 0
        assert known[READONLY, *table.labels] == 0
        assert known[EXPIRED, *table.labels] == 0
        assert known[QUEUE, *table.labels] == 0
        assert known["clickhouse_replicas",] >= 1
        assert rows_of(found, table.labels).status is ReplicaStatus.OK


def test_a_replica_that_fetches_nothing_lags_until_it_fetches_again(replicas: list) -> None:
    with replicated_table(replicas) as table:
        replicas[1].execute(f"SYSTEM STOP FETCHES {table.quoted}")
        replicas[0].execute(f"INSERT INTO {table.quoted} SELECT toDate('2024-01-01'), 1")
        lagging = run_until(native(replicas[1]), PANEL, lambda r: values(r).get((LAG, *table.labels), 0) >= 2)
        known = values(lagging)
        assert known[LAG, *table.labels] >= 2
        assert known[QUEUE, *table.labels] >= 1
        assert known["clickhouse_replica_max_lag_seconds",] >= 2
        row = rows_of(lagging, table.labels)
        assert row.inserts_in_queue == 1
        assert row.oldest_task_seconds >= 1
        assert row.stuck_tasks == 0

        replicas[1].execute(f"SYSTEM START FETCHES {table.quoted}")
        caught_up = run_until(
            native(replicas[1]), PANEL, lambda r: values(r)[LAG, *table.labels] == 0 == r.rows[0].queue_size
        )
        assert values(caught_up)[LAG, *table.labels] == 0
        assert rows_of(caught_up, table.labels).oldest_task_seconds == 0


def test_the_lag_is_absent_while_the_session_is_lost(replicas: list, zookeeper: Any) -> None:
    with replicated_table(replicas) as table:
        zookeeper.kill()
        try:
            lost = run_until(native(replicas[0]), PANEL, lambda r: values(r)[READONLY, *table.labels] == 1)
        finally:
            zookeeper.start()
        known = values(lost)
        assert (LAG, *table.labels) not in known
        assert ("clickhouse_replica_max_lag_seconds",) not in known
        assert known[UNKNOWN, *table.labels] == 1
        assert known[EXPIRED, *table.labels] == 1
        assert known[UNEXPECTED, *table.labels] == 1
        assert known["clickhouse_replicas_readonly",] == known["clickhouse_replicas",]
        assert known["clickhouse_replicas_session_expired",] == known["clickhouse_replicas",]
        shown = next(row for row in PANEL.payload(lost.rows) if row["table"] == table.name)
        assert shown["status"] == "session_expired"
        assert shown["lag_seconds"] is None

        back = run_until(native(replicas[0]), PANEL, lambda r: values(r).get((LAG, *table.labels)) == 0, 60)
        assert values(back)[READONLY, *table.labels] == 0


def test_a_replica_that_may_be_read_only_does_not_count(replicas: list, zookeeper: Any) -> None:
    with replicated_table(replicas) as table:
        expected = (f"{table.database}.*@1",)
        zookeeper.kill()
        try:
            run_until(native(replicas[0]), PANEL, lambda r: values(r)[READONLY, *table.labels] == 1)
            first = run(native(replicas[0]), PANEL, expected_readonly=expected)
            run_until(native(replicas[1]), PANEL, lambda r: values(r)[READONLY, *table.labels] == 1)
            second = run(native(replicas[1]), PANEL, expected_readonly=expected)
        finally:
            zookeeper.start()
        run_until(native(replicas[0]), PANEL, lambda r: values(r)[READONLY, *table.labels] == 0, 60)
        run_until(native(replicas[1]), PANEL, lambda r: values(r)[READONLY, *table.labels] == 0, 60)
        assert values(first)[READONLY, *table.labels] == 1
        assert values(first)[UNEXPECTED, *table.labels] == 0
        assert values(first)["clickhouse_replicas_readonly",] == 0
        assert PANEL.payload(first.rows)[0]["expected"] is True
        assert values(second)["clickhouse_replicas_readonly",] == 1


def test_names_of_tables_are_what_they_are(replicas: list) -> None:
    with replicated_table(replicas, BAD_NAME) as table:
        found = run(native(replicas[0]), PANEL)
        assert found.status is Status.OK, found.error
        assert values(found)[READONLY, table.database, BAD_NAME] == 0
        labels = [(s.metric.name, s.labels) for s in found.samples]
        assert len(labels) == len(set(labels))


def test_an_unknown_queue_is_no_lag_of_fifty_years(own_zookeeper: Any, own_embedded: Any) -> None:
    """26.9 embedded never initializes a replica: absolute_delay is the Unix time (ClickHouse#53479)."""
    server = own_embedded(zookeeper=own_zookeeper().address)
    server.execute(
        "CREATE TABLE default.r (a Int32) ENGINE = ReplicatedMergeTree('/tables/r', 'e') ORDER BY a"
    )
    found = run(Address("127.0.0.1", server.port, Wire.HTTP), PANEL)
    assert found.status is Status.OK, found.error
    row = found.rows[0]
    assert row.absolute_delay > 315360000
    assert (LAG, "default", "r") not in values(found)
    assert values(found)[UNKNOWN, "default", "r"] == 1
    assert values(found)["clickhouse_replicas_readonly",] == 1
    assert row.status is ReplicaStatus.READONLY


def test_both_panels_of_a_visit_ask_for_the_queue_once(replicas: list) -> None:
    with replicated_table(replicas):
        both = visit(native(replicas[0]), PANEL, replication_queue.PANEL)
    assert [one.status for one in both.runs] == [Status.OK, Status.OK]
    assert [one.queries for one in both.runs] == [2, 0]


def test_where_nothing_is_replicated_the_queue_is_not_asked(embedded: Any) -> None:
    visited = visit(Address("127.0.0.1", embedded.port, Wire.HTTP), PANEL, replication_queue.PANEL)
    assert [one.queries for one in visited.runs] == [1, 0]


def test_a_node_without_replicated_tables_says_so(embedded: Any) -> None:
    found = run(Address("127.0.0.1", embedded.port, Wire.HTTP), PANEL)
    assert found.status is Status.OK, found.error
    assert values(found)["clickhouse_replicas",] == 0
    assert ("clickhouse_replica_max_lag_seconds",) not in values(found)


@pytest.mark.parametrize(
    "column",
    [
        "total_replicas", "active_replicas", "log_max_index", "log_pointer", "lost_part_count",
        "zookeeper_exception", "replica_is_active",
    ],
)  # fmt: skip
def test_no_column_is_read_that_asks_keeper(column: str) -> None:
    assert column not in SQL


@pytest.mark.parametrize(
    ("changed", "status", "lag"),
    [
        ({}, "ok", 0),
        ({"absolute_delay": 299}, "ok", 299),
        ({"absolute_delay": 300}, "lagging", 300),
        ({"absolute_delay": 1_700_000_000, "lag_unknown": 1}, "unknown", None),
        ({"is_readonly": 1, "lag_unknown": 1, "absolute_delay": 9}, "readonly", None),
        ({"is_readonly": 1, "is_session_expired": 1, "lag_unknown": 1}, "session_expired", None),
    ],
)
def test_the_status_is_the_worst_that_is_known(changed: dict, status: str, lag: int | None) -> None:
    shown = PANEL.payload([a_row(**changed)])[0]
    assert (shown["status"], shown["lag_seconds"]) == (status, lag)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("db.t@r1", True),
        ("db.*@r1", True),
        ("*.*@r1", True),
        ("db.t@host1", True),
        ("db.t@host*", True),
        ("db.t@r2", False),
        ("db.x*@r1", False),
        ("DB.t@r1", False),
    ],
)
def test_a_pattern_names_tables_of_a_replica(pattern: str, expected: bool) -> None:
    assert is_expected(a_row(), [pattern], "host1") is expected


def test_times_are_given_in_utc() -> None:
    shown = PANEL.payload([a_row(readonly_since=1_700_000_000), a_row()])
    assert [row["readonly_since"] for row in shown] == ["2023-11-14T22:13:20Z", None]
