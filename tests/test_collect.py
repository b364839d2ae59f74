"""The runner: one status each, isolation, deadlines; on a real server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from clustersight.clickhouse import errors
from clustersight.clickhouse.connection import Address, Wire
from clustersight.collect import collect, status_of
from clustersight.collection import Clock, Plan
from clustersight.metrics import Kind, Metric, Sample
from clustersight.panels import server
from clustersight.panels.panel import Panel, Rows, Status, probe_sql
from tests.panels.visiting import CLOCK, run, visit, watching
from tests.servers.clickhouse18 import PASSWORD, ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.misbehaving import GarbagePeer

ONES = Metric("clickhouse_ones", "Ones.", ("database",))
COUNTED = Metric("clickhouse_counted_total", "Counted.", kind=Kind.COUNTER)


@dataclass(frozen=True, slots=True)
class Row:
    database: str
    value: float


def samples(rows: Rows) -> Iterator[Sample]:
    for row in rows:
        yield Sample(ONES, (row.database,), row.value)


def panel(sql: str, name: str = "probe", **more: object) -> Panel:
    fields = {"about": "A test.", "samples": samples, "metrics": (ONES, COUNTED), **more}
    return Panel(name=name, probe=probe_sql(sql, Row), **fields)  # type: ignore[arg-type]


GOOD = panel("SELECT 'a' AS database, 1. AS value FROM system.one", "good")


@pytest.fixture
def address(embedded: EmbeddedServer) -> Address:
    return Address("127.0.0.1", embedded.port, Wire.HTTP)


def test_a_panel_whose_sql_fails_hides_no_neighbour(address: Address) -> None:
    broken = panel("SELECT nope FROM system.one", "broken")
    missing = panel("SELECT '' AS database, 1. AS value FROM system.no_such_table", "missing")
    throwing = panel("SELECT '' AS database, toFloat64(throwIf(1)) AS value FROM system.one", "throwing")

    visited = visit(address, broken, missing, throwing, GOOD)

    assert [r.status for r in visited.runs] == ["unsupported", "unsupported", "error", "ok"]
    assert visited.runs[3].samples == (Sample(ONES, ("a",), 1.0),)
    assert "nope" in visited.runs[0].error


def test_a_bug_in_a_panel_is_its_own_error(address: Address) -> None:
    def bug(_rows: Rows) -> Iterator[Sample]:
        raise KeyError("oops")

    visited = visit(address, replace(GOOD, name="buggy", samples=bug), GOOD)

    assert [r.status for r in visited.runs] == ["error", "ok"]
    assert "bug in panel buggy" in visited.runs[0].error


def test_columns_that_are_not_the_fields_are_an_error_not_wrong_numbers(address: Address) -> None:
    swapped = panel("SELECT 1. AS value, 'a' AS database FROM system.one")

    assert run(address, swapped).status is Status.ERROR


def test_an_undeclared_metric_is_an_error(address: Address) -> None:
    stray = Metric("clickhouse_stray", "Stray.")
    undeclared = replace(GOOD, samples=lambda _: [Sample(stray, (), 1.0)])

    assert run(address, undeclared).status is Status.ERROR


def test_a_label_set_that_repeats_is_taken_once_and_nan_not_at_all(address: Address) -> None:
    twice = panel(
        "SELECT * FROM (SELECT 'a' AS database, 1. AS value FROM system.one"
        " UNION ALL SELECT 'a', 2. UNION ALL SELECT 'b', nan) ORDER BY value"
    )

    assert [(s.labels, s.value) for s in run(address, twice).samples] == [(("a",), 1.0)]


def test_a_slow_panel_ends_at_its_own_deadline_and_the_next_one_runs(address: Address) -> None:
    slow = panel(
        "SELECT '' AS database, toFloat64(sleepEachRow(1)) AS value FROM system.numbers LIMIT 3", "slow"
    )

    visited = visit(address, slow, GOOD, timeouts_seconds={"slow": 0.5})

    assert [r.status for r in visited.runs] == ["timeout", "ok"]
    assert visited.up


def test_what_the_deadline_of_the_visit_leaves_no_time_for_is_a_timeout(address: Address) -> None:
    slow = panel(
        "SELECT '' AS database, toFloat64(sleepEachRow(1)) AS value FROM system.numbers LIMIT 3", "slow"
    )

    visited = visit(address, slow, GOOD, deadline_seconds=1.0)

    assert [r.status for r in visited.runs] == ["timeout", "timeout"]
    assert "used up" in visited.runs[1].error


def test_a_disabled_panel_asks_nothing(address: Address) -> None:
    (ended,) = visit(address, GOOD, disabled=frozenset({"good"})).runs

    assert (ended.status, ended.queries, ended.samples) == (Status.DISABLED, 0, ())


def test_a_table_that_the_version_lacks_is_unsupported_without_a_query(address: Address) -> None:
    needing = replace(GOOD, needs=("no_such_table",))

    ended = run(address, needing)

    assert (ended.status, ended.queries) == (Status.UNSUPPORTED, 0)
    assert "26.9" in ended.error


def test_what_two_panels_ask_is_asked_once(address: Address) -> None:
    first, second = visit(address, GOOD, replace(GOOD, name="again")).runs

    assert (first.queries, second.queries) == (1, 0)
    assert first.samples == second.samples


def test_a_wrong_password_is_unauthorized_and_the_server_is_up(replicas: list[ClickHouse18]) -> None:
    address = Address("127.0.0.1", replicas[0].port, Wire.NATIVE, username="monitor", password="wr0ng-secret")

    visited = visit(address, GOOD)

    assert visited.up
    assert visited.runs[0].status is Status.UNAUTHORIZED
    assert "wr0ng-secret" not in repr(visited)


@pytest.mark.parametrize("user", ["monitor", "readonly1", "readonly2"])
def test_every_level_of_readonly_works(replicas: list[ClickHouse18], user: str) -> None:
    password = PASSWORD if user == "monitor" else ""
    address = Address("127.0.0.1", replicas[0].port, Wire.NATIVE, username=user, password=password)

    assert run(address, server.PANEL).status is Status.OK


def test_a_dead_server_is_down_and_every_panel_says_why() -> None:
    visited = visit(Address("127.0.0.1", 1, Wire.NATIVE), GOOD)

    assert not visited.up
    assert visited.runs[0].status is Status.ERROR
    assert "refused" in visited.runs[0].error


@pytest.mark.parametrize(
    ("error", "status", "up"),
    [
        (errors.from_server(202, "Too many simultaneous queries"), Status.REFUSED, True),
        (errors.from_server(201, "Quota exceeded"), Status.REFUSED, True),
        (errors.from_server(516, "Authentication failed"), Status.UNAUTHORIZED, True),
        (errors.from_server(497, "Not enough privileges"), Status.ACCESS_DENIED, True),
        (errors.from_server(159, "Timeout exceeded"), Status.TIMEOUT, True),
        (errors.from_server(60, "Table does not exist"), Status.UNSUPPORTED, True),
        (errors.from_server(241, "Memory limit"), Status.ERROR, True),
        (errors.TimedOut("no answer"), Status.TIMEOUT, False),
        (errors.Unreachable("refused"), Status.ERROR, False),
    ],
)
def test_each_error_has_one_status_and_says_whether_the_server_is_up(
    error: errors.ClickHouseError, status: Status, up: bool
) -> None:
    assert (status_of(error), error.answered) == (status, up)


def test_a_restart_is_noticed_and_what_the_server_can_is_read_again(
    own_embedded: Callable[..., EmbeddedServer],
) -> None:
    own = own_embedded()
    watch = watching(Address("127.0.0.1", own.port, Wire.HTTP))
    try:
        ends = time.monotonic() + 20
        while watch.uptime_seconds < 2 and time.monotonic() < ends:
            collect(watch, Plan((GOOD,)), CLOCK)
        watch.memory["good"] = {"remembered": 1}
        own.restart()
        while time.monotonic() < ends and "remembered" in watch.memory.get("good", {}):
            collect(watch, Plan((GOOD,)), CLOCK)
    finally:
        watch.close()

    assert "remembered" not in watch.memory.get("good", {})


def test_another_host_behind_the_same_address_is_load_balanced_and_has_no_counters(address: Address) -> None:
    """Two servers of one machine share hostName(), so the first one's name is put back by hand."""
    counting = replace(GOOD, samples=lambda rows: [*samples(rows), Sample(COUNTED, (), 5.0)])
    watch = watching(address)
    try:
        collect(watch, Plan((counting,)), CLOCK)
        watch.hostname = "the-other-server"
        (ended,) = collect(watch, Plan((counting,)), CLOCK).runs
    finally:
        watch.close()

    assert ended.status is Status.LOAD_BALANCED
    assert [s.metric for s in ended.samples] == [ONES]


