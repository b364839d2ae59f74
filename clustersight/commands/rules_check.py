"""`clustersight rules check`: whether rules can be used; with --live also on a real server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from clustersight.clickhouse.errors import ClickHouseError
from clustersight.clickhouse.remedies import remedy
from clustersight.clickhouse.session import Session
from clustersight.commands import chosen_cluster
from clustersight.commands.rules_choice import (
    CONFIG,
    EXIT_FINDINGS,
    EXIT_PROBLEMS,
    PATHS,
    Chosen,
    choose,
    count,
    refuse_problems,
    tell,
)
from clustersight.commands.usage import EXIT_USAGE
from clustersight.problem import Problem
from clustersight.rules import findings
from clustersight.rules.drafts import Draft
from clustersight.rules.rule import Fault
from clustersight.rules.sql_rule import VALUE


@click.command(epilog="Example: clustersight rules check --lint-fatal rules/")
@PATHS
@click.option("--lint-fatal", is_flag=True, help="Exit 3 if lint finds anything.")
@click.option("--live", metavar="CLUSTER", help="Ask this cluster whether the SQL of rules runs there.")
@CONFIG
@click.pass_context
def check(
    context: click.Context, paths: tuple[Path, ...], *, lint_fatal: bool, live: str | None, file: Path | None
) -> None:
    """Check rules: every key, label, template and name, in all files at once.

    0: they can be used. 1: they cannot, with every problem as FILE:LINE:COL on standard error.
    3: they can, and lint has found something (only with --lint-fatal). 64: a wrong call.
    """
    chosen = choose(context, paths, file)
    refuse_problems(context, chosen)
    asked = _live(context, chosen, live, file) if live else 0
    found = findings.of(chosen.drafts, chosen.others)
    tell(findings.text(found).splitlines() if found and lint_fatal else [])
    also = f", {count(asked, 'SQL rule')} run on {live}" if live else ""
    click.echo(f"ok: {count(len(chosen.rules), 'rule')} in {count(chosen.files, 'file')}{also}")
    if found:
        tell([f"{count(len(found), 'lint finding')}; clustersight rules lint shows them"])
    context.exit(EXIT_FINDINGS if found and lint_fatal else 0)


def _live(context: click.Context, chosen: Chosen, name: str, file: Path | None) -> int:
    """How many statements run on the cluster; ends the command with 1 if one does not."""
    with _usage(context):
        cluster = chosen_cluster.choose(context, file, name)
    watch = cluster.watch()
    drafts = [draft for draft in chosen.drafts if draft.rule.sql]
    try:
        problems = [problem for draft in drafts for problem in _ask(draft, watch.session)]
    finally:
        watch.close()
    if problems:
        tell(map(str, problems))
        context.exit(EXIT_PROBLEMS)
    return len(drafts)


@contextlib.contextmanager
def _usage(context: click.Context) -> Iterator[None]:
    """Other groups end a wrong call with 2, this one with 64."""
    try:
        yield
    except click.exceptions.Exit as stop:
        if stop.exit_code == chosen_cluster.EXIT_USAGE:
            context.exit(EXIT_USAGE)
        raise


def _ask(draft: Draft, session: Session) -> Iterator[Problem]:
    """What the server says of a statement, which is analysed as a whole and returns no row."""
    try:
        # The rule's author may ask the server anything; the statement may end with a comment.
        sql = f"SELECT * FROM (\n{draft.rule.sql}\n) LIMIT 0"  # noqa: S608
        result = session.run(sql, timeout_seconds=chosen_cluster.QUERY_SECONDS)
    except ClickHouseError as error:
        advice = remedy(error)
        yield draft.problem(Fault("sql", f"{error.message}; {advice}" if advice else error.message))
        return
    if VALUE not in result.columns:
        columns = ", ".join(result.columns)
        yield draft.problem(Fault("sql", f"has no column {VALUE} on this server, but {columns}"))
