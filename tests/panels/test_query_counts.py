"""Queries by kind out of counters that are read at slightly different moments (pure)."""

from __future__ import annotations

from typing import Any

import pytest

from clustersight.clickhouse.capabilities import Capabilities
from clustersight.clickhouse.connection import Result
from clustersight.panels.counters import Counters, Row
from clustersight.panels.panel import Context
from clustersight.panels.query_counts import Counts, count


def nothing(*_: Any, **__: Any) -> Result:
    raise AssertionError("nothing is asked here")


def a_context(version: str = "26.9.2.1", memory: dict[str, Any] | None = None) -> Context:
    able = Capabilities(version, "h", 1, 0, None, {})
    return Context(nothing, nothing, able, "monitor", 0.0, memory={} if memory is None else memory)


def counted(context: Context, **events: float) -> Counts:
    return count(Counters(Row("event", name, value) for name, value in events.items()), context)


NEW = {
    "Query": 100, "SelectQuery": 60, "InsertQuery": 10, "InitialQuery": 90, "InitialSelectQuery": 50,
    "FailedQuery": 20, "FailedSelectQuery": 9, "FailedInsertQuery": 4, "FailedInitialQuery": 15,
    "FailedInternalQuery": 5, "FailedInternalSelectQuery": 1, "FailedInternalInsertQuery": 2,
}  # fmt: skip


def test_internal_failures_are_nobody_s() -> None:
    found = counted(a_context(), **NEW)
    assert found.queries == {"select": 60, "insert": 10, "other": 30}
    assert found.failed == {"select": 8, "insert": 2, "other": 5}
    assert (found.initial, found.failed_initial) == (90, 10)


@pytest.mark.parametrize("version", ["20.6.1.1", "24.3.1.1"])
def test_where_initial_failures_are_not_counted_all_queries_are(version: str) -> None:
    found = counted(a_context(version), Query=100, InitialQuery=90, FailedQuery=20)
    assert (found.initial, found.failed_initial) == (100, 20)


@pytest.mark.parametrize(("version", "failed"), [("18.16.1", None), ("20.5.9.9", None), ("20.6.0", 0)])
def test_no_failure_yet_is_0_only_where_failures_are_counted(version: str, failed: float | None) -> None:
    found = counted(a_context(version), Query=1)
    assert found.failed_initial == failed
    assert bool(found.failed) is (failed is not None)


def test_a_counter_never_falls_by_the_moment_it_was_read_at() -> None:
    memory: dict[str, Any] = {}
    counted(a_context(memory=memory), Query=100, SelectQuery=60, InsertQuery=10)
    found = counted(a_context(memory=memory), Query=100, SelectQuery=61, InsertQuery=10)
    assert found.queries == {"select": 61, "insert": 10, "other": 30}
    assert counted(a_context(), Query=5, SelectQuery=6).queries["other"] == 0
