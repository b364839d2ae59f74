"""`clustersight store`: look the state database through, copy it, migrate it, give it another key."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from clustersight.commands import config as config_cli
from clustersight.commands.chosen_cluster import CONFIG, refuse
from clustersight.problem import SettingsError
from clustersight.settings.fields import Known
from clustersight.settings.file import load, state_folder
from clustersight.settings.model import Settings
from clustersight.store import maintenance, migrations
from clustersight.store.database import Database
from clustersight.store.errors import StoreError, Unavailable
from clustersight.store.maintenance import Report
from clustersight.store.opening import database_of, secret_box
from clustersight.store.secrets import KEY_FILE, SHORTEST_KEY, SecretBox
from clustersight.store.whole_file import whole_file
from clustersight.table import table, visible

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
_EXIT_FAILED = 1


@dataclass(frozen=True)
class Place:
    """Where the configuration puts the store; nothing is opened yet."""

    settings: Settings
    folder: Path
    database: Database

    @property
    def key_file(self) -> Path | None:
        """The key file of data_dir; None where the key is configured."""
        return None if self.settings.store.secret_key else self.folder / KEY_FILE

    def box(self) -> SecretBox:
        """The present key. Raises Unavailable; a command makes none."""
        return secret_box(self.settings, self.folder, make=False)


@click.group()
def store() -> None:
    """Look after the store: the state database of clusters, history, alerts and settings.

    It is a SQLite file in data_dir, or the PostgreSQL database that store.url names. 0: done. 1: a problem
    was found, or it could not be done. 2: a wrong call or configuration.
    """


@contextmanager
def _place(context: click.Context, file: Path | None) -> Iterator[Place]:
    """The configured store; what is wrong with it ends the command with one line."""
    try:
        settings = load(file, os.environ, context.meta.get(config_cli.KNOWN_NAMES, Known())).settings
    except SettingsError as error:
        refuse(context, *map(str, error.problems))
    folder = state_folder(settings, os.environ)
    try:
        with database_of(settings, folder) as database:
            yield Place(settings, folder, database)
    except StoreError as error:
        click.echo(visible(str(error)), err=True)
        context.exit(_EXIT_FAILED)


@store.command(epilog="Example: clustersight store check --format json")
@CONFIG
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def check(context: click.Context, file: Path | None, form: str) -> None:
    """Look the store through, and change nothing.

    Schema, damage, references, secrets, tables. It may run beside the processes. 0: all is well. 1:
    there are problems, each with what to do.
    """
    with _place(context, file) as place:
        report = maintenance.check(place.database, place.box)
    click.echo(json.dumps(_document(report), indent=2) if form == "json" else _text(report))
    context.exit(0 if report.ok else _EXIT_FAILED)


def _document(report: Report) -> dict[str, Any]:
    findings = [{"check": f.what, "detail": f.detail, "problems": list(f.problems)} for f in report.findings]
    return {"store": report.place, "ok": report.ok, "checks": findings, "tables": report.tables}


def _text(report: Report) -> str:
    """The findings, then the tables, then the verdict."""
    rows = [
        (finding.what, "ok" if not finding.problems else "problem", line)
        for finding in report.findings
        for line in finding.problems or (finding.detail,)
    ]
    blocks = [visible(report.place), table(("check", "result", ""), rows)]
    if report.tables:
        blocks.append(table(("table", "rows"), [(name, str(n)) for name, n in report.tables.items()]))
    blocks.append("the store is well" if report.ok else "the store has problems")
    return "\n\n".join(blocks)


@store.command(epilog="Example: clustersight store backup /backup/clustersight-$(date +%F).db")
@click.argument("target", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@CONFIG
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@click.pass_context
def backup(context: click.Context, file: Path | None, target: Path, force: bool) -> None:
    """Copy the store to FILE while the processes go on.

    The copy is of one moment. FILE is whole or not there, read through, and yours alone (mode 0600). To
    restore it, stop the processes, remove clustersight.db-wal and clustersight.db-shm, and put FILE in
    the place of clustersight.db. For PostgreSQL the pg_dump command to run is printed instead.
    """
    with _place(context, file) as place:
        size = maintenance.backup(place.database, target, replaces=force)
    click.echo(visible(f"wrote {target}, {size / 1e6:.1f} MB"))
    key = place.key_file or "the configured store.secret_key"
    click.echo(visible(f"its secrets need {key}: keep that too, in another place"), err=True)


@store.command(epilog="Example: clustersight store migrate --dry-run")
@CONFIG
@_DRY_RUN
@click.pass_context
def migrate(context: click.Context, file: Path | None, dry_run: bool) -> None:
    """Bring the store to the schema of this release.

    The processes do the same when they start. Whole or not at all. A store of a newer release is
    refused. Make a backup first: there is no way back.
    """
    with _place(context, file) as place:
        before = migrations.revision(place.database)
        if not dry_run:
            migrations.migrate(place.database)
    steps = migrations.pending(before)
    if not steps:
        click.echo(visible(f"{place.database.place} has the schema {before}, which is the newest"))
        return
    what = "would go" if dry_run else "went"
    click.echo(visible(f"{place.database.place} {what} from {before or 'nothing'} to {steps[-1][0]}"))
    click.echo(table(("schema", "brings"), steps))


@store.command(
    epilog="Example: openssl rand -hex 32 > new.key; clustersight store rekey --new-key-file new.key"
)
@CONFIG
@click.option(
    "--new-key-file",
    "new",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help=f"Holds the new key: at least {SHORTEST_KEY} characters.",
)
@_DRY_RUN
@click.pass_context
def rekey(context: click.Context, file: Path | None, new: Path, dry_run: bool) -> None:
    """Encrypt the secrets with another key.

    All of them or none. Stop the processes first. The present key is the configuration's. Where that is
    the key file of data_dir, the new one takes its place and the old one is kept beside it, since older
    backups need it; elsewhere configure the new key before you start the processes.
    """
    key = _key(context, new)
    with _place(context, file) as place:
        migrations.require_current(place.database)
        old, now = place.box(), time.time()
        number = maintenance.rekey(place.database, old, SecretBox(key), now, dry_run=dry_run)
        installed = "nothing was changed" if dry_run else _installed(place, key)
    click.echo(f"{'would encrypt' if dry_run else 'encrypted'} {_count(number)} anew")
    click.echo(visible(installed))


def _key(context: click.Context, file: Path) -> str:
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        refuse(context, f"cannot read the new key {file}: {reason}")
    if len(key) < SHORTEST_KEY:
        refuse(context, f"the key in {file} must have at least {SHORTEST_KEY} characters")
    return key


def _count(number: int) -> str:
    return f"{number} secret" if number == 1 else f"{number} secrets"


def _installed(place: Place, key: str) -> str:
    """Put the new key where the processes look for it; returns what is left to do. Raises Unavailable."""
    path = place.key_file
    if path is None:
        return "now configure the new key (CLUSTERSIGHT_SECRET_KEY or store.secret_key_file), then start"
    old = path.with_name(f"{path.name}.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.old")
    try:
        for target, content in ((old, path.read_text(encoding="ascii")), (path, key + "\n")):
            with whole_file(target, replaces=True) as unfinished:
                unfinished.write_text(content, encoding="utf-8")
    except OSError as error:
        raise Unavailable(
            f"the secrets are under the new key, but it cannot be written to {path} ({error.strerror});"
            " put it there yourself before you start the processes"
        ) from None
    return f"the new key is in {path}, the old one, which older backups need, in {old}"
