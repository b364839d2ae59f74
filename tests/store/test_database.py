"""Transactions, and what goes wrong with a database: the right error, in one line, with a remedy."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from clustersight.store import migrations, revisions, settings
from clustersight.store.database import Database, sqlite_url
from clustersight.store.errors import Conflict, Corrupt, Full, StoreError, Unavailable, WrongVersion
from clustersight.store.schema import clusters, nodes
from tests.servers.postgresql import PASSWORD, PostgreSQL
from tests.store.conftest import Program

Start = Callable[..., Program]
# Root reads and writes what it likes, unless it gives that up.
AS_OTHERS = (
    ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    if os.geteuid() == 0
    else []
)
# What is in a statement or its values must not be in a message.
SECRET = "geheim"


def assert_one_line(error: BaseException) -> None:
    message = str(error)
    assert message
    for forbidden in ("\n", PASSWORD, SECRET, "SELECT", "INSERT", "[SQL", "sqlalche.me"):
        assert forbidden not in message, message


def bump(database: Database) -> None:
    with database.begin() as db:
        revisions.bump(db)


def revision(database: Database) -> int:
    with database.read() as db:
        return revisions.read(db)


def test_a_transaction_is_whole_or_nothing(database: Database) -> None:
    bump(database)
    with pytest.raises(ZeroDivisionError), database.begin() as db:
        _ = (revisions.bump(db), 1 / 0)

    assert revision(database) == 1


def test_a_reader_sees_one_state(database: Database, another: Callable[[], Database]) -> None:
    other = another()
    with database.read() as db:
        before = revisions.read(db)
        bump(other)
        assert revisions.read(db) == before
    assert revision(database) == before + 1


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StoreError) as caught, database.read() as db:
        revisions.bump(db)
    assert_one_line(caught.value)

    # The connection goes back as it was.
    bump(database)
    assert revision(database) == 1


def test_many_writers_wait_for_each_other(database: Database, url: str, start: Start) -> None:
    names, count = ["a", "b", "c", "d"], 40
    programs = [start("write", url, name, count) for name in names]
    ended = [program.wait() for program in programs]

    assert [(one.code, one.errors) for one in ended] == [(0, "")] * len(names)
    with database.read() as db:
        assert len(settings.read(db)) == revisions.read(db) == len(names) * count


def test_a_child_does_not_use_its_parents_connections(url: str, start: Start) -> None:
    ended = start("fork", url).wait()

    assert (ended.output, ended.errors) == ("2\n", "")


CLUSTER = {
    "host": "h",
    "port": 1,
    "managed_by": "api",
    "settings_json": "{}",
    "created_at": 0,
    "updated_at": 0,
}
NODE = {
    "host": SECRET,
    "address_host": "h",
    "address_port": 1,
    "is_configured": True,
    "is_up": True,
    "visited_at": 0,
}


def twice(db: Connection) -> None:
    for identity in ("cl_1", "cl_2"):
        db.execute(clusters.insert().values(id=identity, name=SECRET, **CLUSTER))


def of_nobody(db: Connection) -> None:
    db.execute(nodes.insert().values(cluster_id="cl_nobody", **NODE))


def of_wrong_kind(db: Connection) -> None:
    db.execute(clusters.insert().values(id="cl_1", name=SECRET, **(CLUSTER | {"managed_by": "x"})))


def surrogate(db: Connection) -> None:
    settings.write(db, {f"{SECRET}\ud800": 1}, {}, 0.0)


def huge(db: Connection) -> None:
    db.execute(clusters.insert().values(id="cl_1", name=SECRET, **(CLUSTER | {"port": 2**80})))


def no_table(db: Connection) -> None:
    db.execute(text("DROP TABLE silences"))
    db.execute(text("SELECT id FROM silences"))


@pytest.mark.parametrize(
    ("write", "expected", "reason"),
    [
        (twice, Conflict, "is there already"),
        (of_nobody, StoreError, "is gone"),
        (of_wrong_kind, StoreError, ""),
        (surrogate, StoreError, "no form"),
        (huge, StoreError, ""),
        (no_table, WrongVersion, "store migrate"),
    ],
)
def test_what_cannot_be_written(
    database: Database, write: Callable[[Connection], None], expected: type[StoreError], reason: str
) -> None:
    with pytest.raises(StoreError) as caught, database.begin() as db:
        write(db)

    assert type(caught.value) is expected, caught.value
    assert reason in str(caught.value)
    assert_one_line(caught.value)
    bump(database)


@pytest.mark.parametrize("value", [f"{SECRET}\0", SECRET])
def test_what_postgresql_repeats_or_cannot_hold(postgresql: PostgreSQL, value: str) -> None:
    with Database(postgresql.url("postgres")) as database:
        with pytest.raises(StoreError) as caught, database.begin() as db:
            db.execute(text("SELECT CAST(:value AS integer)"), {"value": value})
        assert type(caught.value) is StoreError
        assert_one_line(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://u:{SECRET}@h:port/db",
        f"{SECRET}",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
    ],
)
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(Unavailable, match=r"store\.url") as caught:
        Database(url)
    assert_one_line(caught.value)


# ── PostgreSQL ──


def refused(url: str, expected: type[StoreError], reason: str) -> None:
    with Database(url) as database:
        with pytest.raises(StoreError) as caught:
            bump(database)
        assert type(caught.value) is expected
        assert reason in str(caught.value)
        assert_one_line(caught.value)


def test_postgresql_that_cannot_be_reached(postgresql: PostgreSQL) -> None:
    url = postgresql.url("postgres")
    refused(postgresql.url("postgres", password=SECRET), Unavailable, "the password is wrong")
    refused(postgresql.url("postgres", user="nobody"), Unavailable, "check store.url")
    refused(postgresql.url("missing"), Unavailable, "there is no such database")
    refused(url.replace(str(postgresql.port), "1"), Unavailable, "nobody listens there")
    refused(url.replace("127.0.0.1", "nosuch.invalid"), Unavailable, "no host of this name")
    refused(f"{url}?sslmode=require", Unavailable, "SSL")
    refused(f"{url}?sslpassword={SECRET}&sslmode=wrong", Unavailable, "sslmode")


def test_postgresql_of_somebody_else(postgresql: PostgreSQL) -> None:
    postgresql.database("foreign")
    try:
        postgresql.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC, pg_database_owner", database="foreign")
        postgresql.execute("GRANT USAGE ON SCHEMA public TO PUBLIC", database="foreign")
        with Database(postgresql.url("foreign")) as database:
            with pytest.raises(Unavailable, match="GRANT") as caught:
                migrations.migrate(database)
            assert_one_line(caught.value)
    finally:
        postgresql.drop("foreign")


def bump_around(database: Database, happening: Callable[[], None]) -> None:
    with database.begin() as db:
        revisions.bump(db)
        happening()
        revisions.bump(db)


def test_postgresql_stops_and_comes_back(migrated_postgresql: PostgreSQL) -> None:
    server = migrated_postgresql
    with Database(server.database("stopping", template="migrated")) as database:
        bump(database)
        for stop in (server.stop, server.kill):
            with pytest.raises(Unavailable) as caught:
                bump_around(database, stop)
            server.start()
            assert_one_line(caught.value)
            assert revision(database) == 1
            # Nobody tells a connection that waits in the pool.
            server.restart()
            assert revision(database) == 1
    server.drop("stopping")


def test_what_takes_long_on_postgresql(postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clustersight.store.database.STATEMENT_SECONDS", 0.2)
    with Database(postgresql.url("postgres")) as database:
        for transaction in (database.begin, database.read):
            with pytest.raises(Unavailable, match="took too long"), transaction() as db:
                db.execute(text("SELECT pg_sleep(10)"))
            with transaction(patient=True) as db:
                db.execute(text("SELECT pg_sleep(0.3)"))


def test_a_standby_only_reads(migrated_postgresql: PostgreSQL) -> None:
    url = migrated_postgresql.database("standby", template="migrated")
    migrated_postgresql.execute("ALTER DATABASE standby SET default_transaction_read_only = on")
    refused(url, Unavailable, "primary")
    migrated_postgresql.drop("standby")


# ── SQLite ──


def test_a_file_is_ours_alone_and_made_with_its_folders(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "clustersight"
    with Database(sqlite_url(folder)) as database:
        migrations.migrate(database)
        bump(database)
        assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
            "clustersight.db": 0o600,
            "clustersight.db-wal": 0o600,
            "clustersight.db-shm": 0o600,
        }
        assert folder.stat().st_mode & 0o777 == 0o700
        with database.read() as db:
            assert db.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert db.execute(text("PRAGMA synchronous")).scalar() == 2
            assert db.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_opening_never_makes_a_database(tmp_path: Path) -> None:
    with Database(sqlite_url(tmp_path)) as database:
        with pytest.raises(Unavailable, match="store migrate"), database.read():
            pass
        assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_removed_meanwhile_does_not_come_back_empty(sqlite_database: Database) -> None:
    bump(sqlite_database)
    sqlite_database.close()
    file = sqlite_database.file
    assert file is not None
    file.unlink()
    with pytest.raises(Unavailable, match="no such file"):
        bump(sqlite_database)
    assert not file.exists()


def spoiled(file: Path) -> dict[str, bytes]:
    whole = file.read_bytes()
    return {
        "text": b"This is a letter, and no database at all.\n" * 200,
        "empty": b"",
        "header": b"\0" * 100 + whole[100:],
        "half a page": whole[:2000],
    }


@pytest.mark.parametrize("how", ["text", "empty", "header", "half a page"])
def test_a_file_that_is_no_database(sqlite_database: Database, how: str) -> None:
    file = sqlite_database.file
    assert file is not None
    content = spoiled(file)[how]
    file.write_bytes(content)

    for attempt in (migrations.migrate, bump, revision):
        with pytest.raises(Corrupt, match="backup") as caught:
            attempt(sqlite_database)
        assert_one_line(caught.value)
    assert file.read_bytes() == content


def test_a_damaged_file(sqlite_database: Database) -> None:
    with sqlite_database.begin() as db:
        settings.write(db, {f"{SECRET}{n}": "x" * 500 for n in range(2000)}, {}, 0.0)
    sqlite_database.close()
    file = sqlite_database.file
    assert file is not None
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(size // 2)
        opened.write(os.urandom(size // 4))

    with pytest.raises(Corrupt, match="restore a backup") as caught, sqlite_database.read() as db:
        settings.read(db)
    assert_one_line(caught.value)


def test_a_log_without_its_database_is_not_applied_to_a_new_one(sqlite_database: Database) -> None:
    file = sqlite_database.file
    assert file is not None
    bump(sqlite_database)
    log = file.with_name(f"{file.name}-wal")
    kept = log.read_bytes()
    sqlite_database.close()
    file.unlink()
    log.write_bytes(kept)

    with pytest.raises(Corrupt, match=r"clustersight\.db-wal is"):
        migrations.migrate(sqlite_database)
    assert not file.exists()


def test_files_and_folders_that_may_not_be_written(sqlite_database: Database, start: Start) -> None:
    file = sqlite_database.file
    assert file is not None
    sqlite_database.close()
    folder = file.parent
    url = sqlite_url(folder)

    def error(wanted: str = url) -> str:
        ended = start("use", wanted, prefix=AS_OTHERS).wait()
        assert ended.code == 1, ended
        assert_one_line(ValueError(ended.errors.rstrip("\n")))
        return ended.errors

    file.chmod(0o400)
    assert "Unavailable: " in (message := error())
    assert "may not be written" in message
    file.chmod(0o000)
    assert "cannot be opened" in error()
    file.chmod(0o600)
    # Made with the mode of the database, and left behind by who could not write to it.
    for name in ("wal", "shm"):
        file.with_name(f"{file.name}-{name}").unlink()
    for mode in (0o500, 0o000):
        folder.chmod(mode)
        assert "Unavailable: " in error()
        assert "Permission denied" in error(sqlite_url(folder / "new")) or mode == 0
        folder.chmod(0o700)
    assert start("use", url, prefix=AS_OTHERS).wait().output == "1\n"


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        Database(sqlite_url(tmp_path / "file")) as database,
        pytest.raises(Unavailable, match="set data_dir"),
    ):
        migrations.migrate(database)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a file system; test_a_file_that_may_not_grow has the same end")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(database: Database) -> int:
    """Write until it fails with Full; returns how many writes succeeded."""
    for written in range(1000):
        try:
            with database.begin() as db:
                settings.write(db, {f"{SECRET}{written}": "x" * 20_000}, {}, 0.0)
        except Full as error:
            assert_one_line(error)
            return written
    pytest.fail("it never got full")


def test_a_full_disk(small_disk: Path) -> None:
    with Database(sqlite_url(small_disk)) as database:
        migrations.migrate(database)
        ballast = small_disk / "ballast"
        ballast.write_bytes(b"x" * 1_000_000)
        written = fill(database)
        assert written > 0
        # What was written can be read, and writing goes on when there is space again.
        with database.read() as db:
            assert len(settings.read(db)) == written
        ballast.unlink()
        bump(database)
        assert revision(database) == written + 1


def test_a_file_that_may_not_grow(sqlite_database: Database) -> None:
    with Database(str(sqlite_database.url), pool_size=1) as database:
        with database.read() as db:
            db.execute(text("PRAGMA max_page_count = 200"))
        written = fill(database)
        with database.read() as db:
            assert len(settings.read(db)) == written


@pytest.mark.parametrize("left", [0, 4096, 8192, 16384, 65536])
def test_a_database_is_not_made_on_a_full_disk(small_disk: Path, left: int) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (2 * 1024 * 1024 - left))
    with Database(sqlite_url(small_disk)) as database:
        with pytest.raises(Full, match="no space") as caught:
            migrations.migrate(database)
        assert_one_line(caught.value)
        # Whatever was begun is no obstacle when there is space again.
        ballast.unlink()
        migrations.migrate(database)
        bump(database)
