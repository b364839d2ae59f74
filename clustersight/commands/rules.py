"""`clustersight rules`: check, lint, export and import rules. One command is one module rules_*.py."""

from __future__ import annotations

import click

from clustersight.commands.rules_backtest import backtest
from clustersight.commands.rules_check import check
from clustersight.commands.rules_diff import diff
from clustersight.commands.rules_drift import drift
from clustersight.commands.rules_export import export
from clustersight.commands.rules_import import import_
from clustersight.commands.rules_lint import lint
from clustersight.commands.rules_reload import reload
from clustersight.commands.rules_test import test
from clustersight.commands.usage import Group


@click.group(cls=Group, epilog="Example: clustersight rules check rules/ && git push")
def rules() -> None:
    """Alert rules as files: check, lint, test, compare, reload, export to Prometheus, import from it.

    PATH is a rule file, or a folder of them; without any PATH the built-in rules and rules.paths of the
    configuration are meant. A wrong call exits 64.
    """


for command in (check, lint, test, diff, drift, reload, backtest, export, import_):
    rules.add_command(command)
