"""The rules that a command was told to look at: files and folders, or what the configuration names."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from clustersight.commands.config import KNOWN_NAMES
from clustersight.problem import Problem, SettingsError
from clustersight.rules.drafts import Draft
from clustersight.rules.loader import Loaded, load
from clustersight.rules.pack import built_in
from clustersight.rules.rule import Rule
from clustersight.settings import file as settings_file
from clustersight.settings.fields import Known
from clustersight.settings.model import Settings
from clustersight.table import visible

EXIT_PROBLEMS = 1
EXIT_FINDINGS = 3

PATHS = click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
CONFIG = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="clustersight.yaml, for rules.paths; without it CLUSTERSIGHT_CONFIG names it.",
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rules to look at; `others` are rules beside them, which they may name."""

    rules: tuple[Rule, ...]
    drafts: tuple[Draft, ...]
    problems: tuple[Problem, ...]
    files: int
    others: tuple[Rule, ...]


def choose(context: click.Context, paths: tuple[Path, ...], file: Path | None) -> Chosen:
    """The rules of the paths, or the built-in ones and those of the configuration, with all problems.

    Ends the command with 1 where the configuration cannot be read.
    """
    if os.environ.get("NO_COLOR"):  # no-color.org
        context.color = False
    pack = built_in()
    if paths:
        return _chosen(load(paths, pack.rules), Loaded(), pack.rules)
    settings = _settings(context, file)
    pack = pack if settings.rules.builtin else Loaded()
    own = load(settings.rules.paths, pack.rules) if settings.rules.paths else Loaded()
    return _chosen(own, pack, ())


def _chosen(own: Loaded, pack: Loaded, others: tuple[Rule, ...]) -> Chosen:
    """A rule of a file stands in for the built-in one of its name."""
    names = {rule.name for rule in own.rules}
    drafts = (*(draft for draft in pack.drafts if draft.rule.name not in names), *own.drafts)
    return Chosen(
        tuple(draft.rule for draft in drafts),
        drafts,
        SettingsError((*pack.problems, *own.problems)).problems,
        len(pack.files) + len(own.files),
        tuple(rule for rule in others if rule.name not in names),
    )


def _settings(context: click.Context, file: Path | None) -> Settings:
    try:
        return settings_file.load(file, os.environ, context.meta.get(KNOWN_NAMES, Known())).settings
    except SettingsError as error:
        tell(map(str, error.problems))
        context.exit(EXIT_PROBLEMS)


def refuse_problems(context: click.Context, chosen: Chosen) -> None:
    """End the command with 1 and every problem on standard error, if there is any."""
    if chosen.problems:
        tell(map(str, chosen.problems))
        context.exit(EXIT_PROBLEMS)


def tell(lines: Iterable[str]) -> None:
    """On standard error; a name from a file cannot drive the terminal."""
    for line in lines:
        click.echo(visible(line), err=True)


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
