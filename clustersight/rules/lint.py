"""What is allowed in a rule and seldom meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from clustersight.metric_keys import metric_keys
from clustersight.metrics import Rate, Unit
from clustersight.problem import Problem
from clustersight.rules import pack, ranges
from clustersight.rules.drafts import Draft
from clustersight.rules.expression import number
from clustersight.rules.rule import Fault, Rule

# Of keys in percent these may be above 100: parts beyond a limit, tracked memory, data that grows.
_BEYOND_100 = ("parts.", "memory.", "compression.")
_HEALTH = "health."
# A count or a flag is exact; anything else is hardly ever equal to a number.
_EXACT = frozenset({Unit.BOOL, Unit.COUNT})
_INFINITE = float("inf")


class Level(StrEnum):
    """How much a finding matters: the words of SARIF."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; `id` names its kind and stays the same from release to release."""

    id: str
    level: Level
    problem: Problem


@dataclass(frozen=True, slots=True)
class _Context:
    """What a rule is looked at beside."""

    rules: Mapping[str, Rule]
    interval_seconds: int
    conditions: dict[object, Rule]


_Check = Callable[[Draft, _Context], Iterator[Fault]]


def lint(drafts: Iterable[Draft], known: Iterable[Rule] = (), interval_seconds: int = 30) -> list[Finding]:
    """Look at rules that have no problems. `interval_seconds`: of the collection, for groups without one."""
    drafts = tuple(drafts)
    rules = {rule.name: rule for rule in (*known, *(draft.rule for draft in drafts))}
    context = _Context(rules, interval_seconds, {})
    return [
        Finding(id_, level, draft.problem(fault))
        for draft in drafts
        for id_, (level, check) in CHECKS.items()
        for fault in check(draft, context)
    ]


def _no_for(draft: Draft, _: _Context) -> Iterator[Fault]:
    """`for: 0s` says that it is meant; a rate looks back over its window anyway."""
    key = metric_keys().get(draft.rule.metric_key)
    if draft.has("for") or (key is not None and isinstance(key.source, Rate)):
        return
    yield Fault("", "has no for, so that one bad reading fires it; write for: 5m, or for: 0s if it is meant")


def _no_runbook(draft: Draft, _: _Context) -> Iterator[Fault]:
    # The built-in pack's is docs/runbook.md, which has no address of its own.
    if not draft.rule.runbook_url and not pack.is_built_in(draft.rule.origin):
        yield Fault("annotations", "has no runbook_url; say where to read on")


def _beyond_critical(draft: Draft, context: _Context) -> Iterator[Fault]:
    """The rule that raises is at or before the one that it raises."""
    critical = draft.rule
    warning = context.rules.get(critical.raises or "")
    if warning is None or warning.metric_key != critical.metric_key:
        return
    for side, sign in ((ranges.RISING, 1), (ranges.FALLING, -1)):
        beyond = (critical.threshold - warning.threshold) * sign
        # The same threshold for a longer time is a way to rise too.
        later = beyond == 0 and critical.for_sec > warning.for_sec
        if {warning.operator, critical.operator} <= side and beyond <= 0 and not later:
            what = f"{warning.name!r} has {warning.operator} {number(warning.threshold)}"
            yield Fault("threshold", f"is not beyond the warning's, which never comes first: {what}")


def _never(draft: Draft, _: _Context) -> Iterator[Fault]:
    if ranges.never(draft.rule, *_range(draft.rule)):
        yield Fault("threshold", f"can never be reached: {_between(draft.rule)}")


def _always(draft: Draft, _: _Context) -> Iterator[Fault]:
    if ranges.always(draft.rule, *_range(draft.rule)):
        yield Fault("threshold", f"is always reached: {_between(draft.rule)}")


def _equality(draft: Draft, _: _Context) -> Iterator[Fault]:
    key = metric_keys().get(draft.rule.metric_key)
    if key is None or draft.rule.operator not in ranges.EQUALITY or key.unit in _EXACT:
        return
    yield Fault("operator", f"compares a measured value ({key.unit or 'a score'}) for equality; use > or <")


def _short_cooldown(draft: Draft, context: _Context) -> Iterator[Fault]:
    interval = draft.rule.interval_sec or context.interval_seconds
    if draft.rule.cooldown_sec < interval:
        yield Fault("cooldown_sec", f"is shorter than the interval ({interval} s): it repeats each time")


def _duplicate(draft: Draft, context: _Context) -> Iterator[Fault]:
    rule = draft.rule
    match = frozenset(rule.match.items())
    condition = (rule.sql or rule.metric_key, match, rule.operator, rule.threshold, rule.for_sec)
    first = context.conditions.setdefault(condition, rule)
    if first is not rule:
        yield Fault("", f"has the same condition as the rule {first.name!r} ({first.origin})")


def _range(rule: Rule) -> tuple[float, float]:
    """The least and the largest value that a key can have, in its unit."""
    key = metric_keys().get(rule.metric_key)
    if key is None:
        return -_INFINITE, _INFINITE
    if key.unit == Unit.BOOL:
        return 0, 1
    if key.key.startswith(_HEALTH) or (key.unit == Unit.PERCENT and not key.key.startswith(_BEYOND_100)):
        return 0, 100
    return 0, _INFINITE


def _between(rule: Rule) -> str:
    least, largest = _range(rule)
    what = f"{number(least)} to {number(largest)}" if largest < _INFINITE else f"{number(least)} or more"
    return f"{rule.metric_key} is {what}"


CHECKS: Mapping[str, tuple[Level, _Check]] = {
    "no-for": (Level.NOTE, _no_for),
    "no-runbook": (Level.NOTE, _no_runbook),
    "warning-beyond-critical": (Level.WARNING, _beyond_critical),
    "never-true": (Level.WARNING, _never),
    "always-true": (Level.WARNING, _always),
    "equality": (Level.WARNING, _equality),
    "short-cooldown": (Level.WARNING, _short_cooldown),
    "duplicate": (Level.WARNING, _duplicate),
}
