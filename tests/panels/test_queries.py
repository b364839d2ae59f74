"""The queries panel, on ClickHouse 26.9 and 18.16 that run, finish and fail queries of users."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import threading
import uuid
from collections.abc import Callable, Iterator

import pytest
from clickhouse_driver.errors import Error

from clustersight.clickhouse.connection import Address, Wire
from clustersight.collect import collect
from clustersight.collection import PanelRun, Plan, Watch
from clustersight.metrics import Kind, Unit
from clustersight.panels import query_log
from clustersight.panels.panel import Status
from clustersight.panels.queries import DURATION, PANEL, Row, Running, samples
from clustersight.panels.query_counts import Counts
from clustersight.panels.query_log import Reading
from tests.panels.test_server import FORBIDDEN
from tests.panels.visiting import CLOCK, run, run_until, values, watching
from tests.servers.clickhouse18 import PASSWORD, ClickHouse18, Options
from tests.servers.embedded import EmbeddedError, EmbeddedServer

Server = EmbeddedServer | ClickHouse18

RUNNING, RATIO = ("clickhouse_queries_running",), ("clickhouse_queries_running_ratio",)
LONGEST = ("clickhouse_query_longest_running_seconds",)
QUERIES, FAILED = "clickhouse_queries_total", "clickhouse_failed_queries_total"
INITIAL = ("clickhouse_initial_queries_total",)
FAILED_INITIAL = ("clickhouse_failed_initial_queries_total",)
QUANTILE = "clickhouse_query_duration_seconds"
FAULTS = ("clickhouse_query_server_faults",)
SLOW = "SELECT sum(sleepEachRow(0.1)) FROM system.numbers SETTINGS max_block_size = 5"
NOBODY = "SELECT * FROM remote('127.0.0.1:1', system, one)"
FAILURES = (Error, EmbeddedError, EOFError, OSError)


@pytest.fixture(params=["embedded", "replicas"])
def server(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    return found[0] if isinstance(found, list) else found


def monitor(server: Server) -> Address:
    """Another user than the one that the tests' queries are of."""
    wire = Wire.HTTP if isinstance(server, EmbeddedServer) else Wire.NATIVE
    return Address("127.0.0.1", server.port, wire, username="monitor", password=PASSWORD)


def fail(server: Server, sql: str) -> None:
    with contextlib.suppress(*FAILURES):
        server.execute(sql)


@contextlib.contextmanager
def runs(server: Server, sql: str = SLOW, **options: str) -> Iterator[None]:
    """A query that runs for a minute, killed at the end."""

    def execute() -> None:
        with contextlib.suppress(*FAILURES):
            server.execute(sql, **options)

    thread = threading.Thread(target=execute)
    thread.start()
    try:
        yield
    finally:
        while thread.is_alive():
            server.execute("KILL QUERY WHERE query LIKE '%sleepEachRow%' AND query NOT LIKE '%KILL%' ASYNC")
            thread.join(0.2)


def visit_again(watch: Watch, **plan: object) -> PanelRun:
    return collect(watch, Plan((PANEL,), **plan), CLOCK).runs[0]  # type: ignore[arg-type]


def test_a_running_query_is_seen_with_its_age(server: Server) -> None:
    with runs(server):
        found = run_until(monitor(server), PANEL, lambda r: values(r).get(LONGEST, 0) >= 1)
    assert found.status is Status.OK, found.error
    assert values(found)[RUNNING] == 1
    assert values(found)[LONGEST] >= 1
    shown = PANEL.payload(found.rows)[0]
    assert (shown["running"], shown["longest_user"]) == (1, "default")
    assert shown["longest_query_id"]
    assert bool(shown["longest_query_hash"]) is isinstance(server, EmbeddedServer)
    after = run_until(monitor(server), PANEL, lambda r: values(r)[RUNNING] == 0)
    assert (values(after)[RUNNING], values(after)[LONGEST]) == (0, 0)


