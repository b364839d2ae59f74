"""Which rows of system.tables a panel may read: conditions that keep it cheap and free of surprises."""

from __future__ import annotations

from clustersight.clickhouse.sql import literal

# Databases of engines such as PostgreSQL or a data lake are read from the remote side, table by table.
LOCAL = (
    "database IN (SELECT name FROM system.databases WHERE {{databases.is_external ? NOT is_external"
    " : engine IN ('Ordinary', 'Atomic', 'Replicated', 'Shared', 'Memory', 'Lazy', 'Overlay')}})"
)
# Tables that live for one statement: sessions' own, the new half of CREATE OR REPLACE, of a refresh.
TEMPORARY_DATABASES = ("", "_temporary_and_external_tables")
TEMPORARY_NAME = r"^(_tmp_replace_|\.tmp)"
NOT_TEMPORARY = (
    f"database NOT IN ('', '_temporary_and_external_tables') AND NOT match(name, {literal(TEMPORARY_NAME)})"
)


def restricted(sql: str) -> str:
    """SQL on system.tables with both conditions in place of `{local}` and `{not_temporary}`."""
    return sql.replace("{local}", LOCAL).replace("{not_temporary}", NOT_TEMPORARY)
