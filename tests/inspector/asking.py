"""Sessions to real servers as the inspector gets them, and queries that are sure to be in the log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from clickhouse_driver.errors import Error

from clustersight.clickhouse.connection import Address, Wire
from clustersight.clickhouse.session import Session
from tests.servers.clickhouse18 import PASSWORD, ClickHouse18
from tests.servers.embedded import EmbeddedError, EmbeddedServer

Server = EmbeddedServer | ClickHouse18
FAILURES = (Error, EmbeddedError)


def address(server: Server, username: str = "monitor", password: str = PASSWORD) -> Address:
    """Another user than the one that the tests' queries are of."""
    wire = Wire.HTTP if isinstance(server, EmbeddedServer) else Wire.NATIVE
    return Address("127.0.0.1", server.port, wire, username=username, password=password)


@contextlib.contextmanager
def sessions(*servers: Server, **who: str) -> Iterator[dict[str, Session]]:
    """One session for each server, by `node0`, `node1` …"""
    opened = {f"node{at}": Session(address(server, **who)) for at, server in enumerate(servers)}
    try:
        yield opened
    finally:
        for session in opened.values():
            session.close()


def fail(server: Server, sql: str) -> None:
    with contextlib.suppress(*FAILURES):
        server.execute(sql)


def wait_for(holds: Callable[[], bool], timeout_seconds: float = 30) -> None:
    """Until a condition holds; fails when time is up."""
    ends = time.monotonic() + timeout_seconds
    while not holds():
        assert time.monotonic() < ends, "the condition did not come true"
        time.sleep(0.1)


def logged(server: Server, condition: str, count: int = 1) -> None:
    """Wait until the log has so many rows."""
    server.execute("SELECT 1")  # the log exists only after a query
    sql = f"SELECT count() FROM system.query_log WHERE {condition} AND query NOT LIKE '%system.query_log%'"

    def there() -> bool:
        try:
            return server.execute(sql)[0][0] >= count
        except FAILURES:
            return False

    wait_for(there)


def write_log(
    server: Server,
    user: str,
    query: str,
    /,
    *durations_ms: int,
    hours_ago: float = 0,
    **columns: str | int,
) -> None:
    """Put queries into the log that took so long, ended hours ago; other columns as SQL expressions."""
    server.execute("SELECT 1")
    logged(server, "type = 2")
    new = isinstance(server, EmbeddedServer)
    values = {
        "type": 2,
        # The demo's log loses a day's rows at the next midnight.
        "event_date": "today()" if new else f"toDate(now() - {int(3600 * hours_ago)})",
        "event_time": f"now() - {int(3600 * hours_ago)}",
        "query_duration_ms": f"arrayJoin([{', '.join(map(str, durations_ms))}])",
        "query": "'" + query.replace("\\", "\\\\").replace("'", "\\'") + "'",
        "user": f"'{user}'",
        "is_initial_query": 1,
        "query_id": f"concat('{user}-', toString(query_duration_ms))",
    } | ({"query_kind": "'Select'", "normalized_query_hash": "normalizedQueryHash(query)"} if new else {})
    values |= columns
    chosen = ", ".join(f"{value} AS {name}" for name, value in values.items())
    server.execute(f"INSERT INTO system.query_log ({', '.join(values)}) SELECT {chosen}")
