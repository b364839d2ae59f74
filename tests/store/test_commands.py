"""`clustersight store check|backup|migrate|rekey` on real stores of both kinds."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from clustersight.cli import main
from clustersight.store import leases, migrations, settings
from clustersight.store.database import DATABASE_FILE, Database, sqlite_url
from clustersight.store.schema import clusters, metadata
from clustersight.store.secrets import KEY_FILE, SecretBox
from tests.databases import TEMPLATE
from tests.servers.postgresql import PASSWORD, PostgreSQL
from tests.servers.process import wait_until
from tests.store.conftest import Program

Run = Callable[..., Result]
OLD = "the old key, long enough for everybody"
NEW = "the new key, long enough for everybody"
SECRETS = {"slack_webhook_url": "https://hooks.slack.com/services/T/B/X", "token": "pässwörd"}


@pytest.fixture
def run(tmp_path: Path, database_kind: str, url: str) -> Run:
    """A function that runs `clustersight store …` on the test's store; the key stands in a file."""
    (tmp_path / "old.key").write_text(OLD)
    store = {"secret_key_file": str(tmp_path / "old.key")} | (
        {} if database_kind == "sqlite" else {"url": url}
    )
    config = tmp_path / "clustersight.yaml"
    config.write_text(json.dumps({"data_dir": str(tmp_path), "store": store}))

    def invoke(command: str, *arguments: object) -> Result:
        result = CliRunner().invoke(main, ["store", command, "--config", str(config), *map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        for secret in (OLD, NEW, PASSWORD, *SECRETS.values()):
            assert secret not in result.output
        return result

    return invoke


def refused(result: Result, message: str, code: int = 1) -> None:
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def put_secrets(database: Database, key: str = OLD) -> None:
    """One in each encrypted column."""
    box = SecretBox(key)
    with database.begin() as db:
        settings.write(db, {}, {name: box.encrypt(secret) for name, secret in SECRETS.items()}, 1.0)
        row = {"id": "cl_1", "name": "c", "host": "h", "port": 1, "managed_by": "api", "settings_json": "{}"}
        times = {"created_at": 1.0, "updated_at": 1.0}
        db.execute(clusters.insert().values(**row, **times, password_encrypted=box.encrypt("of the cluster")))


def secrets(database: Database, key: str) -> list[str]:
    with database.read() as db:
        tokens = [*settings.read_encrypted(db).values()]
        tokens += db.execute(clusters.select()).mappings().one()["password_encrypted"].split()
    return sorted(SecretBox(key).decrypt(token) for token in tokens)


ALL_SECRETS = sorted([*SECRETS.values(), "of the cluster"])


# ── check ──


def checked(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (0 if document["ok"] else 1)
    assert document["ok"] == (not problems(document))
    return document


def problems(document: dict[str, Any]) -> list[str]:
    return [problem for one in document["checks"] for problem in one["problems"]]


def test_check_of_a_whole_store(database: Database, run: Run, database_kind: str) -> None:
    put_secrets(database)
    document = checked(run("check", "--format", "json"))

    assert document["ok"], document
    assert document["store"] == database.place
    assert document["tables"] == dict.fromkeys(metadata.tables, 0) | {
        "clusters": 1,
        "settings": 2,
        "revisions": 1,
    }
    expected = {"opens", "schema", "secrets", "tables"}
    expected |= {"integrity", "references"} if database_kind == "sqlite" else set()
    assert {one["check"] for one in document["checks"]} == expected

    result = run("check")
    assert result.exit_code == 0
    assert "3 of 3 can be decrypted" in result.stdout
    assert result.stdout.endswith("the store is well\n")


def test_check_changes_nothing(url: str, run: Run, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    run("check")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("DROP TABLE silences", "the table silences is missing"),
        ("ALTER TABLE nodes DROP COLUMN error", "the column error of nodes is missing"),
        ("UPDATE alembic_version SET version_num = '0001'", "run `clustersight store migrate`"),
        ("UPDATE alembic_version SET version_num = '9999'", "newer release"),
        ("DROP TABLE alembic_version", "it is empty"),
    ],
)
def test_check_of_a_schema_that_is_not_ours(database: Database, run: Run, change: str, problem: str) -> None:
    with database.begin() as db:
        db.execute(text(change))
    document = checked(run("check", "--format", "json"))

    assert [problem in one for one in problems(document)] == [True]


def test_check_of_secrets_under_another_key(database: Database, run: Run) -> None:
    put_secrets(database, NEW)
    result = run("check")

    assert result.exit_code == 1
    assert "password_encrypted of clusters cl_1 cannot be decrypted" in result.stdout
    assert "value_encrypted of settings token cannot be decrypted" in result.stdout
    assert result.stdout.endswith("the store has problems\n")


def test_check_of_a_damaged_file(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.begin() as db:
        settings.write(db, {f"k{n}": "x" * 500 for n in range(2000)}, {}, 0.0)
    sqlite_database.close()
    file = tmp_path / DATABASE_FILE
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        opened.write(os.urandom(100_000))
    document = checked(run_in(tmp_path, "check", "--format", "json"))

    assert "restore a backup" in " ".join(problems(document))
    assert not any("\n" in problem for problem in problems(document))
    file.write_bytes(file.read_bytes()[:100_000])
    assert not checked(run_in(tmp_path, "check", "--format", "json"))["ok"]
    file.write_text("a letter")
    result = run_in(tmp_path, "check")
    assert result.exit_code == 1
    assert "not a database" in result.stdout


def test_check_of_rows_without_owner(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / DATABASE_FILE) as connection:
        connection.execute("INSERT INTO rule_states VALUES ('ru_1', 'f', '{}', 1)")
    connection.close()
    document = checked(run_in(tmp_path, "check", "--format", "json"))

    assert problems(document) == ["a row of rule_states belongs to none of rules"]


def test_check_of_what_is_not_there(tmp_path: Path, postgresql: PostgreSQL) -> None:
    result = run_in(tmp_path, "check")
    assert result.exit_code == 1
    assert "there is no such file" in result.stdout
    assert list(tmp_path.glob("*.db")) == []

    document = checked(run_in(tmp_path, "check", "--format", "json", url=postgresql.url("missing")))
    assert "there is no such database" in problems(document)[0]


def run_in(folder: Path, *arguments: object, url: str = "", key: str = OLD) -> Result:
    """Run on the store of a folder, configured by the environment; without a key the folder's own."""
    environ = {
        "CLUSTERSIGHT_DATA_DIR": str(folder),
        "CLUSTERSIGHT_SECRET_KEY": key,
        "CLUSTERSIGHT_STORE_URL": url,
    }
    given = {name: value or None for name, value in environ.items()}
    result = CliRunner().invoke(main, ["store", *map(str, arguments)], env=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert PASSWORD not in result.output
    return result


# ── backup ──


def test_backup_while_others_write(
    sqlite_database: Database, tmp_path: Path, start: Callable[..., Program]
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    writers = [start("write", sqlite_url(tmp_path), name, 100_000) for name in "ab"]
    for number in range(5):
        acknowledged = {line for writer in writers for line in writer.lines}
        wait_until(lambda: {line for w in writers for line in w.lines} > acknowledged, 30, "rows are written")  # noqa: B023
        target = folder / str(number) / DATABASE_FILE
        target.parent.mkdir()
        acknowledged = {line for writer in writers for line in writer.lines}
        result = run_in(tmp_path, "backup", target)

        assert (result.exit_code, result.stdout) == (
            0,
            f"wrote {target}, {target.stat().st_size / 1e6:.1f} MB\n",
        )
        assert "store.secret_key" in result.stderr
        assert target.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in target.parent.iterdir()] == [DATABASE_FILE]
        assert checked(run_in(target.parent, "check", "--format", "json"))["ok"]
        with Database(sqlite_url(target.parent)) as copy, copy.read() as db:
            assert acknowledged <= set(settings.read(db))
    assert all(writer.process.poll() is None for writer in writers)


def test_backup_replaces_only_when_told(sqlite_database: Database, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    refused(run_in(tmp_path, "backup", target), "is there already; --force replaces it")
    assert target.read_text() == "precious"
    assert run_in(tmp_path, "backup", target, "--force").exit_code == 0
    assert target.stat().st_mode & 0o777 == 0o600
    refused(run_in(tmp_path, "backup", tmp_path / DATABASE_FILE, "--force"), "is the store itself")
    with sqlite_database.read() as db:
        assert settings.read(db) == {}


def test_backup_that_fails_leaves_what_was_there(sqlite_database: Database, tmp_path: Path) -> None:
    with sqlite_database.begin() as db:
        settings.write(db, {f"k{n}": "x" * 500 for n in range(2000)}, {}, 0.0)
    sqlite_database.close()
    file, target = tmp_path / DATABASE_FILE, tmp_path / "copies" / "copy.db"
    refused(run_in(tmp_path, "backup", target), "No such file or directory")
    target.parent.mkdir()
    target.write_text("the last good one")
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        opened.write(os.urandom(100_000))

    refused(run_in(tmp_path, "backup", target, "--force"), "is damaged; `clustersight store check`")
    assert [path.name for path in target.parent.iterdir()] == ["copy.db"]
    assert target.read_text() == "the last good one"


def test_backup_of_nothing_makes_nothing(tmp_path: Path) -> None:
    refused(run_in(tmp_path, "backup", tmp_path / "copy.db"), "there is no such file")
    assert list(tmp_path.iterdir()) == []


def test_backup_of_postgresql_is_a_command_to_run(migrated_postgresql: PostgreSQL, tmp_path: Path) -> None:
    url = migrated_postgresql.database("dumped", template=TEMPLATE)
    target = tmp_path / "my copy"
    result = run_in(tmp_path, "backup", target, url=url)
    refused(result, "back it up with: pg_dump ")
    assert not target.exists()

    command = shlex.split(result.stderr.partition("back it up with: ")[2])
    subprocess.run(command, env=os.environ | {"PGPASSWORD": PASSWORD}, check=True)
    listed = subprocess.run(["pg_restore", "--list", str(target)], capture_output=True, text=True, check=True)
    assert all(f" TABLE DATA public {name} " in listed.stdout for name in metadata.tables)
    migrated_postgresql.drop("dumped")


# ── migrate ──


def test_migrate_says_the_steps(new_url: str, database_kind: str, tmp_path: Path) -> None:
    url = "" if database_kind == "sqlite" else new_url
    newest = migrations.newest()
    planned = run_in(tmp_path, "migrate", "--dry-run", url=url)
    assert planned.exit_code == 0
    assert f"would go from nothing to {newest}" in planned.stdout
    assert list(tmp_path.glob("*.db")) == []

    done = run_in(tmp_path, "migrate", url=url)
    assert (done.exit_code, done.stdout) == (0, planned.stdout.replace("would go", "went"))
    again = run_in(tmp_path, "migrate", url=url)
    assert (again.exit_code, again.stdout.count("\n")) == (0, 1)
    assert f"has the schema {newest}, which is the newest" in again.stdout
    assert checked(run_in(tmp_path, "check", "--format", "json", url=url))["ok"]


@pytest.mark.parametrize("option", [[], ["--dry-run"]])
def test_migrate_refuses_a_newer_one(database: Database, run: Run, option: list[str]) -> None:
    with database.begin() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    refused(run("migrate", *option), "newer release")


# ── rekey ──


@pytest.fixture
def new_key(tmp_path: Path) -> Path:
    file = tmp_path / "new.key"
    file.write_text(NEW + "\n")
    return file


def test_rekey(database: Database, run: Run, new_key: Path) -> None:
    put_secrets(database)
    planned = run("rekey", "--new-key-file", new_key, "--dry-run")
    assert (planned.exit_code, planned.stdout) == (0, "would encrypt 3 secrets anew\nnothing was changed\n")
    assert secrets(database, OLD) == ALL_SECRETS

    done = run("rekey", "--new-key-file", new_key)
    assert done.exit_code == 0
    assert done.stdout.startswith("encrypted 3 secrets anew\nnow configure the new key")
    assert secrets(database, NEW) == ALL_SECRETS
    refused(run("rekey", "--new-key-file", new_key), "under the new key already")
    assert secrets(database, NEW) == ALL_SECRETS


def test_every_encrypted_column_has_its_secret_here() -> None:
    """Else a new one would not be tested."""
    named = {f"{t}.{c.name}" for t, table in metadata.tables.items() for c in table.c if "encrypt" in c.name}

    assert named == {"clusters.password_encrypted", "settings.value_encrypted"}


def test_rekey_is_whole_or_nothing(database: Database, run: Run, new_key: Path) -> None:
    put_secrets(database)
    with database.begin() as db:
        settings.write(db, {}, {"lost": SecretBox("a key that nobody has got any more").encrypt("x")}, 1.0)
    for option in ([], ["--dry-run"]):
        refused(run("rekey", "--new-key-file", new_key, *option), "1 of 4 secrets cannot be decrypted")
    with database.begin() as db:
        settings.write(db, {}, {"lost": None}, 1.0)
    assert secrets(database, OLD) == ALL_SECRETS


def test_rekey_waits_for_nobody_who_works(database: Database, run: Run, new_key: Path) -> None:
    put_secrets(database)
    with database.begin() as db:
        leases.take(db, "exporter", "host-1", time.time(), seconds=600)
    refused(run("rekey", "--new-key-file", new_key), "the exporter host-1 works on")
    assert secrets(database, OLD) == ALL_SECRETS


def test_rekey_includes_what_is_being_written(
    migrated_postgresql: PostgreSQL, tmp_path: Path, new_key: Path
) -> None:
    url = migrated_postgresql.database("rekeyed", template=TEMPLATE)
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = 'rekeyed' AND wait_event_type = 'Lock'"
    with Database(url) as database:
        rekey = threading.Thread(
            target=run_in, args=(tmp_path, "rekey", "--new-key-file", new_key), kwargs={"url": url}
        )
        with database.begin() as db:
            settings.write(db, {}, {"token": SecretBox(OLD).encrypt("late")}, 1.0)
            rekey.start()
            wait_until(lambda: migrated_postgresql.execute(waiting), 30, "it waits for us")
        rekey.join()
        with database.read() as db:
            assert SecretBox(NEW).decrypt(settings.read_encrypted(db)["token"]) == "late"
    migrated_postgresql.drop("rekeyed")


def test_rekey_puts_the_key_file_in_its_place(
    sqlite_database: Database, tmp_path: Path, new_key: Path
) -> None:
    put_secrets(sqlite_database)
    file = tmp_path / KEY_FILE
    refused(run_in(tmp_path, "rekey", "--new-key-file", new_key, key=""), "there is no key file")
    assert not file.exists()
    file.write_text(OLD)
    result = run_in(tmp_path, "rekey", "--new-key-file", new_key, key="")

    assert result.exit_code == 0
    assert str(file) in result.stdout
    assert (file.read_text(), file.stat().st_mode & 0o777) == (NEW + "\n", 0o600)
    (kept,) = tmp_path.glob("secret.key.*.old")
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == (OLD, 0o600)
    assert checked(run_in(tmp_path, "check", "--format", "json", key=""))["ok"]


@pytest.mark.parametrize("content", [b"short\n", b"\xff" * 40])
def test_rekey_with_a_bad_key(database: Database, run: Run, new_key: Path, content: bytes) -> None:
    new_key.write_bytes(content)
    refused(run("rekey", "--new-key-file", new_key), str(new_key), code=2)


# ── all of them ──


def test_help_teaches() -> None:
    group = main.commands["store"]
    assert isinstance(group, click.Group)
    assert sorted(group.commands) == ["backup", "check", "migrate", "rekey"]
    for name in group.commands:
        result = CliRunner().invoke(main, ["store", name, "--help"])
        assert result.exit_code == 0
        assert "Example: " in result.output
    listed = CliRunner().invoke(main, ["store", "--help"]).output.partition("Commands:")[2]
    assert listed.count(".\n") == len(group.commands)
    assert "..." not in listed


@pytest.mark.parametrize("command", [["migrate"], ["backup", "x"], ["rekey", "--new-key-file", __file__]])
def test_what_is_wrong_is_one_line(command: list[str], tmp_path: Path, postgresql: PostgreSQL) -> None:
    url = postgresql.url("missing", password="wrong")
    if command[0] != "backup":
        refused(run_in(tmp_path, *command, url=url), "the password is wrong")
    for name in (DATABASE_FILE, "taken"):
        (tmp_path / name).write_text("a letter\n" * 100)
    command = [str(tmp_path / "x") if part == "x" else part for part in command]
    refused(run_in(tmp_path, *command), "is not a database")
    refused(run_in(tmp_path / "taken", *command), str(tmp_path / "taken"))
    assert (tmp_path / DATABASE_FILE).read_text() == "a letter\n" * 100
    assert not (tmp_path / "x").exists()


def test_a_bad_configuration_is_a_wrong_call(tmp_path: Path) -> None:
    config = tmp_path / "clustersight.yaml"
    config.write_text("store: {url: 7}\n")
    result = CliRunner().invoke(main, ["store", "check", "--config", str(config)])
    assert result.exit_code == 2
    assert str(config) in result.stderr
