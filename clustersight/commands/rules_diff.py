"""`clustersight rules diff`: what rule files would change."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from clustersight.commands.config import KNOWN_NAMES
from clustersight.commands.remote import TOKEN_FILE, HttpUrl, RemoteError, api_headers, is_url, running_rules
from clustersight.commands.rules_choice import (
    CONFIG,
    EXIT_PROBLEMS,
    PATHS,
    Chosen,
    choose,
    count,
    refuse_problems,
    tell,
)
from clustersight.problem import SettingsError
from clustersight.rules import comparing, running
from clustersight.rules.comparing import Difference, Kind
from clustersight.rules.pack import built_in
from clustersight.rules.revision import RevisionError, rules_at
from clustersight.rules.rule import Rule
from clustersight.rules.running import OpenAlert, Running
from clustersight.settings import file as settings_file
from clustersight.settings.fields import Known
from clustersight.settings.model import Settings
from clustersight.store.errors import StoreError
from clustersight.store.opening import database_of
from clustersight.table import visible

EXIT_CHANGES = 2
_MARKS = {Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~"}
# An outage of 5000 tables has as many alerts.
_MOST_ALERTS = 20


class _UnlikeError(Exception):
    """There is nothing to compare with; the text says why."""


@click.command(epilog="Example: clustersight rules diff --against origin/main --exit-code rules/")
@PATHS
@click.option(
    "--against", metavar="URL|REV", help="A running API, or a revision of git; by default the store."
)
@click.option("--exit-code", is_flag=True, help="Exit 2 if there are changes.")
@TOKEN_FILE
@CONFIG
@click.pass_context
def diff(
    context: click.Context,
    paths: tuple[Path, ...],
    *,
    against: str | None,
    exit_code: bool,
    token_file: Path | None,
    file: Path | None,
) -> None:
    """Say what the rules of PATH change: each field, old -> new, and which alerts that fire it touches.

    They are compared with the rules that run, as the API at a URL or the store of the configuration has
    them, or with the same files at a revision of git. Rules that were made over the API are left out. 0: no
    changes, or no --exit-code. 2: changes. 1: it cannot be told. 64: a wrong call.
    """
    if against is not None and is_url(against):
        against = HttpUrl().convert(against, None, context)
    chosen = choose(context, paths, file)
    refuse_problems(context, chosen)
    try:
        old, alerts = _Call(context, chosen, paths, file).against(against, token_file)
    except (RemoteError, RevisionError, StoreError, SettingsError, _UnlikeError) as error:
        tell(str(error).splitlines())
        context.exit(EXIT_PROBLEMS)
    found = comparing.compare(old, chosen.rules)
    for line in lines(found, alerts):
        click.echo(visible(line))
    tell([summary(found)])
    context.exit(EXIT_CHANGES if found and exit_code else 0)


@dataclass(frozen=True, slots=True)
class _Call:
    """What the command was told to look at."""

    context: click.Context
    chosen: Chosen
    paths: Sequence[Path]
    file: Path | None

    def against(
        self, other: str | None, token_file: Path | None
    ) -> tuple[Sequence[Rule], Sequence[OpenAlert]]:
        """The rules before, and what fires of them. Raises what the command reports."""
        if other is not None and not is_url(other):
            return self._at_revision(other), ()
        if other is not None:
            found = running_rules(other, api_headers(token_file))
        else:
            found = _stored(self._settings())
        return beside(found, self.chosen, self.paths), found.alerts

    def _at_revision(self, revision: str) -> Sequence[Rule]:
        """With the built-in rules where the configuration, rather than paths, was asked for."""
        pack = built_in().rules
        settings = None if self.paths else self._settings().rules
        own = self.paths if settings is None else settings.paths
        if not own:
            raise _UnlikeError("the configuration names no rules.paths; name the rule files that are in git")
        loaded = rules_at(revision, own, pack)
        if loaded.problems:
            raise _UnlikeError(f"the rules at {revision} have problems; {loaded.problems[0].message}")
        names = {rule.name for rule in loaded.rules}
        with_pack = settings is not None and settings.builtin
        return [*(rule for rule in pack if with_pack and rule.name not in names), *loaded.rules]

    def _settings(self) -> Settings:
        return settings_file.load(self.file, os.environ, self.context.meta.get(KNOWN_NAMES, Known())).settings


def beside(found: Running, chosen: Chosen, paths: Sequence[Path]) -> list[Rule]:
    """The running rules that are to be compared with the chosen ones."""
    return found.beside((rule.name for rule in chosen.rules), whole=not paths)


def _stored(settings: Settings) -> Running:
    """From the store as it is; nothing is made or migrated."""
    folder = settings_file.state_folder(settings, os.environ)
    with database_of(settings, folder) as database, database.read() as db:
        return running.of_store(db)


def lines(found: Iterable[Difference], alerts: Sequence[OpenAlert]) -> Iterator[str]:
    """Each rule with its fields and the alerts that it touches."""
    for one in found:
        yield f"{_MARKS[one.kind]} {one.name} ({one.kind})"
        yield from (f"    {line}" for change in one.changes for line in change.lines)
        touched = [str(alert) for alert in alerts if alert.name in one.alerts]
        yield from (f"    fires: {alert}" for alert in touched[:_MOST_ALERTS])
        if len(touched) > _MOST_ALERTS:
            yield f"    fires: {len(touched) - _MOST_ALERTS} more"


def summary(found: Sequence[Difference]) -> str:
    """How many of what."""
    if not found:
        return "no changes"
    counts = {kind: sum(one.kind is kind for one in found) for kind in Kind}
    return ", ".join(f"{count(number, 'rule')} {kind}" for kind, number in counts.items() if number)
