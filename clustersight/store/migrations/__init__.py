"""The schema's history, run by Alembic under a lock when a process starts.

Numbered files in versions/, in order: a released one is never edited. `new` starts as an empty database.
"""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from clustersight.logs import event
from clustersight.store import sqlite_file
from clustersight.store.database import Database
from clustersight.store.errors import WrongVersion

log = logging.getLogger(__name__)
# It tells each step, and how it feels about transactions; one line of ours says what matters.
logging.getLogger("alembic").setLevel(logging.WARNING)

# Any number that no other program on the same PostgreSQL uses: "ClusterSight" as eight bytes of ASCII.
_LOCK = int.from_bytes(b"ClustrSt")


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def newest() -> str:
    """The revision that this release works with."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def current(db: Connection) -> str | None:
    """The revision of a database; None for an empty one."""
    return MigrationContext.configure(db).get_current_revision()


def migrate(database: Database) -> tuple[str | None, str]:
    """Bring a database to this release's schema; returns the revisions before and after.

    Whole or not at all, and one process at a time: the others wait and then find it done. Raises
    WrongVersion for one that a newer release made, StoreError where it cannot be used.
    """
    head = newest()
    if database.file is not None:
        sqlite_file.create(database.file)
    # A statement may take long here, and waits for the others to end.
    with database.begin(patient=True) as db:
        if not database.is_sqlite:  # on SQLite the writing transaction itself is the lock
            db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        before = current(db)
        refuse_newer(before, database.place)
        if before is None:
            _refuse_strange(db, database.place)
        if before != head:
            command.upgrade(_config(db), "head")
    if before != head:
        event(log, logging.INFO, "store migrated", store=database.place, before=before or "-", after=head)
    return before, head


def revision(database: Database) -> str | None:
    """The revision of a database; None where there is none yet. Makes nothing. Raises StoreError."""
    if database.file is not None and not database.file.exists():
        return None
    with database.read() as db:
        found = current(db)
    refuse_newer(found, database.place)
    return found


def pending(found: str | None) -> list[tuple[str, str]]:
    """The steps from a revision (None: of nothing) to this release's: revision, and what it brings."""
    scripts = ScriptDirectory.from_config(_config()).iterate_revisions("head", found or "base")
    return [(script.revision, str(script.doc)) for script in reversed(list(scripts))]


def require_current(database: Database) -> None:
    """Raise WrongVersion unless the schema is this release's."""
    found = revision(database)
    if found != newest():
        raise WrongVersion(
            f"{database.place} has the schema {found or 'of nothing'}; run `clustersight store migrate`"
        )


def refuse_newer(revision: str | None, place: str) -> None:
    """Raise WrongVersion for a revision that this release does not know."""
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise WrongVersion(
            f"{place} was made by a newer release (schema {revision}, this one knows {newest()});"
            " install that release, or restore a backup from before"
        )


def _refuse_strange(db: Connection, place: str) -> None:
    """Never move in with another program: its tables may be called like ours."""
    names = inspect(db).get_table_names()
    if names:
        raise WrongVersion(
            f"{place} is another program's: it has a table named {min(names)!r};"
            " give ClusterSight a database of its own"
        )