def test_queries_of_our_own_user_are_not_counted(replicas: list[ClickHouse18]) -> None:
    """Also not those of another exporter or of a person who shares the user."""
    other = dataclasses.replace(monitor(replicas[0]), username="default", password="")
    with runs(replicas[0], user="monitor", password=PASSWORD):
        seen = run_until(other, PANEL, lambda r: values(r)[RUNNING] == 1)
        own = run(monitor(replicas[0]), PANEL)
    assert values(seen)[RUNNING] == 1
    assert values(own)[RUNNING] == 0


def test_what_runs_for_another_node_is_running_but_not_long(replicas: list[ClickHouse18]) -> None:
    place = f"remote('127.0.0.1:{replicas[1].port}', system, numbers)"
    with runs(replicas[0], f"SELECT sum(sleepEachRow(0.1)) FROM {place} SETTINGS max_block_size = 5"):
        found = run_until(monitor(replicas[1]), PANEL, lambda r: values(r)[RUNNING] == 1)
        asked = run_until(monitor(replicas[0]), PANEL, lambda r: values(r)[LONGEST] > 0)
    assert (values(found)[RUNNING], values(found)[LONGEST]) == (1, 0)
    assert values(asked)[LONGEST] > 0


def test_without_a_limit_there_is_no_share(server: Server) -> None:
    assert RATIO not in values(run(monitor(server), PANEL))


def test_queries_are_counted_by_kind(embedded: EmbeddedServer) -> None:
    address = monitor(embedded)
    before = values(run(address, PANEL))
    for _ in range(3):
        embedded.execute("INSERT INTO FUNCTION null('a Int32') SELECT 1")
    for _ in range(4):
        embedded.execute("SELECT 1")
    after = values(run(address, PANEL))
    assert after[QUERIES, "insert"] - before[QUERIES, "insert"] == 3
    assert after[QUERIES, "select"] - before[QUERIES, "select"] >= 4
    # Every query of a single node is initial: the sum over kind is all of them.
    assert sum(after[QUERIES, kind] for kind in ("select", "insert", "other")) == after[INITIAL]


def test_failed_queries_are_counted_by_kind(embedded: EmbeddedServer) -> None:
    address = monitor(embedded)
    before = values(run(address, PANEL))
    fail(embedded, "SELECT throwIf(1)")
    fail(embedded, "SELECT nosuch FROM system.one")
    fail(embedded, "INSERT INTO default.nosuch SELECT 1")
    fail(embedded, "DROP TABLE default.nosuch")
    after = values(run(address, PANEL))
    rise = {kind: after[FAILED, kind] - before[FAILED, kind] for kind in ("select", "insert", "other")}
    assert rise == {"select": 2, "insert": 1, "other": 1}
    assert after[FAILED_INITIAL] - before[FAILED_INITIAL] == 4


def test_an_old_server_counts_queries_but_no_failures(replicas: list[ClickHouse18]) -> None:
    fail(replicas[0], "SELECT nosuch")
    before = run(monitor(replicas[0]), PANEL)
    replicas[0].execute("SELECT 1")
    after = run(monitor(replicas[0]), PANEL)
    assert {labels[0] for labels in values(after)}.isdisjoint({FAILED, *FAILED_INITIAL})
    assert values(after)[QUERIES, "select"] > values(before)[QUERIES, "select"]
    assert PANEL.payload(after.rows)[0]["failed_queries"] is None


