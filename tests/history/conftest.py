"""A migrated, empty database for each test, in turn on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from clustersight.store import migrations
from clustersight.store.database import DATABASE_FILE, Database, sqlite_url
from tests.servers.postgresql import PostgreSQL
from tests.store.conftest import KINDS, _of_postgresql

# Of this folder's own: fixtures of a session are made once for each conftest that names them.
TEMPLATE = "migrated_for_history"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema."""
    folder = tmp_path_factory.mktemp("migrated")
    with Database(sqlite_url(folder)) as database:
        migrations.migrate(database)
    return folder / DATABASE_FILE


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: PostgreSQL) -> PostgreSQL:
    """The server, with a database named TEMPLATE that has the schema."""
    with Database(postgresql.database(TEMPLATE)) as database:
        migrations.migrate(database)
    return postgresql


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Each kind in turn."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_database")
        return
    for url in _of_postgresql(request.getfixturevalue("migrated_postgresql"), TEMPLATE):
        with Database(url) as database:
            yield database


@pytest.fixture
def sqlite_database(migrated_file: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty database in `tmp_path`."""
    shutil.copy(migrated_file, tmp_path / DATABASE_FILE)
    with Database(sqlite_url(tmp_path)) as database:
        yield database
