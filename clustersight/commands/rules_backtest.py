"""`clustersight rules backtest`: which alerts rules would have raised."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from clustersight.commands.config import KNOWN_NAMES
from clustersight.commands.moments import Duration, Moment
from clustersight.commands.rules_choice import (
    CONFIG,
    EXIT_PROBLEMS,
    PATHS,
    choose,
    count,
    refuse_problems,
    tell,
)
from clustersight.commands.usage import EXIT_USAGE
from clustersight.duration import format_duration
from clustersight.history import ClusterName, HistoryUnavailable, history_of
from clustersight.problem import SettingsError, unknown
from clustersight.rules import backtest as backtesting
from clustersight.rules.backtest import Episode, Replay, Stretch
from clustersight.rules.rule import Rule
from clustersight.settings import file as settings_file
from clustersight.settings.fields import Known
from clustersight.settings.model import Settings
from clustersight.store import clusters
from clustersight.store.database import Database
from clustersight.store.errors import StoreError
from clustersight.store.opening import database_of
from clustersight.table import table, visible
from clustersight.times import iso

# What a person reads; JSON has all.
_MOST_LINES = 200


@click.command(epilog="Example: clustersight rules backtest rules/ --from 7d --max-alerts 20")
@PATHS
@click.option(
    "--from", "begin", type=Moment(), required=True, help="2026-03-22T14:00:00Z, epoch seconds, or 2h ago."
)
@click.option("--to", "end", type=Moment(), help="The same; by default now.")
@click.option("--cluster", metavar="NAME", help="Only this cluster.")
@click.option("--step", type=Duration(), default="30s", show_default=True, help="Time between evaluations.")
@click.option("--max-alerts", "most", type=click.IntRange(0), metavar="N", help="Exit 1 above this number.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@CONFIG
@click.pass_context
def backtest(
    context: click.Context, /, paths: tuple[Path, ...], *, file: Path | None, **options: Any
) -> None:
    """Evaluate rules over the stored history: which alerts they would have raised, when and for how long.

    What is not in the history is named on standard error. 0: done. 1: it cannot be done, or there are more
    than --max-alerts. 64: a wrong call.
    """
    stretch = _stretch(context, options["begin"], options["end"], options["step"])
    chosen = choose(context, paths, file)
    refuse_problems(context, chosen)
    rules = _replayable(chosen.rules)
    try:
        settings = settings_file.load(file, os.environ, context.meta.get(KNOWN_NAMES, Known())).settings
        found = _replay(context, rules, settings, stretch, options["cluster"])
    except (SettingsError, StoreError, HistoryUnavailable) as error:
        tell(str(error).splitlines())
        context.exit(EXIT_PROBLEMS)
    click.echo(_json(found, stretch) if options["form"] == "json" else _text(found, rules, stretch))
    most = options["most"]
    if most is not None and found.alerts > most:
        tell([f"{count(found.alerts, 'alert')}, more than {most}"])
        context.exit(EXIT_PROBLEMS)


def _stretch(context: click.Context, begin: float, end: float | None, step: timedelta) -> Stretch:
    """Whole steps; a wrong call ends the command."""
    seconds, until = int(step.total_seconds()), int(time.time() if end is None else end)
    if step.total_seconds() != seconds or seconds < 1:
        tell(["--step must be whole seconds, and not 0"])
        context.exit(EXIT_USAGE)
    start = int(begin) // seconds * seconds
    if until <= start:
        tell(["--to must be later than --from"])
        context.exit(EXIT_USAGE)
    return Stretch(start, until, seconds)


def _replayable(rules: Sequence[Rule]) -> list[Rule]:
    """The rules that the history can tell of; says of the others why not."""
    enabled = [rule for rule in rules if rule.enabled]
    reasons = backtesting.not_replayable(enabled)
    tell(f"not replayable: {name}: {reason}" for name, reason in reasons.items())
    return [rule for rule in enabled if rule.name not in reasons]


def _replay(
    context: click.Context, rules: Sequence[Rule], settings: Settings, stretch: Stretch, cluster: str | None
) -> Replay:
    folder = settings_file.state_folder(settings, os.environ)
    with database_of(settings, folder) as database:
        names = _clusters(context, database, cluster)
        history = history_of(settings.history, database)
        with click.progressbar(
            length=len(stretch.parts), label="replaying", file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            return backtesting.replay(rules, history, names, stretch, lambda: bar.update(1))


def _clusters(context: click.Context, database: Database, name: str | None) -> list[ClusterName]:
    with database.read() as db:
        known = [ClusterName(one.id, one.name) for one in clusters.active(db)]
    found = [one for one in known if name in (None, one.name)]
    if not found:
        names = [one.name for one in known]
        tell([unknown("cluster", name, names) if name else "the store knows no cluster yet"])
        context.exit(EXIT_USAGE if name else EXIT_PROBLEMS)
    return found


def _json(found: Replay, stretch: Stretch) -> str:
    document = {
        "from": iso(stretch.begin),
        "to": iso(stretch.end),
        "step_seconds": stretch.step,
        "alerts": found.alerts,
        "episodes": [_plain(one, stretch) for one in found.episodes],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _plain(one: Episode, stretch: Stretch) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "severity": one.severity,
        "cluster": one.cluster,
        "host": one.host,
        "labels": dict(one.labels),
        "began": iso(one.began),
        "ended": iso(one.ended) if one.ended is not None else None,
        "duration_seconds": _seconds(one, stretch),
    }


def _seconds(one: Episode, stretch: Stretch) -> int:
    return (stretch.end if one.ended is None else one.ended) - one.began


def _text(found: Replay, rules: Sequence[Rule], stretch: Stretch) -> str:
    counts = {rule.name: [one for one in found.episodes if one.rule == rule.name] for rule in rules}
    fired = {name: episodes for name, episodes in counts.items() if episodes}
    blocks = [f"{count(found.alerts, 'alert')} of {count(len(rules), 'rule')}"]
    if fired:
        rows = [(name, str(len(some)), _took(some, stretch)) for name, some in fired.items()]
        blocks = [table(("rule", "fired", "together"), rows), *_lines(found.episodes, stretch), *blocks]
    return "\n\n".join(blocks)


def _took(some: Sequence[Episode], stretch: Stretch) -> str:
    return format_duration(timedelta(seconds=sum(_seconds(one, stretch) for one in some)))


def _lines(episodes: Sequence[Episode], stretch: Stretch) -> Iterator[str]:
    """Each episode; of very many the first ones."""
    yield "\n".join(visible(_line(one, stretch)) for one in episodes[:_MOST_LINES])
    if len(episodes) > _MOST_LINES:
        yield f"and {len(episodes) - _MOST_LINES} more; --format json has all"


def _line(one: Episode, stretch: Stretch) -> str:
    where = " ".join([one.cluster, one.host, *(f"{name}={value}" for name, value in one.labels.items())])
    still = " and still" if one.ended is None else ""
    return f"{iso(one.began)} {one.rule} ({one.severity}) for {_took([one], stretch)}{still}: {where}"
