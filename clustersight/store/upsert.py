"""INSERT … ON CONFLICT DO UPDATE, which SQLite and PostgreSQL spell alike and SQLAlchemy in two modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    db: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, keep: Sequence[str] = ()
) -> None:
    """Insert rows that all have the same keys; where the primary key is there, update all but `keep`."""
    if not rows:
        return
    insert = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
    identity = [column.name for column in table.primary_key]
    statement = insert(table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in {*identity, *keep}}
    db.execute(
        statement.on_conflict_do_update(index_elements=identity, set_=changed)
        if changed
        else statement.on_conflict_do_nothing(index_elements=identity),
        [{name: _storable(value) for name, value in row.items()} for row in rows],
    )


def _storable(value: Any) -> Any:
    # PostgreSQL has no NUL in a text; a server's exception may hold one.
    return value.replace("\x00", "\\x00") if isinstance(value, str) else value