def test_quantiles_are_those_of_the_log(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_log, "FLUSH_SECONDS", 2)
    for number in range(25):
        server.execute(f"SELECT sleep({0.2 if number > 20 else 0})")
        server.execute("SET max_threads = 1")  # no SELECT

    def by_hand(row: query_log.Row) -> tuple[int, list[float]]:
        new = isinstance(server, EmbeddedServer)
        # KILL QUERY, which other tests use, reads system.processes by an internal SELECT.
        kind = (
            "query_kind = 'Select' AND NOT is_internal"
            if new
            else "replaceRegexpOne(query, '^\\\\s+', '') LIKE 'SELECT%'"
        )
        [[count, quantiles]] = server.execute(
            "SELECT count(), quantilesExact(0.45, 0.55, 0.9, 0.98, 1)(query_duration_ms)"
            f" FROM system.query_log WHERE type = 2 AND is_initial_query AND user != 'monitor' AND {kind}"
            f" AND event_time >= toDateTime({row.read_at - 302})"
            f" AND event_time < toDateTime({row.read_at - 2})"
        )
        return count, quantiles

    def agrees(found: PanelRun) -> bool:
        row = found.rows[0].log.row
        count, quantiles = by_hand(row)
        return row.selects >= 25 and count == row.selects and quantiles[-1] >= 200

    found = run_until(monitor(server), PANEL, agrees)
    assert agrees(found), (found.rows[0].log.row, by_hand(found.rows[0].log.row))
    known = {quantile: 1000 * values(found)[QUANTILE, quantile] for quantile in query_log.QUANTILES}
    # An estimated quantile lies between exact ones near it; durations are whole milliseconds.
    p45, p55, p90, p98, highest = by_hand(found.rows[0].log.row)[1]
    assert p45 - 1 <= known["0.5"] <= p55 + 1
    assert p90 - 1 <= known["0.95"] <= highest + 1
    assert p98 - 1 <= known["0.99"] <= highest + 1
    shown = PANEL.payload(found.rows)[0]
    assert shown["p99_ms"] == round(known["0.99"], 3)
    assert shown["log_read_at"].endswith("Z")


def test_only_some_failures_are_the_server_s_fault(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_log, "FLUSH_SECONDS", 1)
    mark = uuid.uuid4().hex
    fail(server, f"{NOBODY} AS q{mark}")
    fail(server, f"SELECT nosuch FROM system.one AS q{mark}")
    new = isinstance(server, EmbeddedServer)
    code = "exception_code" if new else "toInt32OrZero(extract(exception, '^Code: ([0-9]+)'))"

    def by_hand(row: query_log.Row) -> list[int]:
        # What other tests fail on this server may reach the log at any moment.
        [counts] = server.execute(
            f"SELECT count(), countIf({code} IN {query_log.SERVER_FAULTS}), countIf(query LIKE '%{mark}%'),"
            f" countIf({code} IN {query_log.SERVER_FAULTS} AND query LIKE '%{mark}%')"
            " FROM system.query_log WHERE type IN (3, 4) AND is_initial_query AND user != 'monitor'"
            f" AND event_time >= toDateTime({row.read_at - 301})"
            f" AND event_time < toDateTime({row.read_at - 1})" + (" AND NOT is_internal" if new else "")
        )
        return [int(count) for count in counts]

    def agrees(found: PanelRun) -> bool:
        row = found.rows[0].log.row
        return by_hand(row) == [row.failed, row.server_faults, 2, 1]

    found = run_until(monitor(server), PANEL, agrees)
    row = found.rows[0].log.row
    assert by_hand(row) == [row.failed, row.server_faults, 2, 1]
    assert values(found)[FAULTS] == row.server_faults


def test_a_log_that_is_made_later_is_found(own_clickhouse18: Callable[..., ClickHouse18]) -> None:
    server = own_clickhouse18(Options(profile={"log_queries": 0}))
    watch = watching(monitor(server))
    try:
        without = visit_again(watch)
        assert (without.status, without.error) == (Status.OK, "")
        assert FAULTS not in values(without)
        assert "does not exist" in PANEL.payload(without.rows)[0]["log_note"]
        server.execute("SELECT 1", log_queries=1)
        found = visit_again(watch)
        for _ in range(100):
            if found.rows[0].log.row:
                break
            found = visit_again(watch)
        assert found.rows[0].log == Reading(found.rows[0].log.row)
        assert values(found)[FAULTS] == 0
    finally:
        watch.close()


