"""Counters that say that something changed: whoever follows looks at one small row, not at the tables."""

from __future__ import annotations

from sqlalchemy import Connection, select, text

from clustersight.store.schema import revisions

# Of clusters, settings and silences: what the processes take over within an interval.
CONFIGURATION = "configuration"
# One statement: of two that find no row, neither may write 1 over the other's.
_BUMP = """
    INSERT INTO revisions (name, revision) VALUES (:name, 1)
    ON CONFLICT (name) DO UPDATE SET revision = revisions.revision + 1
    """


def read(db: Connection, name: str = CONFIGURATION) -> int:
    """How often it was changed."""
    return db.execute(select(revisions.c.revision).where(revisions.c.name == name)).scalar() or 0


def bump(db: Connection, name: str = CONFIGURATION) -> None:
    """Say that it is changed in this transaction."""
    db.execute(text(_BUMP), {"name": name})
