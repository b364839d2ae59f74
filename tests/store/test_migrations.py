"""The schema's history: the same end from every beginning, once, and never over what is not ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, insert, inspect, select, text
from sqlalchemy.engine.interfaces import ReflectedIndex

from clustersight.store import migrations
from clustersight.store.database import Database
from clustersight.store.errors import StoreError, WrongVersion
from clustersight.store.schema import clusters, series
from clustersight.store.tables import metadata
from tests.store.conftest import Program

FIRST = "0001"
CLUSTER = {
    "id": "cl_0123456789ab",
    "name": "production",
    "host": "ch1",
    "port": 8123,
    "managed_by": "api",
    "settings_json": "{}",
    "created_at": 1.5,
    "updated_at": 1.5,
}


@pytest.fixture
def new(new_url: str) -> Callable[[], Database]:
    return lambda: Database(new_url)


def upgrade(database: Database, revision: str) -> None:
    """Make a database of an older release."""
    if database.file is not None:
        migrations.sqlite_file.create(database.file)
    with database.begin() as db:
        command.upgrade(migrations._config(db), revision)


def differences(db: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": False}
    found: list[object] = compare_metadata(MigrationContext.configure(db, opts=options), metadata)
    return found


def tables(db: Connection) -> dict[str, object]:
    """Everything about every table that the database tells."""
    there = inspect(db)
    return {
        name: (
            sorted((c["name"], str(c["type"]), c["nullable"]) for c in there.get_columns(name)),
            there.get_pk_constraint(name),
            sorted(map(index, there.get_indexes(name))),
            sorted(map(str, there.get_foreign_keys(name))),
            sorted(map(str, there.get_unique_constraints(name))),
            # PostgreSQL writes the same condition in its own words.
            sorted(str(c["name"]) for c in there.get_check_constraints(name)),
        )
        for name in there.get_table_names()
        if name != "alembic_version"
    }


def index(found: ReflectedIndex) -> str:
    condition = found.get("dialect_options", {}).get("sqlite_where", "")
    return f"{found['name']} {found['column_names']} {found['unique']} {condition}"


def test_the_migrations_make_the_schema(database: Database) -> None:
    with database.read() as db:
        assert differences(db) == []


def test_each_constraint_and_index_too(database: Database, another: Callable[[], Database]) -> None:
    """What Alembic does not compare: made by the migrations, and made from the schema at once."""
    with database.read() as db:
        migrated = tables(db)
    with another().begin() as db:
        for name in (*metadata.tables, "alembic_version"):
            db.execute(text(f"DROP TABLE {name}" + ("" if database.is_sqlite else " CASCADE")))
        metadata.create_all(db)
        assert tables(db) == migrated


def test_a_new_database(new: Callable[[], Database]) -> None:
    with new() as database:
        newest = migrations.newest()
        assert migrations.revision(database) is None
        assert migrations.migrate(database) == (None, newest)
        assert migrations.migrate(database) == (newest, newest)
        assert migrations.revision(database) == newest
        migrations.require_current(database)


def test_asking_makes_nothing(new: Callable[[], Database], tmp_path: Path) -> None:
    with new() as database:
        assert migrations.revision(database) is None
        with pytest.raises(WrongVersion, match="clustersight store migrate"):
            migrations.require_current(database)
        if not database.is_sqlite:
            with database.read() as db:
                assert inspect(db).get_table_names() == []
    assert list(tmp_path.glob("*.db*")) == []


def test_an_older_one_keeps_its_data(new: Callable[[], Database]) -> None:
    with new() as database:
        upgrade(database, FIRST)
        with database.begin() as db:
            db.execute(insert(clusters).values(CLUSTER))
        with pytest.raises(WrongVersion, match=f"{FIRST}.*store migrate"):
            migrations.require_current(database)

        assert migrations.migrate(database) == (FIRST, migrations.newest())
        with database.begin() as db:
            assert db.execute(select(clusters.c.name, clusters.c.created_at)).all() == [("production", 1.5)]
            # The new tables hang on the old ones.
            row = {"cluster_id": CLUSTER["id"], "host": "", "panel": "p", "metric": "m", "labels_json": "{}"}
            db.execute(insert(series).values(**row, created_at=1))
            db.execute(clusters.delete())
            assert db.execute(select(series)).all() == []
            assert differences(db) == []


def test_the_steps_between() -> None:
    everything = migrations.pending(None)
    assert everything[0][0] == FIRST
    assert everything[-1][0] == migrations.newest()
    assert all(brings.endswith(".") for _, brings in everything)
    assert migrations.pending(FIRST) == everything[1:]
    assert migrations.pending(migrations.newest()) == []


@pytest.mark.parametrize("use", [migrations.migrate, migrations.require_current, migrations.revision])
def test_a_newer_one_is_refused(database: Database, use: Callable[[Database], object]) -> None:
    with database.begin() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(WrongVersion, match=r"newer release \(schema 9999.*install that release") as caught:
        use(database)
    assert "\n" not in str(caught.value)
    with database.read() as db:
        assert migrations.current(db) == "9999"


def test_another_programs_database_is_left_alone(new: Callable[[], Database]) -> None:
    with new() as database:
        if database.file is not None:
            migrations.sqlite_file.create(database.file)
        with database.begin() as db:
            db.execute(text("CREATE TABLE dashboards (id INTEGER PRIMARY KEY)"))
        with pytest.raises(WrongVersion, match=r"'dashboards'.*a database of its own"):
            migrations.migrate(database)
        with database.read() as db:
            assert inspect(db).get_table_names() == ["dashboards"]


def test_a_step_that_fails_leaves_nothing(new: Callable[[], Database]) -> None:
    with new() as database:
        upgrade(database, FIRST)
        with database.begin() as db:
            # In the way of the second step, which makes it last.
            db.execute(text("CREATE TABLE series (id INTEGER PRIMARY KEY)"))
            before = sorted(inspect(db).get_table_names())
        with pytest.raises(StoreError):
            migrations.migrate(database)
        with database.read() as db:
            assert migrations.current(db) == FIRST
            assert sorted(inspect(db).get_table_names()) == before


def test_processes_that_start_at_once(new_url: str, tmp_path: Path, start: Callable[..., Program]) -> None:
    go = tmp_path / "go"
    programs = [start("migrate", new_url, go) for _ in range(4)]
    go.touch()
    ended = [program.wait() for program in programs]

    assert [(one.code, one.errors) for one in ended] == [(0, "")] * 4
    newest = migrations.newest()
    # One did it, the others found it done.
    assert sorted(one.output for one in ended) == [f"{newest} {newest}\n"] * 3 + [f"None {newest}\n"]