def test_where_the_log_may_not_be_read_the_rest_is_known(
    own_embedded: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_log, "SQL", FORBIDDEN)
    server = own_embedded(grants=["GRANT SELECT ON system.*"])
    found = run_until(monitor(server), PANEL, lambda r: "does not exist" not in r.rows[0].log.note)
    assert (found.status, found.error) == (Status.OK, "")
    assert values(found)[RUNNING] == 0
    assert FAULTS not in values(found)
    assert "privileges" in PANEL.payload(found.rows)[0]["log_note"]


def test_the_log_is_read_when_it_is_due_and_kept_meanwhile(embedded: EmbeddedServer) -> None:
    watch = watching(monitor(embedded))
    try:
        before = visit_again(watch, tier2_due=False)
        due = visit_again(watch)
        kept = visit_again(watch, tier2_due=False)
    finally:
        watch.close()
    assert before.rows[0].log.row is None
    assert PANEL.payload(before.rows)[0]["log_note"] == "not read yet"
    assert due.rows[0].log.row is not None
    assert kept.rows[0].log is due.rows[0].log
    assert kept.queries < due.queries


def test_a_user_with_readonly_1_may_ask(replicas: list[ClickHouse18]) -> None:
    address = dataclasses.replace(monitor(replicas[0]), username="readonly1", password="")
    found = run(address, PANEL)
    assert (found.status, found.error) == (Status.OK, "")
    assert found.rows[0].log.row is not None


def a_log(**changed: object) -> query_log.Row:
    row = query_log.Row(
        read_at=1_700_000_000, finished=60, selects=50, seconds=[0.1, 0.5, 0.9], failed=40, server_faults=10
    )
    return dataclasses.replace(row, **changed)  # type: ignore[arg-type]


def sampled(
    log: query_log.Row | None, running: int = 0, limit: float | None = None
) -> dict[tuple[str, ...], float]:
    row = Row(Running(running, 0, "", "", ""), limit, Counts({"select": 1}, {}, 1, None), Reading(log))
    return {(s.metric.name, *s.labels): s.value for s in samples([row])}


@pytest.mark.parametrize(("limit", "share"), [(10, 0.3), (None, None)])
def test_running_queries_are_measured_against_a_limit(limit: float | None, share: float | None) -> None:
    """The embedded engine does not take max_concurrent_queries."""
    assert sampled(None, running=3, limit=limit).get(RATIO) == share


@pytest.mark.parametrize(
    ("log", "p95"),
    [
        (a_log(), 0.5),
        (a_log(selects=20), 0.5),
        (a_log(selects=19), None),
        (a_log(seconds=[math.nan] * 3), None),
        (None, None),
    ],
)
def test_quantiles_of_few_queries_are_no_series(log: query_log.Row | None, p95: float | None) -> None:
    assert sampled(log).get((QUANTILE, "0.95")) == p95


@pytest.mark.parametrize(
    ("finished", "failed", "share"), [(60, 40, 0.1), (40, 10, 0.2), (39, 10, None), (0, 0, None)]
)
def test_the_share_of_few_queries_is_no_series(finished: int, failed: int, share: float | None) -> None:
    log = a_log(finished=finished, failed=failed)
    assert sampled(log).get(("clickhouse_query_server_fault_ratio",)) == share


def test_each_quantile_has_a_key_of_its_own() -> None:
    keys = {quantile: DURATION.key_of((quantile,)) for quantile in query_log.QUANTILES}
    assert keys == {"0.5": "queries.p50_ms", "0.95": "queries.p95_ms", "0.99": "queries.p99_ms"}
    assert (DURATION.kind, DURATION.unit) == (Kind.SUMMARY, Unit.MILLISECONDS)
