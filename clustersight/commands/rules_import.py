"""`clustersight rules import`: Prometheus rule files as ours."""

from __future__ import annotations

from pathlib import Path

import click

from clustersight.commands.rules_choice import EXIT_PROBLEMS, count, tell
from clustersight.problem import SettingsError
from clustersight.rules.prometheus_import import import_files


@click.command("import", epilog="Example: clustersight rules import alerts.yml > rules/imported.yaml")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.pass_context
def import_(context: click.Context, files: tuple[Path, ...]) -> None:
    """Print Prometheus rule FILEs as our rule file; what is left out is named on standard error.

    A rule can be taken over if it compares one of our metrics with a number. 0: printed, with at least one
    rule. 1: a file cannot be read, or no rule can be taken over. 64: a wrong call.
    """
    try:
        found = import_files(files)
    except SettingsError as error:
        tell(map(str, error.problems))
        context.exit(EXIT_PROBLEMS)
    tell(map(str, found.left_out))
    if not found.rules:
        tell(["no rule can be taken over"])
        context.exit(EXIT_PROBLEMS)
    click.echo(found.text, nl=False)
    tell([f"took over {count(found.rules, 'rule')}; look at them with clustersight rules check"])
