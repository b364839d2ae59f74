"""Errors that this server itself has thrown, by name: system.errors (20.11+)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from clustersight.metrics import Kind, Metric, Sample, per_minute
from clustersight.panels.panel import Context, Panel, Rows
from clustersight.sql_text.literals import stripped_message
from clustersight.times import iso

NAME = "errors"

# The classes of the health score and of the rule CriticalErrors (spec/health.md); the names are 26.9's.
CORRUPTION = {
    40: "CHECKSUM_DOESNT_MATCH",
    226: "NO_FILE_IN_DATA_PART",
    228: "BAD_SIZE_OF_FILE_IN_DATA_PART",
    231: "TOO_MANY_UNEXPECTED_DATA_PARTS",
    246: "CORRUPTED_DATA",
    740: "POTENTIALLY_BROKEN_DATA_PART",
}
CAPACITY = {
    173: "CANNOT_ALLOCATE_MEMORY",
    241: "MEMORY_LIMIT_EXCEEDED",
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    439: "CANNOT_SCHEDULE_TASK",
}
# These rise with every client that disconnects, our own time-outs included: not critical.
CONNECTION = {
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    225: "NO_ZOOKEEPER",
    279: "ALL_CONNECTION_TRIES_FAILED",
    999: "KEEPER_EXCEPTION",
}
REFUSED = {202: "TOO_MANY_SIMULTANEOUS_QUERIES", 745: "SERVER_OVERLOADED"}
CRITICAL = CORRUPTION | CAPACITY
# Always exported: system.errors hides zeros, and increase() would miss the first event.
CURATED = CRITICAL | CONNECTION | REFUSED

# One name has two rows: of this server, and received from others in distributed queries.
SQL = """
SELECT
    name AS error,
    min(code) AS error_code,
    sum(value) AS total,
    {{last_error_time ? toUnixTimestamp(max(last_error_time)) : 0}} AS last_at,
    {{last_error_time, last_error_message ?
      substring(argMax(last_error_message, last_error_time), 1, 300) : ''}} AS message
FROM system.errors
{{remote ? WHERE NOT remote}}
GROUP BY name
HAVING sum(value) > 0
ORDER BY last_at DESC, error
LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class Row:
    """`last_at` is in epoch seconds, 0 where this version does not say it."""

    error: str
    error_code: int
    total: int
    last_at: int
    message: str


ERRORS = Metric(
    "clickhouse_errors_total",
    "Exceptions of this server by name, not those received from others; well-known ones also while 0.",
    ("error",),
    kind=Kind.COUNTER,
    history=True,
)
QUERIES_REFUSED = Metric(
    "clickhouse_queries_refused_total",
    "Queries that were refused because too many ran or the server was overloaded (202, 745).",
    kind=Kind.COUNTER,
    history=True,
)
RATES = (
    per_minute("errors.per_min", ERRORS.name, "Exceptions of this server a minute, by name.", ("error",)),
    per_minute("queries.refused_per_min", QUERIES_REFUSED.name, "Queries refused for overload a minute."),
)


def probe(context: Context) -> Rows:
    return [replace(row, message=_masked(row)) for row in context.rows(SQL, Row)]


def _masked(row: Row) -> str:
    # The message alone does not say whether it is the query's own text; the code does.
    return stripped_message(f"Code: {row.error_code}. {row.message}", "") if row.message else ""


def samples(rows: Rows) -> Iterator[Sample]:
    totals = dict.fromkeys(CURATED.values(), 0) | {row.error: row.total for row in rows}
    for error, total in totals.items():
        yield Sample(ERRORS, (error,), total)
    yield Sample(QUERIES_REFUSED, (), sum(row.total for row in rows if row.error_code in REFUSED))


def payload(rows: Rows) -> list[dict[str, Any]]:
    """`count_in_range` needs the history: who has it fills it in."""
    return [
        {
            "name": row.error,
            "code": row.error_code,
            "count_in_range": None,
            "total": row.total,
            "last_error_time": iso(row.last_at or None),
            "last_error_message": row.message,
            "remote": False,
            "is_critical": row.error_code in CRITICAL,
        }
        for row in rows
    ]


PANEL = Panel(
    name=NAME,
    about="Exceptions by name, from system.errors.",
    needs=("errors",),
    probe=probe,
    samples=samples,
    metrics=(ERRORS, QUERIES_REFUSED),
    rates=RATES,
    payload=payload,
)
