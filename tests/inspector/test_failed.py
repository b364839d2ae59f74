"""Failed queries, on ClickHouse 26.9 and 18.16."""

from __future__ import annotations

import dataclasses
import uuid

import pytest

from clustersight.inspector.failed import FailedQueries, failed
from tests.inspector.asking import Server, fail, logged, sessions, write_log
from tests.servers.clickhouse18 import ClickHouse18

SECRET = "hunter2"


@pytest.fixture(params=["embedded", "replicas"])
def server(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    return found[0] if isinstance(found, list) else found


def by_code(*servers: Server, **asked: object) -> dict[int, FailedQueries]:
    with sessions(*servers) as opened:
        found = failed(opened, **{"hours": 1, "limit": 200} | asked)  # type: ignore[arg-type]
    return {row.code: row for row in found.rows}


def write_failures(server: Server, code: int, *users: str, hours_ago: float = 0, kind: int = 3) -> None:
    """Failures with a code that no server gives."""
    values: dict[str, str | int] = {"exception": f"'Code: {code}, e.displayText() = DB::Exception: Odd'"}
    if not isinstance(server, ClickHouse18):
        values["exception_code"] = code
    for user in users:
        write_log(server, user, f"SELECT '{SECRET}'", 1, hours_ago=hours_ago, **{"type": kind, **values})


def test_real_failures_are_grouped_by_code(server: Server) -> None:
    mark = f"x{uuid.uuid4().hex[:12]}"
    before = by_code(server)
    for text in (SECRET, "<!channel>"):
        fail(server, f"SELECT toUInt32('{text}'), '{mark}' FROM system.one WHERE dummy != 5551234")
    fail(server, f"SELECT nosuch FROM system.one WHERE '{SECRET}' = '{mark}'")
    logged(server, f"type IN (3, 4) AND query LIKE '%{mark}%'", 3)
    after = by_code(server)
    counts = {code: after[code].count - (before[code].count if code in before else 0) for code in (6, 47)}
    assert counts == {6: 2, 47: 1}
    assert (after[6].name, after[47].name) == ("CANNOT_PARSE_TEXT", "UNKNOWN_IDENTIFIER")
    assert "default" in after[47].users
    assert after[47].sample_query == "SELECT nosuch FROM system.one WHERE ? = ?"
    assert after[47].sample_message.startswith("Unknown")
    assert after[6].sample_message == "Cannot parse string …"
    assert SECRET not in repr(after)
    assert mark not in repr(after)
    assert after[6].first_seen <= after[6].last_seen
    raw = by_code(server, show_literals=True)
    assert raw[47].sample_query == f"SELECT nosuch FROM system.one WHERE '{SECRET}' = '{mark}'"
    assert "'<!channel>'" in raw[6].sample_message or f"'{SECRET}'" in raw[6].sample_message


def test_the_figures_are_those_of_the_log(server: Server) -> None:
    code = 20_000 + uuid.uuid4().int % 100_000
    write_failures(server, code, "zoe", "adam", "zoe")
    write_failures(server, code, "eve", hours_ago=2, kind=4)
    write_failures(server, code, "nobody", kind=1)
    write_failures(server, code, "nobody", kind=2)
    now, earlier = by_code(server)[code], by_code(server, hours=3)[code]
    assert (now.count, now.users, now.name) == (3, ("adam", "zoe"), f"CODE_{code}")
    assert (earlier.count, earlier.users) == (4, ("adam", "eve", "zoe"))
    [[first, last]] = server.execute(
        "SELECT toUnixTimestamp(min(event_time)), toUnixTimestamp(max(event_time)) FROM system.query_log"
        f" WHERE type IN (3, 4) AND exception LIKE 'Code: {code},%'"
    )
    assert (earlier.first_seen, earlier.last_seen) == (first, last)
    assert last - first >= 7199
    assert (now.sample_message, now.sample_query) == ("Odd", "SELECT ?")
    assert now.sample_query_id in ("adam-1", "zoe-1")


def test_two_nodes_are_put_together(replicas: list[ClickHouse18]) -> None:
    code = 20_000 + uuid.uuid4().int % 100_000
    write_failures(replicas[0], code, "adam", "eve", hours_ago=0.5)
    write_failures(replicas[1], code, "adam", "zoe")
    found = by_code(*replicas)[code]
    assert (found.count, found.users, found.host) == (4, ("adam", "eve", "zoe"), "node1")
    assert found.last_seen - found.first_seen >= 1799


def test_the_most_frequent_comes_first(server: Server) -> None:
    write_failures(server, 19_001, *["adam"] * 40)
    with sessions(server) as opened:
        found = failed(opened, hours=1, limit=200).rows
        [first] = failed(opened, hours=1, limit=1).rows
    counts = [row.count for row in found]
    assert counts == sorted(counts, reverse=True)
    assert first == found[0]


def test_the_fields_are_those_of_the_api() -> None:
    names = {field.name for field in dataclasses.fields(FailedQueries)}
    assert names >= {
        *("code", "name", "count", "users", "last_seen", "sample_message", "sample_query"),
        *("sample_query_id", "first_seen"),
    }
