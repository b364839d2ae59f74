"""The file of a SQLite database: made whole or not at all, and never by merely opening it."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from clustersight.store.errors import Corrupt, Full, Unavailable
from clustersight.store.faults import of_sqlite
from clustersight.store.whole_file import whole_file

# Writers of three processes queue for the file; a transaction of ours takes milliseconds, so whoever
# waits for this long waits for something that hangs.
BUSY_SECONDS = 30.0
# What `file` and people see in the header: "ClSi".
_APPLICATION = int.from_bytes(b"ClSi")


def create(file: Path) -> None:
    """Make an empty database, unless there is one; mode 0600, folders 0700. Raises StoreError."""
    try:
        if file.exists():
            return
        _refuse_leftover(file)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create(file)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise Full(f"the store {file} cannot be made: there is no space left on the disk") from None
        raise Unavailable(
            f"the store {file} cannot be made: {error.strerror};"
            " set data_dir to a folder that this user may write"
        ) from None


def _refuse_leftover(file: Path) -> None:
    # SQLite would apply the log of the old database to the new one.
    log = file.with_name(f"{file.name}-wal")
    if log.exists() and log.stat().st_size:
        raise Corrupt(
            f"the store {file} is not there, but its write-ahead log {log.name} is: put the file back beside"
            " it, or restore a backup, or remove both to begin anew"
        )


def _create(file: Path) -> None:
    try:
        with whole_file(file, replaces=False) as unfinished:
            _begin(unfinished)
    except sqlite3.Error as error:
        kind, reason = of_sqlite(error)
        raise kind(f"the store {file} cannot be made: {reason}") from None


def _begin(empty: Path) -> None:
    with contextlib.closing(sqlite3.connect(empty)) as connection:
        # The first page is written with it: a file of no bytes is never a beginning (see _require).
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        # Readers and a writer at once. It stays in the file, and so it is never switched under load.
        connection.execute("PRAGMA journal_mode = WAL").fetchall()


def connect(file: Path) -> sqlite3.Connection:
    """A connection to a database that is there. Raises StoreError where there is none, else sqlite3.Error."""
    with contextlib.suppress(PermissionError):  # SQLite says that in its way
        _require(file)
    return sqlite3.connect(
        f"file:{quote(str(file))}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        # The pool hands a connection to one thread at a time.
        check_same_thread=False,
        # The driver must not begin transactions by itself: we say which kind (SQLAlchemy, "pysqlite").
        isolation_level=None,
    )


def prepare(connection: Any, _record: Any) -> None:
    """What SQLite forgets with each connection."""
    cursor = connection.cursor()
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        # A copy that was made otherwise. Not while another one uses it: then the next connection does.
        with contextlib.suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA journal_mode = WAL")
    # Each commit reaches the disk: an answered acknowledge survives also the loss of power.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA temp_store = MEMORY")
    # Give back the space of a write-ahead log that once grew.
    cursor.execute("PRAGMA journal_size_limit = 67108864")
    cursor.close()


def _require(file: Path) -> None:
    try:
        size = file.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        raise Unavailable(
            f"the store {file}: there is no such file; the processes make it when they start, and so does"
            " `clustersight store migrate`"
        ) from None
    if size == 0:
        # SQLite takes it for a new database; ours never is, also not at its beginning.
        raise Corrupt(f"the store {file}: the file is empty; restore a backup, or remove it to begin anew")
