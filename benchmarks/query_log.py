"""What a ClickHouse says that a collection cost it: from its own query_log, by windows of time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.servers.embedded import EmbeddedServer

# Our own questions to the log carry this comment, so that they are not counted.
COMMENT = "benchmark"
# SET and USE come from the demo's HTTP interface, which gives every query a connection of its own.
# SQL of a measured program only: the peer's carries its comment, ours has none.
SQL = """
SELECT
    count(),
    sum(ProfileEvents['OSCPUVirtualTimeMicroseconds']) / 1000,
    sum(ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds']) / 1000
FROM system.query_log
WHERE type != 'QueryStart' AND is_initial_query AND query_kind NOT IN ('Set', 'Use', 'System')
    AND log_comment = '{comment}'
    AND event_time_microseconds BETWEEN fromUnixTimestamp64Micro({begin}) AND fromUnixTimestamp64Micro({end})
"""


@dataclass(slots=True)
class Window:
    """Microseconds of the wall clock, which this machine's server shares."""

    begin: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """Queries of one window, and the CPU of the server's threads that ran them, in milliseconds."""

    queries: int
    cpu_ms: float


@contextmanager
def window() -> Iterator[Window]:
    """The time that a block takes."""
    found = Window(begin=_now())
    yield found
    found.end = _now()


def cost(server: EmbeddedServer, of: Window, comment: str = "") -> Cost:
    """What queries with this log_comment cost in a window. Flush the log before (`flush`)."""
    sql = SQL.format(comment=comment, begin=of.begin, end=of.end)
    queries, virtual_ms, user_and_system_ms = server.execute(sql, log_comment=COMMENT)[0]
    return Cost(int(queries), float(virtual_ms or user_and_system_ms))


def flush(server: EmbeddedServer) -> None:
    """Have the server write down what it remembers."""
    server.execute("SYSTEM FLUSH LOGS", log_comment=COMMENT)


def _now() -> int:
    return time.time_ns() // 1000
