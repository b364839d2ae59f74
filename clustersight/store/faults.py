"""What a driver's error means: SQLAlchemy's exceptions -> the tree of errors.py."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from clustersight.store.errors import Conflict, Corrupt, Full, StoreError, Unavailable, WrongVersion

_Fault = tuple[type[StoreError], str]
_TAKEN: _Fault = (Conflict, "something with this name or address is there already")
_DANGLING: _Fault = (StoreError, "what this belongs to is gone")
_NO_SPACE: _Fault = (Full, "there is no space left on the disk; free some")
_TABLE_MISSING: _Fault = (WrongVersion, "a table or column is missing; run `clustersight store migrate`")

_SQLITE: dict[int, _Fault] = {
    sqlite3.SQLITE_FULL: _NO_SPACE,
    sqlite3.SQLITE_CORRUPT: (
        Corrupt,
        "the file is damaged; restore a backup (`clustersight store backup` makes one)",
    ),
    sqlite3.SQLITE_NOTADB: (Corrupt, "the file is not a database; move it away or restore a backup"),
    sqlite3.SQLITE_READONLY: (
        Unavailable,
        "it may not be written; check owner and mode of it, of -wal and -shm beside it, and of the folder",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        Unavailable,
        "it cannot be opened; check that the file is there, and that it and its folder may be written",
    ),
    sqlite3.SQLITE_BUSY: (Unavailable, "another process holds it for too long"),
    sqlite3.SQLITE_IOERR: (Unavailable, "the disk gives an input/output error"),
    # A memory map of the log's index could not grow: on a full disk this comes before SQLITE_FULL.
    sqlite3.SQLITE_IOERR_SHMSIZE: _NO_SPACE,
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: _TAKEN,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: _TAKEN,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: _DANGLING,
}
# SQLSTATE of PostgreSQL (its documentation, appendix A).
_POSTGRES: dict[str, _Fault] = {
    "23503": _DANGLING,
    "23505": _TAKEN,
    "25006": (Unavailable, "the server only reads, as a standby does; point store.url to the primary"),
    "40001": (Unavailable, "another transaction was in the way; try again"),
    "40P01": (Unavailable, "another transaction was in the way; try again"),
    "42501": (Unavailable, "the user may not do that; GRANT it, or make the user the owner"),
    "42703": _TABLE_MISSING,
    "42P01": _TABLE_MISSING,
    "53100": (Full, "there is no space left on the server's disk; free some"),
    "57014": (Unavailable, "a query took too long"),
    "57P01": (Unavailable, "the server is being stopped"),
    "XX001": (Corrupt, "data is damaged; restore a backup"),
    "XX002": (Corrupt, "an index is damaged; REINDEX the database"),
}
# A connection that fails has no SQLSTATE, only libpq's text.
_CONNECTING: dict[str, str] = {
    "password authentication failed": "the user or the password is wrong; check store.url",
    "no password supplied": "the server wants a password; add it to store.url",
    "no pg_hba.conf entry": "the server does not let this user in from here; see its pg_hba.conf",
    "Connection refused": "nobody listens there; is the server running, and is the port right?",
    "failed to resolve host": "there is no host of this name; check store.url",
    "timeout expired": "the server does not answer; check host and port, and the firewall",
    "too many clients": "the server has no connection left; raise its max_connections",
    "remaining connection slots": "the server has no connection left; raise its max_connections",
    "server closed the connection": "the server closed the connection",
}
# Classes of SQLSTATE whose texts repeat values: data exceptions and violated constraints.
_TELLING = ("22", "23")


def store_error(error: SQLAlchemyError, place: str) -> StoreError:
    """The error of our tree, without the statement, its values and the password of the URL."""
    original = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(original, sqlite3.Error):
        kind, reason = of_sqlite(original)
    elif original is not None:
        kind, reason = _of_postgresql(original, error)
    elif isinstance(error, PoolTimeout):
        kind, reason = Unavailable, "all connections are busy"
    else:
        kind, reason = Unavailable, type(error).__name__
    # A conflict is told to whoever asked over the API: where the store lies is none of their business.
    return kind(reason if kind is Conflict else f"the store {place}: {reason}")


def of_sqlite(error: sqlite3.Error) -> tuple[type[StoreError], str]:
    """The class and the reason, without a place."""
    code = int(getattr(error, "sqlite_errorcode", 0) or 0)
    if code == sqlite3.SQLITE_ERROR and str(error).startswith(("no such table", "no such column")):
        return _TABLE_MISSING
    if str(error).startswith("Could not decode to UTF-8"):  # by the driver, which goes on with the text
        return _SQLITE[sqlite3.SQLITE_CORRUPT]
    # The low byte is the primary code; the rest says in which way.
    unknown = (_unknown(error), _first_line(error))
    return _SQLITE.get(code) or _SQLITE.get(code & 0xFF, unknown)


def _of_postgresql(error: BaseException, wrapped: SQLAlchemyError) -> _Fault:
    state = getattr(error, "sqlstate", None) or ""
    line = _first_line(error)
    if state in _POSTGRES:
        return _POSTGRES[state]
    if state.startswith(_TELLING):
        return StoreError, f"it refuses a value ({type(error).__name__})"
    if 'FATAL:  database "' in line and line.endswith("does not exist"):
        return Unavailable, "there is no such database; create it"
    for text, reason in _CONNECTING.items():
        if text in line:
            return Unavailable, reason
    return _unknown(wrapped), line


def _unknown(error: BaseException) -> type[StoreError]:
    """What the same call would bring again is no matter of trying later."""
    ours = (IntegrityError, DataError, sqlite3.IntegrityError, sqlite3.DataError)
    return StoreError if isinstance(error, ours) else Unavailable


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
