"""The state database: opened, and used in transactions that fail with one clear error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, SQLAlchemyError

from clustersight.store.errors import StoreError, Unavailable
from clustersight.store.faults import store_error
from clustersight.store.sqlite_file import connect, prepare

# Who only passes a transaction on needs no other name of SQLAlchemy.
__all__ = ["DATABASE_FILE", "Connection", "Database", "sqlite_url"]

DATABASE_FILE = "clustersight.db"
CONNECT_SECONDS = 5
# What a query may take on PostgreSQL before it is given up; whoever does maintenance is patient.
STATEMENT_SECONDS = 30
# A server that is gone without a word is noticed after 25 s, one that takes nothing after 30.
_KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_WRITES = "clustersight_writes"
_EXAMPLE = "postgresql+psycopg://user:password@host:5432/database"


def sqlite_url(folder: Path) -> str:
    """The default: a file in `data_dir`."""
    return URL.create("sqlite", database=str(folder / DATABASE_FILE)).render_as_string()


class Database:
    """One engine. Safe between threads, and after a fork. Never makes a database: migrations do."""

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        """Connect to nothing yet. Raises Unavailable for what is no URL of a database."""
        self.url = _parsed(url)
        self._engine = _sqlite(self.url, pool_size) if self.is_sqlite else _postgresql(self.url, pool_size)
        event.listen(self._engine, "connect", _note_process)
        event.listen(self._engine, "checkout", _refuse_inherited)
        event.listen(self._engine, "handle_error", self._unspeakable)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def place(self) -> str:
        """Where it is, for people: without a password, which may stand among the options too."""
        return self.url.set(query={}).render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database."""
        return Path(self.url.database or "") if self.is_sqlite else None

    @contextmanager
    def begin(self, *, patient: bool = False) -> Iterator[Connection]:
        """One writing transaction: committed at the end, or rolled back. Raises StoreError.

        `patient`: no statement is given up for taking long.
        """
        with self._connected(writes=True, patient=patient) as connection:
            yield connection

    @contextmanager
    def read(self, *, patient: bool = False) -> Iterator[Connection]:
        """One transaction that sees one state and cannot write. Raises StoreError."""
        with self._connected(writes=False, patient=patient) as connection:
            yield connection

    @contextmanager
    def _connected(self, *, writes: bool, patient: bool) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                chosen = connection.execution_options(**self._options(writes=writes))
                with chosen.begin():
                    if patient and not self.is_sqlite:
                        chosen.execute(text("SET LOCAL statement_timeout = 0"))
                    yield chosen
        except SQLAlchemyError as error:
            raise store_error(error, self.place) from error

    def _options(self, *, writes: bool) -> dict[str, Any]:
        if self.is_sqlite:
            return {_WRITES: writes}
        if writes:
            return {}
        # The default sees with each statement what others have committed meanwhile.
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

    def _unspeakable(self, context: ExceptionContext) -> StoreError | None:
        """What a driver cannot even send: half a surrogate pair, a number of more than 64 bits."""
        if isinstance(context.original_exception, UnicodeEncodeError | OverflowError):
            return StoreError(f"the store {self.place}: it has no form for a text or number it was given")
        return None

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _parsed(url: str) -> URL:
    # The text may hold a password: no message repeats it.
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise Unavailable(f"store.url is not the URL of a database; it looks like {_EXAMPLE}") from None
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise Unavailable(
            "store.url names no file; four slashes begin an absolute path: sqlite:////var/lib/…"
        )
    return parsed


def _postgresql(url: URL, pool_size: int) -> Engine:
    options = f"-c statement_timeout={STATEMENT_SECONDS * 1000} -c timezone=UTC"
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "options": options,
            "application_name": "clustersight",
            **_KEEPALIVE,
        },
    )


def _sqlite(url: URL, pool_size: int) -> Engine:
    file = Path(url.database or "")
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        creator=lambda: connect(file),
    )
    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that begins by reading and then writes cannot wait for another writer: it fails at
    # once with "database is locked". One that says so at the start queues.
    writes = connection.get_execution_options().get(_WRITES, False)
    # As on PostgreSQL, one that said that it reads may not write.
    connection.exec_driver_sql(f"PRAGMA query_only = {int(not writes)}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _note_process(_connection: Any, record: Any) -> None:
    record.info["pid"] = os.getpid()


def _refuse_inherited(_connection: Any, record: Any, proxy: Any) -> None:
    # Two processes on one connection read each other's answers (SQLAlchemy, "Using Connection Pools with
    # Multiprocessing"): the child drops what it inherited without closing it, and opens its own.
    if record.info["pid"] != os.getpid():
        record.dbapi_connection = proxy.dbapi_connection = None
        raise DisconnectionError("the connection belongs to the parent process")