def test_an_hour_after_the_last_other_host_the_counters_are_back(address: Address) -> None:
    counting = replace(GOOD, samples=lambda rows: [*samples(rows), Sample(COUNTED, (), 5.0)])
    later = 0.0
    clock = Clock(time.time, lambda: time.monotonic() + later)
    watch = watching(address)
    try:
        collect(watch, Plan((counting,)), clock)
        watch.hostname = "the-other-server"
        collect(watch, Plan((counting,)), clock)
        later = 3601.0
        (ended,) = collect(watch, Plan((counting,)), clock).runs
    finally:
        watch.close()

    assert ended.status is Status.OK
    assert COUNTED in [s.metric for s in ended.samples]


def test_the_clock_of_the_exporter_decides_nothing(address: Address) -> None:
    """A wall clock an hour off shows as skew, and the deadline does not notice it."""
    watch = watching(address)
    try:
        visited = collect(watch, Plan((GOOD,)), Clock(lambda: time.time() - 3600, time.monotonic))
    finally:
        watch.close()

    assert visited.runs[0].status is Status.OK
    assert visited.greeting is not None
    assert visited.greeting.clock_skew_seconds == pytest.approx(3600, abs=2)


def test_a_restart_during_a_long_outage_is_noticed(address: Address) -> None:
    """The new server may be up for longer than the old one was when it was last seen."""
    watch = watching(address)
    try:
        collect(watch, Plan((GOOD,)), CLOCK)
        watch.memory["good"] = {"remembered": 1}
        watch.uptime_seconds, watch.greeted_at = 0, time.monotonic() - 86400
        collect(watch, Plan((GOOD,)), CLOCK)
    finally:
        watch.close()

    assert "remembered" not in watch.memory.get("good", {})


def test_an_answer_that_is_no_greeting_is_no_server_that_is_up() -> None:
    empty = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with GarbagePeer(empty) as proxy:
        visited = visit(Address("127.0.0.1", proxy.port, Wire.HTTP), GOOD)

    assert not visited.up
    assert visited.runs[0].status is Status.ERROR
