"""Slow queries, on ClickHouse 26.9 and 18.16, with real queries and with rows put into their logs."""

from __future__ import annotations

import dataclasses
import time
import uuid

import pytest

from clustersight.inspector import slow as module
from clustersight.inspector.slow import ORDER, SlowQuery, slow
from clustersight.panels.panel import Status
from tests.inspector.asking import Server, fail, logged, sessions, wait_for, write_log
from tests.panels.tables import HOSTILE, database, make_table
from tests.servers.clickhouse18 import PASSWORD, ClickHouse18
from tests.servers.embedded import EmbeddedServer


@pytest.fixture(params=["embedded", "replicas"])
def server(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    return found[0] if isinstance(found, list) else found


@pytest.fixture
def user() -> str:
    """A user of this test alone, so that other tests' queries do not count."""
    return f"u{uuid.uuid4().hex[:12]}"


def rows(server: Server, user: str, **asked: object) -> tuple[SlowQuery, ...]:
    with sessions(server) as opened:
        return slow(opened, **{"hours": 24, "limit": 50, "user": user} | asked).rows  # type: ignore[arg-type]


def test_the_figures_are_those_of_the_log(server: Server, user: str) -> None:
    before = int(time.time())
    write_log(
        server,
        user,
        "SELECT count() FROM t WHERE a = 5",
        *range(1, 101),
        read_rows=10,
        read_bytes=1000,
        memory_usage="toUInt64(query_duration_ms * 7)",
        result_rows=2,
    )
    write_log(server, user, "SELECT count() FROM t WHERE a = 77", 900, read_rows=5)
    [found] = rows(server, user)
    [[count, total, read_rows, read_bytes, memory, result_rows, p40, p60, p94, p96, last]] = server.execute(
        "SELECT count(), sum(query_duration_ms), sum(read_rows), sum(read_bytes), max(memory_usage),"
        " sum(result_rows), quantileExact(0.4)(query_duration_ms), quantileExact(0.6)(query_duration_ms),"
        " quantileExact(0.93)(query_duration_ms), quantileExact(0.97)(query_duration_ms),"
        f" toUnixTimestamp(max(event_time)) FROM system.query_log WHERE user = '{user}'"
    )
    assert (count, total) == (101, 5050 + 900)
    assert (found.count, found.total_ms, found.max_ms) == (count, total, 900)
    assert (found.read_rows, found.read_bytes) == (read_rows, read_bytes)
    assert (found.memory_bytes, found.result_rows) == (memory, result_rows)
    assert p40 <= found.p50_ms <= p60
    assert p94 <= found.p95_ms <= p96
    assert found.p95_ms <= found.p99_ms <= 900
    assert found.last_seen == last >= before
    assert (found.sample_query_id, found.user, found.kind) == (f"{user}-900", user, "Select")
    assert found.query == "SELECT count() FROM t WHERE a = ?"
    assert found.host == "node0"
    assert found.query_hash.isdecimal()


def test_queries_that_differ_in_values_are_one_group_without_them(server: Server) -> None:
    with database(server) as name:
        table = make_table(server, (name, "t"))
        for at, text in enumerate(("hunter2", "it\\'s", "<!channel>", "a\\nb", "x")):
            server.execute(f"SELECT count() FROM {table} WHERE s = '{text}' AND a IN ({at}, {at + 1})")
        logged(server, f"type = 2 AND query LIKE '%{name}%' AND query LIKE '%hunter2%'")
        logged(server, f"type = 2 AND query LIKE '%{name}%' AND query LIKE '%s = %'", 5)
        with sessions(server) as opened:
            plain = slow(opened, hours=1, limit=200, sort="count", kind="select").rows
            raw = slow(opened, hours=1, limit=200, sort="count", kind="select", show_literals=True).rows
    [found] = [row for row in plain if name in row.query and "count()" in row.query]
    assert found.count == 5
    assert found.query == f"SELECT count() FROM {table} WHERE s = ? AND a IN (?..)"
    assert found.user == "default"
    assert found.tables == ((f"{name}.t",) if isinstance(server, EmbeddedServer) else ())
    [shown] = [row for row in raw if row.query_hash == found.query_hash]
    [[text]] = server.execute(
        f"SELECT query FROM system.query_log WHERE type = 2 AND query_id = '{shown.sample_query_id}'"
    )
    assert shown.query == text


@pytest.mark.parametrize("sort", sorted(ORDER))
def test_the_worst_comes_first(server: Server, user: str, sort: str) -> None:
    small = {"read_bytes": 1, "memory_usage": 1}
    write_log(server, user, "SELECT p95", 1000, **small)
    write_log(server, user, "SELECT total", *[900] * 5, **small)
    write_log(server, user, "SELECT count", *[1] * 9, **small)
    write_log(server, user, "SELECT memory", 1, read_bytes=1, memory_usage=99)
    write_log(server, user, "SELECT read_bytes", 1, read_bytes=99, memory_usage=1)
    found = rows(server, user, sort=sort)
    assert len(found) == 5
    assert found[0].query == f"SELECT {sort}"
    assert [row.query for row in rows(server, user, sort=sort, limit=1)] == [f"SELECT {sort}"]


def test_a_value_of_a_filter_stays_a_value(server: Server, user: str) -> None:
    write_log(server, user, "SELECT 1", 5)
    hostile = f"{user}' OR 1=1 --"
    assert rows(server, hostile) == ()
    assert rows(server, user, kind=f"{hostile}%s{{{{a ? b}}}}") == ()
    assert len(rows(server, user)) == 1


def test_queries_of_one_kind(server: Server, user: str) -> None:
    new = isinstance(server, EmbeddedServer)
    write_log(server, user, "SELECT 1", 5)
    write_log(server, user, "  insert INTO t VALUES", 5, **({"query_kind": "'Insert'"} if new else {}))
    assert [row.kind for row in rows(server, user, kind="select")] == ["Select"]
    assert [row.kind for row in rows(server, user, kind="Insert")] == ["Insert"]
    assert len(rows(server, user)) == 2


def test_only_queries_of_the_range_count(server: Server, user: str) -> None:
    write_log(server, user, "SELECT new", 5)
    write_log(server, user, "SELECT old", 5, hours_ago=2.5)
    write_log(server, user, "SELECT older", 5, hours_ago=20)
    assert {row.query for row in rows(server, user, hours=1)} == {"SELECT new"}
    assert {row.query for row in rows(server, user, hours=3)} == {"SELECT new", "SELECT old"}
    assert len(rows(server, user, hours=24)) == 3


def test_only_whole_queries_of_users_count(server: Server, user: str) -> None:
    write_log(server, user, "SELECT 1", 5)
    for column, value in {"type": 1, "is_initial_query": 0}.items():
        write_log(server, user, "SELECT 2", 5, **{column: value})
    for number in (3, 4):
        write_log(server, user, "SELECT 3", 5, type=number)
    if isinstance(server, EmbeddedServer):
        write_log(server, user, "SELECT 4", 5, is_internal=1)
    assert [row.count for row in rows(server, user)] == [1]


def test_our_own_queries_are_left_out_and_others_of_our_user_are_not(replicas: list[ClickHouse18]) -> None:
    server = replicas[0]
    server.execute("SELECT 'theirs', count() FROM system.one", user="monitor", password=PASSWORD)
    with sessions(server) as opened:
        for _ in range(2):
            opened["node0"].query("SELECT 'ours', count() FROM system.one", timeout_seconds=5)
        logged(server, "type = 2 AND query LIKE '%ours%'", 2)
        logged(server, "type = 2 AND query LIKE '%theirs%'")
        found = slow(opened, hours=1, limit=200, user="monitor", show_literals=True).rows
    assert [row.count for row in found if "theirs" in row.query] == [1]
    assert not [row for row in found if "ours" in row.query]
    assert not [row for row in found if "clustersight" in row.query or "quantilesTDigest" in row.query]


def test_the_inspector_s_own_queries_are_known_by_their_comment(embedded: EmbeddedServer) -> None:
    """The embedded engine knows no client's name."""
    with sessions(embedded) as opened:
        slow(opened, hours=1, limit=200)
        mark = "query LIKE '%quantilesTDigest(0.5, 0.95, 0.99)%' AND log_comment = 'clustersight'"
        wait_for(
            lambda: (
                embedded.execute(f"SELECT count() FROM system.query_log WHERE type = 2 AND {mark}")[0][0] > 0
            )
        )
        found = slow(opened, hours=1, limit=200).rows
    assert not [row for row in found if "quantilesTDigest(?.." in row.query and "slowest_at" in row.query]


def test_two_nodes_are_put_together(replicas: list[ClickHouse18], user: str) -> None:
    write_log(replicas[0], user, "SELECT 1", *[10] * 20, read_rows=3, memory_usage=50, query_id="'first'")
    write_log(replicas[1], user, "SELECT 2", *[40] * 5, read_rows=4, memory_usage=20, query_id="'second'")
    write_log(replicas[1], user, "SELECT alone", 1)
    with sessions(*replicas) as opened:
        result = slow(opened, hours=1, limit=50, user=user)
    [both, alone] = result.rows
    assert (both.count, both.total_ms, both.read_rows) == (25, 400, 80)
    assert (both.p50_ms, both.p95_ms, both.max_ms, both.memory_bytes) == (40, 40, 40, 50)
    assert (both.host, both.sample_query_id) == ("node1", "second")
    assert (alone.count, alone.host) == (1, "node1")
    assert result.meta == {
        "nodes": {"node0": Status.OK, "node1": Status.OK},
        "node_errors": {},
        "quantiles": "max over nodes",
    }
    assert result.data[0]["count"] == 25


def test_sums_are_of_all_nodes_also_where_they_have_many_groups(
    replicas: list[ClickHouse18], user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each node tells its worst only; the other node's share is asked for."""
    monkeypatch.setattr(module, "MOST_GROUPS", 1)
    write_log(replicas[0], user, "SELECT common", 60)
    write_log(replicas[0], user, "SELECT first", 50)
    write_log(replicas[1], user, "SELECT common", 50)
    write_log(replicas[1], user, "SELECT second", 100)
    with sessions(*replicas) as opened:
        [found] = slow(opened, hours=1, limit=1, user=user, sort="total").rows
    assert (found.query, found.total_ms, found.count) == ("SELECT common", 110, 2)


def test_a_newer_and_an_older_server_are_put_together(
    embedded: EmbeddedServer, replicas: list[ClickHouse18], user: str
) -> None:
    """Their hashes differ, so that each has a group of its own."""
    write_log(embedded, user, "SELECT 1", 5)
    write_log(replicas[0], user, "SELECT 1", 7)
    with sessions(embedded, replicas[0]) as opened:
        found = slow(opened, hours=1, limit=5, user=user)
    assert [(row.host, row.max_ms) for row in found.rows] == [("node1", 7), ("node0", 5)]


def test_a_text_that_is_no_utf8_is_no_riddle(server: Server, user: str) -> None:
    write_log(server, user, "SELECT x", 5, query="concat('SELECT x, \\'', unhex('FF'), 'hunter2\\'')")
    [found] = rows(server, user)
    assert found.query == "SELECT x, ?"


def test_hostile_text_is_carried_as_it_is(server: Server, user: str) -> None:
    text = "SELECT '" + HOSTILE.replace("\\", "\\\\").replace("'", "\\'") + "' FROM t"
    write_log(server, user, text, 5)
    assert rows(server, user, show_literals=True)[0].query == text
    assert rows(server, user)[0].query == "SELECT ? FROM t"


def test_a_failed_query_is_no_slow_one(server: Server) -> None:
    mark = f"nosuch{uuid.uuid4().hex[:12]}"
    fail(server, f"SELECT {mark}")
    logged(server, f"type = 3 AND query LIKE '%{mark}%'")
    with sessions(server) as opened:
        found = slow(opened, hours=1, limit=200).rows
    assert not [row for row in found if mark in row.query]


def test_the_fields_are_those_of_the_api() -> None:
    names = {field.name for field in dataclasses.fields(SlowQuery)}
    assert names >= {
        *("query_hash", "query", "kind", "user", "count", "p50_ms", "p95_ms", "p99_ms", "max_ms", "total_ms"),
        *("read_rows", "read_bytes", "memory_bytes", "result_rows", "tables", "last_seen", "sample_query_id"),
    }
