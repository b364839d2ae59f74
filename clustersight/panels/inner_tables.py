"""The tables behind views: `.inner_id.<uuid>` says nothing to a person, the name of its view does.

Source: system.tables, asked only when such a table turns up that was not seen before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from clustersight.panels.panel import Context

# Atomic databases name the inner table by the view's UUID; a time series table has one per kind.
_BY_UUID = re.compile(r"^\.inner_id\.(?:(\w+)\.)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$")
_BY_NAME = re.compile(r"^\.inner\.(.+)$", re.DOTALL)
SQL = """
SELECT toString(uuid) AS uuid, name
FROM system.tables
WHERE database IN %(databases)s AND toString(tables.uuid) IN %(uuids)s
ORDER BY uuid
LIMIT 2000
"""
# A few hundred such tables are many; the names of the rest stay as they are.
MOST = 2000

Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class View:
    uuid: str
    name: str


def shown_names(context: Context, tables: Iterable[Name]) -> dict[Name, str]:
    """What to call each table that is the inside of a view, by (database, name). Raises ClickHouseError."""
    inner = {table: found for table in tables if (found := _BY_UUID.match(table[1]))}
    views = _view_names(context, inner) if inner and context.has("tables.uuid") else {}
    shown = {table: _shown(found, views) for table, found in inner.items() if found[2] in views}
    return shown | {table: found[1] for table in tables if (found := _BY_NAME.match(table[1]))}


def _shown(found: re.Match[str], views: dict[str, str]) -> str:
    kind, uuid = found.groups()
    return f"{views[uuid]}.{kind}" if kind else views[uuid]


def _view_names(context: Context, inner: dict[Name, re.Match[str]]) -> dict[str, str]:
    """By UUID; kept, since most collections see the same tables (a renamed view shows after a restart)."""
    known: dict[str, str] = context.memory.setdefault("view_names", {})
    missing = {table: found[2] for table, found in inner.items() if found[2] not in known}
    if missing:
        asked = dict(list(missing.items())[:MOST])
        databases = tuple(sorted({database for database, _ in asked}))
        views = context.rows(SQL, View, databases=databases, uuids=tuple(sorted(asked.values())))
        known.update({view.uuid: view.name for view in views})
    return known
