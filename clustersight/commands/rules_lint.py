"""`clustersight rules lint`: what is allowed and seldom meant, for people, CI and editors."""

from __future__ import annotations

from pathlib import Path

import click

from clustersight.commands.rules_choice import (
    CONFIG,
    EXIT_FINDINGS,
    EXIT_PROBLEMS,
    PATHS,
    choose,
    count,
    tell,
)
from clustersight.rules import findings
from clustersight.rules.findings import FORMATS


@click.command(epilog="Example: clustersight rules lint --format github rules/")
@PATHS
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="text", show_default=True)
@click.option("--lint-fatal", is_flag=True, help="Exit 3 if anything is found.")
@CONFIG
@click.pass_context
def lint(
    context: click.Context, paths: tuple[Path, ...], *, form: str, lint_fatal: bool, file: Path | None
) -> None:
    """Look for rules that work and are seldom meant: no `for`, no runbook, never true, duplicates.

    Findings go to standard output, and so do problems, since CI shows both. 0: no problem. 1: a problem,
    as `rules check` finds it. 3: a finding (only with --lint-fatal). 64: a wrong call.
    """
    chosen = choose(context, paths, file)
    # What cannot be used is not looked at for what is not meant.
    found = findings.errors(chosen.problems) or findings.of(chosen.drafts, chosen.others)
    told = FORMATS[form](found)
    if told:
        click.echo(told)
    tell([f"{count(len(chosen.rules), 'rule')}, {count(len(found), 'finding')}"])
    if chosen.problems:
        context.exit(EXIT_PROBLEMS)
    context.exit(EXIT_FINDINGS if found and lint_fatal else 0)
