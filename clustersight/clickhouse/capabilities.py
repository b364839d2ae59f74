"""What a server is and can: version, columns of its system tables, and what our user may do.

Read once per server and again after a restart or an upgrade. Sources: system.columns (4 ms; needs no
grant, but leaves out the tables that we may not read), system.tables, system.settings, CHECK GRANT (24.10+).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from clustersight.clickhouse.connection import Result
from clustersight.clickhouse.errors import AccessDenied, QueryFailed, Unsupported
from clustersight.clickhouse.sql import Has

SQL_SERVER = "SELECT version(), uptime(), hostName()"
SQL_COLUMNS = """
SELECT table, groupArray(name) FROM system.columns WHERE database = 'system' GROUP BY table ORDER BY table
"""
SQL_TABLES = "SELECT name FROM system.tables WHERE database = 'system' ORDER BY name"
SQL_READONLY = "SELECT value FROM system.settings WHERE name = 'readonly'"
SQL_CHECK_GRANT = "CHECK GRANT SHOW TABLES ON *.*"
# Tables that hide the rows of tables which the user may not SHOW, without an error (ClickHouse#35239).
SQL_VISIBLE = """
SELECT countIf(database != 'system'), count() FROM system.tables WHERE engine LIKE '%MergeTree'
"""
SQL_PARTS_ACTIVE = "SELECT value FROM system.metrics WHERE metric = 'PartsActive'"

# Every version has it and everyone may read it: where even its name is hidden, the others' are too.
ALWAYS_THERE = "one"

Query = Callable[[str], Result]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`sees_tables` is None where it cannot be known; `uptime_seconds` is that of the reading.

    `tables` are the system tables known by name; `hides_tables`: there may be more of them.
    """

    version: str
    hostname: str
    uptime_seconds: int
    readonly: int
    sees_tables: bool | None
    columns: Mapping[str, frozenset[str]] = field(repr=False)
    tables: frozenset[str] = field(default=frozenset(), repr=False)
    hides_tables: bool = False

    @property
    def version_tuple(self) -> tuple[int, ...]:
        """(26, 9, 2, 1): for the rare case in which a version says more than a column."""
        return tuple(int(n) for n in re.findall(r"\d+", self.version)[:4])

    @property
    def takes_settings(self) -> bool:
        """Whether a query may carry limits: readonly = 1 refuses every setting (ClickHouse#3974)."""
        return self.readonly != 1

    def has(self, name: str) -> bool:
        """Whether the system table `name` exists, or the column `table.column`.

        A table that may be hidden from us counts as there: only a query tells a missing GRANT from a
        missing table. Its columns count as missing.
        """
        table, _, column = name.partition(".")
        if column:
            return column in self.columns.get(table, ())
        return self.hides_tables or table in self.columns or table in self.tables

    def has_beside(self, main: str) -> Has:
        """`has` for SQL in which a bare name is a column of the table `main`."""
        return lambda name: self.has(name if "." in name else f"{main}.{name}")


def read(query: Query) -> Capabilities:
    """Ask a server. The queries carry no settings, since nothing is known of it yet."""
    version, uptime, hostname = query(SQL_SERVER).rows[0]
    columns = {table: frozenset(names) for table, names in query(SQL_COLUMNS).rows}
    tables = frozenset(columns) | {name for (name,) in query(SQL_TABLES).rows}
    return Capabilities(
        version=version,
        hostname=hostname,
        uptime_seconds=int(uptime),
        readonly=_readonly(query),
        sees_tables=_sees_tables(query),
        columns=columns,
        tables=tables,
        hides_tables=ALWAYS_THERE not in tables,
    )


def _readonly(query: Query) -> int:
    rows = query(SQL_READONLY).rows
    return int(rows[0][0]) if rows else 0


def _sees_tables(query: Query) -> bool | None:
    try:
        return bool(query(SQL_CHECK_GRANT).rows[0][0])
    except (QueryFailed, Unsupported, AccessDenied, IndexError):
        return _sees_parts(query)  # a server before 24.10 does not know CHECK GRANT


def _sees_parts(query: Query) -> bool | None:
    try:
        parts = query(SQL_PARTS_ACTIVE).rows
        visible = query(SQL_VISIBLE).rows
    except (AccessDenied, Unsupported):
        return None
    if not parts or not parts[0][0]:
        return None
    theirs, all_of_them = visible[0]
    # PartsActive also counts the system's own logs, which we may see without seeing the others.
    return True if theirs else None if all_of_them else False
