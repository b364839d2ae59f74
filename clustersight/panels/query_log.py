"""What the log says of the queries that ended within a window: system.query_log.

The table exists only after the first logged query, often later than we first saw the server; the
users' own profile decides whether it is written at all (`log_queries`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from clustersight.clickhouse.errors import AccessDenied, QueryFailed, TimedOut, Unsupported
from clustersight.panels import log_table
from clustersight.panels.log_table import FLUSH_SECONDS
from clustersight.panels.panel import Context

# A quantile of fewer queries is one query's time.
QUANTILES_NEED = 20
# A share of fewer queries says nothing.
SHARE_NEEDS = 50
QUANTILES = ("0.5", "0.95", "0.99")
# Failures for which the server is to blame; all others are the users' (names checked on 26.9).
SERVER_FAULTS = (
    3, 33, 40, 49, 74, 75, 173, 198, 202, 203, 209, 210, 225, 226, 228, 231, 232, 234, 242, 243, 246, 252,
    279, 285, 286, 289, 319, 341, 369, 415, 439, 499, 519, 574, 588, 692, 722, 740, 745, 999,
)  # fmt: skip

# type is UInt8 on 18.16 and Enum8 later: 2 is the end of a query, 3 and 4 are exceptions.
SQL = """
SELECT
    toUnixTimestamp(now()) AS read_at,
    countIf(type = 2) AS finished,
    countIf(type = 2 AND is_select) AS selects,
    quantilesTDigestIf(0.5, 0.95, 0.99)(query_duration_ms / 1000, type = 2 AND is_select) AS seconds,
    countIf(type IN (3, 4)) AS failed,
    countIf(type IN (3, 4) AND error_code IN %(server_faults)s) AS server_faults
FROM
(
    SELECT
        type,
        query_duration_ms,
        {{query_kind ? query_kind = 'Select' : match(query, '(?i)^\\\\s*(select|with)\\\\b')}} AS is_select,
        {{exception_code ? exception_code
          : toInt32OrZero(extract(exception, '^Code: ([0-9]+)'))}} AS error_code
    FROM system.query_log
    WHERE event_date >= toDate(now() - %(starts)s)
      AND event_time >= now() - %(starts)s AND event_time < now() - %(ends)s
      AND type IN (2, 3, 4) AND is_initial_query AND user != %(own)s {{is_internal ? AND NOT is_internal}}
)
"""
REMEDY = "no query has been logged yet"


@dataclass(frozen=True, slots=True)
class Row:
    """One window; `read_at` in epoch seconds, `seconds` are the QUANTILES of SELECTs, nan of none."""

    read_at: int
    finished: int
    selects: int
    seconds: Sequence[float]
    failed: int
    server_faults: int

    @property
    def quantiles(self) -> dict[str, float]:
        """Seconds by quantile; empty where there were too few SELECTs."""
        if self.selects < QUANTILES_NEED:
            return {}
        known = zip(QUANTILES, self.seconds, strict=True)
        return {quantile: value for quantile, value in known if not math.isnan(value)}

    @property
    def server_fault_ratio(self) -> float | None:
        """Share of all queries that failed by the server's fault; None where there were too few."""
        ended = self.finished + self.failed
        return self.server_faults / ended if ended >= SHARE_NEEDS else None


@dataclass(frozen=True, slots=True)
class Reading:
    """The window, or why there is none in one line for a person."""

    row: Row | None = None
    note: str = ""


def read(context: Context) -> Reading:
    """The last window of `context.window_seconds`; whatever is wrong with the log stays in the log."""
    try:
        return Reading(_read(context))
    except (AccessDenied, Unsupported, TimedOut, QueryFailed) as error:
        return Reading(note=error.message)


def _read(context: Context) -> Row:
    values = {
        "starts": math.ceil(context.window_seconds) + FLUSH_SECONDS,
        "ends": FLUSH_SECONDS,
        "server_faults": SERVER_FAULTS,
        "own": context.username,
    }
    return context.rows(log_table.composed(context, SQL, REMEDY), Row, **values)[0]
