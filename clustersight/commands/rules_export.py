"""`clustersight rules export`: rules for somebody else's alerting."""

from __future__ import annotations

from pathlib import Path

import click

from clustersight.commands.rules_choice import CONFIG, PATHS, choose, refuse_problems, tell
from clustersight.rules import alertmanager, prometheus

_FORMS = {"prometheus": prometheus.export, "alertmanager": alertmanager.export}


@click.command(epilog="Example: clustersight rules export --format prometheus rules/ > alerts.yml")
@PATHS
@click.option("--format", "form", type=click.Choice(list(_FORMS)), default="prometheus", show_default=True)
@CONFIG
@click.pass_context
def export(context: click.Context, paths: tuple[Path, ...], *, form: str, file: Path | None) -> None:
    """Print rules as a rule file of Prometheus, or what they inhibit as an Alertmanager's configuration.

    What that cannot say is named on standard error.

    0: printed. 1: the rules have problems, and nothing is printed. 64: a wrong call.
    """
    chosen = choose(context, paths, file)
    refuse_problems(context, chosen)
    exported = _FORMS[form](chosen.rules)
    click.echo(exported.text, nl=False)
    tell(exported.left_out)
