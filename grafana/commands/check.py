"""`clustersight dashboards check`: whether files are dashboards, and ours are as built."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clustersight.commands.rules_choice import count, tell
from clustersight.commands.usage import EXIT_USAGE
from clustersight.table import visible
from grafana import files
from grafana.commands.options import EXIT_FAILED, require_sdk

if TYPE_CHECKING:
    from grafana.checks import FileFinding


@click.command(epilog="Example: clustersight dashboards check && git diff --exit-code grafana/dashboards")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def check(context: click.Context, paths: tuple[Path, ...], *, form: str) -> None:
    """Check dashboards as files: each is JSON, is read by Grafana's SDK unchanged, and passes lint.

    PATH is a file or a folder with *.json. Without any, the dashboards of this package are meant, and these
    must also be what the code builds. Findings go to standard output, one a line as
    `FILE: place: message [rule]`. 0: none. 1: some, or the SDK is not installed. 64: a wrong call.
    """
    require_sdk(context)
    try:
        checked, found = _found(paths)
    except files.NoDashboardError as error:
        tell([str(error)])
        context.exit(EXIT_USAGE)
    if form == "json":
        click.echo(json.dumps([one.plain() for one in found], indent=2))
    else:
        for one in found:
            click.echo(visible(str(one)))
    tell([f"{count(checked, 'dashboard')}, {count(len(found), 'finding')}"])
    context.exit(EXIT_FAILED if found else 0)


def _found(paths: Sequence[Path]) -> tuple[int, list[FileFinding]]:
    """How many files were looked at, and what was found. Raises NoDashboardError for an empty folder."""
    from grafana import boards, checks  # noqa: PLC0415 - the SDK, which diff and push do without

    if not paths:
        return len(boards.ALL), checks.of_built(files.FOLDER)
    below = files.below(paths)
    return len(below), [finding for path in below for finding in checks.of_file(path)]
