"""`clustersight cluster`: test the connection to a cluster, print the GRANTs for our user."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import click

from clustersight.clickhouse import grants as sql
from clustersight.clickhouse.capabilities import Capabilities
from clustersight.clickhouse.errors import ClickHouseError
from clustersight.clickhouse.remedies import remedy
from clustersight.collection import Clock
from clustersight.commands.chosen_cluster import CONFIG, QUERY_SECONDS, Chosen, choose, refuse
from clustersight.commands.examination import examine
from clustersight.commands.examination_report import document, failure, text
from clustersight.panels import ALL
from clustersight.table import visible

CLOCK = Clock(time.time, time.monotonic)
USER = "clustersight_ro"
_VERSION = re.compile(r"\d+(\.\d+){1,3}")


@click.group()
def cluster() -> None:
    """Test the connection to a cluster, and print the SQL that makes our user on it."""


@cluster.command(epilog="Example: clustersight cluster test production --config clustersight.yaml")
@click.argument("name")
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")
@click.pass_context
def test(context: click.Context, name: str, file: Path | None, as_json: bool) -> None:
    """Connect to the cluster NAME as the exporter would, and say what works and what is missing.

    0: every node answers and nothing is missing. 1: something does not. 2: there is no such cluster.
    """
    found = examine(choose(context, file, name), ALL, CLOCK, _tell)
    if as_json:
        click.echo(json.dumps(document(found), indent=2))
    elif found.error:
        click.echo(click.style(failure(found), fg="red"), err=True)
    else:
        click.echo("\n".join(block for block in text(found) if block))
    context.exit(0 if found.ok else 1)


@cluster.command(epilog="Example: clustersight cluster grants --version 24.8 > user.sql")
@click.argument("name", required=False)
@CONFIG
@click.option("--user", default=None, help=f"The user to make; the cluster's own, else {USER}.")
@click.option(
    "--on-cluster", default="", metavar="CLUSTER", help="Make it on every node of a logical cluster."
)
@click.option("--version", metavar="VERSION", help="Of the server, such as 24.8; without it the newest.")
@click.pass_context
def grants(
    context: click.Context,
    *,
    name: str | None,
    file: Path | None,
    user: str | None,
    on_cluster: str,
    version: str | None,
) -> None:
    """Print the SQL that makes our user: profile, user, GRANTs. Nothing is changed.

    With NAME that cluster is asked for its version and its system tables. Standard output is only SQL;
    put the hash of the password in before you run it.
    """
    if version is not None and (name or not _VERSION.fullmatch(version)):
        refuse(context, "--version takes a version such as 24.8, and stands instead of NAME")
    if name:
        chosen = choose(context, file, name)
        able = _asked(context, chosen)
        _print(context, user or _user_of(chosen), able.version_tuple, able, on_cluster)
    else:
        known = tuple(map(int, version.split("."))) if version else None
        _print(context, user or USER, known, None, on_cluster)


def _user_of(chosen: Chosen) -> str:
    # `default` is the administrator of most servers: a monitor gets a user of its own.
    username = chosen.cluster.username
    return USER if username == "default" else username


def _print(
    context: click.Context,
    user: str,
    version: tuple[int, ...] | None,
    able: Capabilities | None,
    on_cluster: str,
) -> None:
    if version is not None and version < sql.SQL_USERS_SINCE:
        _print_xml(context, user)
        return
    tables = [table for panel in ALL for table in panel.tables]
    lines = sql.account(user, version, on_cluster)
    lines += sql.statements(sql.needed(tables, able), user, on_cluster)
    click.echo("\n".join(lines))
    click.echo(f"put the hash in for {sql.PLACEHOLDER}: {sql.HASH_HINT}", err=True)


def _print_xml(context: click.Context, user: str) -> None:
    try:
        click.echo(sql.users_xml(user), nl=False)
    except ValueError as error:
        refuse(context, str(error))


def _asked(context: click.Context, chosen: Chosen) -> Capabilities:
    """What the server can; ends the command with 1 where it does not answer."""
    watch = chosen.watch()
    try:
        return watch.session.capabilities(QUERY_SECONDS)
    except ClickHouseError as error:
        advice = remedy(error)
        click.echo(visible(f"{error.message}; {advice}" if advice else error.message), err=True)
        context.exit(1)
    finally:
        watch.close()


def _tell(what: str) -> None:
    click.echo(click.style(visible(f"{what} …"), dim=True), err=True)
