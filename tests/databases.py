"""A migrated, empty database for each test, on both kinds: a copy of one that was migrated once."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clustersight.store import migrations
from clustersight.store.database import DATABASE_FILE, Database, sqlite_url
from tests.servers.postgresql import PostgreSQL

KINDS = ("sqlite", "postgresql")
TEMPLATE = "migrated"


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
def database_kind(request: pytest.FixtureRequest) -> str:
    """Each kind in turn."""
    return str(request.param)


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path, database_kind: str) -> Iterator[str]:
    """The URL of a database without a schema: a file that is not there yet, or an empty database."""
    if database_kind == "sqlite":
        yield sqlite_url(tmp_path)
        return
    yield from of_postgresql(request.getfixturevalue("postgresql"), "template1")


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path, database_kind: str) -> Iterator[str]:
    """The URL of a migrated, empty database."""
    if database_kind == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / DATABASE_FILE)
        yield sqlite_url(tmp_path)
        return
    yield from of_postgresql(request.getfixturevalue("migrated_postgresql"), TEMPLATE)


def of_postgresql(server: PostgreSQL, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield server.database(name, template=template)
    server.drop(name)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A migrated, empty database, in turn on SQLite and on PostgreSQL."""
    with Database(url) as database:
        yield database


@pytest.fixture
def sqlite_database(migrated_file: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated, empty database in `tmp_path`."""
    shutil.copy(migrated_file, tmp_path / DATABASE_FILE)
    with Database(sqlite_url(tmp_path)) as database:
        yield database


@pytest.fixture
def another(database: Database) -> Iterator[Callable[[], Database]]:
    """A function that opens the test's database once more, as another process would."""
    opened: list[Database] = []

    def open_again() -> Database:
        opened.append(Database(database.url.render_as_string(hide_password=False)))
        return opened[-1]

    yield open_again
    for one in opened:
        one.close()
