"""The logs of ClickHouse that exist only after something was written to them, often after we first looked."""

from __future__ import annotations

from clustersight.clickhouse.errors import Unsupported
from clustersight.clickhouse.sql import compose, main_table
from clustersight.panels.panel import Context

# The log is written every 7.5 s; what happened later may be missing from it.
FLUSH_SECONDS = 10
SQL_COLUMNS = """
SELECT name FROM system.columns WHERE database = 'system' AND table = %(log)s ORDER BY name LIMIT 1000
"""


def composed(context: Context, sql: str, remedy: str) -> str:
    """SQL on a log for the columns that it has now; `remedy` says how it comes to be. Raises Unsupported."""
    log = main_table(sql)
    if context.has(log):
        return sql
    # It was not there when the server's tables were read: it may have been made since.
    names = {name for (name,) in context.query(SQL_COLUMNS, log=log).rows}
    if not names:
        raise Unsupported(f"system.{log} does not exist: {remedy}")
    return compose(sql, names.__contains__)
