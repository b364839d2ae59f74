"""What other processes do to a store: python -m tests.store.programs WHAT ARGUMENTS…

Errors of the store are printed as `Class: message`, and end a program with 1.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from clustersight.store import migrations, revisions, settings
from clustersight.store.database import Database
from clustersight.store.errors import StoreError
from clustersight.store.secrets import key_from_file


def wait_for(go: str) -> None:
    """Wait for a file, so that several programs begin at the same moment."""
    while not Path(go).exists():
        time.sleep(0.001)


def migrate(url: str, go: str) -> None:
    """Migrate, and print from where to where."""
    wait_for(go)
    with Database(url) as database:
        print(*migrations.migrate(database))


def key(folder: str, go: str) -> None:
    """Print the key of a folder."""
    wait_for(go)
    print(key_from_file(Path(folder)))


def write(url: str, name: str, count: str) -> None:
    """Write so many rows, one transaction each; a printed line acknowledges one."""
    with Database(url) as database:
        for number in range(int(count)):
            with database.begin() as db:
                # It reads first, as most do; and two tables: the revision is counted up beside the row.
                revisions.read(db)
                settings.write(db, {f"{name}-{number}": "x" * (number % 3000)}, {}, now=0.0)
            print(f"{name}-{number}", flush=True)


def use(url: str) -> None:
    """Migrate, write and read."""
    with Database(url) as database:
        migrations.migrate(database)
        with database.begin() as db:
            revisions.bump(db)
        with database.read() as db:
            print(revisions.read(db))


def fork(url: str) -> None:
    """Print the number of connections that parent and child used for a transaction each."""
    with Database(url) as database:
        used = {connection_of(database)}
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.write(writing, connection_of(database).encode())
            os._exit(0)
        os.wait()
        used.add(os.read(reading, 100).decode())
        used.add(connection_of(database))
        print(len(used))


def connection_of(database: Database) -> str:
    with database.begin() as db:
        revisions.bump(db)
        if not database.is_sqlite:
            return str(db.execute(text("SELECT pg_backend_pid()")).scalar())
        # A temporary table lives as long as its connection, and only there.
        db.execute(text("CREATE TEMP TABLE IF NOT EXISTS mine AS SELECT hex(randomblob(8)) AS name"))
        return str(db.execute(text("SELECT name FROM mine")).scalar())


PROGRAMS: dict[str, Callable[..., None]] = {
    function.__name__: function for function in (migrate, key, write, use, fork)
}

if __name__ == "__main__":
    try:
        PROGRAMS[sys.argv[1]](*sys.argv[2:])
    except StoreError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
