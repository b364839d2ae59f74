"""`clustersight rules`: check, lint, export and import rules. One command is one module rules_*.py."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import click

from clustersight.commands.rules_backtest import backtest
from clustersight.commands.rules_check import check
from clustersight.commands.rules_choice import EXIT_USAGE
from clustersight.commands.rules_diff import diff
from clustersight.commands.rules_drift import drift
from clustersight.commands.rules_export import export
from clustersight.commands.rules_import import import_
from clustersight.commands.rules_lint import lint
from clustersight.commands.rules_reload import reload
from clustersight.commands.rules_test import test


class _Rules(click.Group):
    """A group whose wrong calls exit 64: 2 means that `diff` found changes."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        with _exit_64():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with _exit_64():
            return super().invoke(ctx)


@contextlib.contextmanager
def _exit_64() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        # Click means it to be set on the class, and the classes are click's.
        error.exit_code = EXIT_USAGE  # type: ignore[misc]
        raise


@click.group(cls=_Rules, epilog="Example: clustersight rules check rules/ && git push")
def rules() -> None:
    """Alert rules as files: check, lint, test, compare, reload, export to Prometheus, import from it.

    PATH is a rule file, or a folder of them; without any PATH the built-in rules and rules.paths of the
    configuration are meant. A wrong call exits 64.
    """


for command in (check, lint, test, diff, drift, reload, backtest, export, import_):
    rules.add_command(command)
