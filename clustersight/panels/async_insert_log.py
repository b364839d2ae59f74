"""How the asynchronous inserts of a window ended: system.asynchronous_insert_log (22.x+, where it is on)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from clustersight.clickhouse.errors import AccessDenied, QueryFailed, TimedOut, Unsupported
from clustersight.panels import log_table
from clustersight.panels.log_table import FLUSH_SECONDS
from clustersight.panels.masking import without_values
from clustersight.panels.panel import Context
from clustersight.times import iso

# An insert is logged when it is flushed; its own time, by which the table is sorted, is that of its arrival.
WAITS_AT_MOST_SECONDS = 600
SQL = """
SELECT
    database, table,
    countIf(status = 'Ok') AS flushed,
    countIf(status = 'ParsingError') AS parsing_errors,
    countIf(status = 'FlushError') AS flush_errors,
    toUnixTimestamp(maxIf(flush_time, status != 'Ok')) AS last_failed_at,
    substring(argMaxIf(exception, flush_time, status != 'Ok'), 1, 1000) AS last_exception
FROM system.asynchronous_insert_log
WHERE event_date >= toDate(now() - %(arrived)s) AND event_time >= now() - %(arrived)s
  AND flush_time >= now() - %(starts)s AND flush_time < now() - %(ends)s
GROUP BY database, table
ORDER BY parsing_errors + flush_errors DESC, database, table
LIMIT 200
"""
REMEDY = (
    "the server's configuration has no <asynchronous_insert_log>, or there was no asynchronous insert yet"
)


@dataclass(frozen=True, slots=True)
class Table:
    """How the inserts into a table ended within the window; `last_failed_at` in epoch seconds, 0 of none."""

    database: str
    table: str
    flushed: int
    parsing_errors: int
    flush_errors: int
    last_failed_at: int
    last_exception: str

    @property
    def failed(self) -> int:
        return self.parsing_errors + self.flush_errors


@dataclass(frozen=True, slots=True)
class Reading:
    """The tables, those with the most failures first, or why there are none in one line for a person."""

    tables: Sequence[Table] = ()
    note: str = ""


def read(context: Context) -> Reading:
    """The last window of `context.window_seconds`; whatever is wrong with the log stays in the log."""
    starts = math.ceil(context.window_seconds) + FLUSH_SECONDS
    window = {"arrived": starts + WAITS_AT_MOST_SECONDS, "starts": starts, "ends": FLUSH_SECONDS}
    try:
        rows = context.rows(log_table.composed(context, SQL, REMEDY), Table, **window)
    except (AccessDenied, Unsupported, TimedOut, QueryFailed) as error:
        return Reading(note=error.message)
    return Reading(without_values(rows, "last_exception"))


def payload(table: Table) -> dict[str, Any]:
    return {**asdict(table), "last_failed_at": iso(table.last_failed_at or None)}
