"""`clustersight rules export`: rules for somebody else's alerting."""

from __future__ import annotations

from pathlib import Path

import click

from clustersight.commands.rules_choice import CONFIG, PATHS, choose, refuse_problems, tell
from clustersight.rules.prometheus import export as to_prometheus


@click.command(epilog="Example: clustersight rules export --format prometheus rules/ > alerts.yml")
@PATHS
@click.option("--format", "form", type=click.Choice(["prometheus"]), default="prometheus", show_default=True)
@CONFIG
@click.pass_context
def export(context: click.Context, paths: tuple[Path, ...], *, form: str, file: Path | None) -> None:
    """Print rules as a rule file of Prometheus; what it cannot say is named on standard error.

    0: printed. 1: the rules have problems, and nothing is printed. 64: a wrong call.
    """
    del form  # there is one so far
    chosen = choose(context, paths, file)
    refuse_problems(context, chosen)
    exported = to_prometheus(chosen.rules)
    click.echo(exported.text, nl=False)
    tell(exported.left_out)
