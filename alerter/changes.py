"""From evaluated rules to what changes: states, and alerts that begin, rise, fall and end (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from alerter.book import Book, OpenAlert
from clustersight.alerts.evaluate import Evaluation, Reason
from clustersight.alerts.instance import Instance
from clustersight.alerts.leading import AlertKey, Lead
from clustersight.alerts.planning import rank
from clustersight.rules.rule import Rule
from clustersight.store.alert_events import EventKind

StateKey = tuple[str, str]


@dataclass(slots=True)
class States:
    """`changed` and `gone` are what differs from the book; `instances` is how it stands afterwards."""

    instances: dict[str, dict[str, Instance]] = field(default_factory=dict)
    changed: dict[StateKey, Instance] = field(default_factory=dict)
    gone: list[StateKey] = field(default_factory=list)
    reasons: dict[StateKey, str] = field(default_factory=dict)


def states_after(book: Book, rules: Mapping[str, Rule], evaluated: Mapping[str, Evaluation]) -> States:
    """The states of all rules: of those that were not evaluated now as they were, of removed ones none."""
    after = States()
    for rule_id, before in book.instances.items():
        if rule_id not in rules:
            after.gone += [(rule_id, key) for key in before]
            after.reasons |= {(rule_id, key): Reason.RULE_REMOVED for key in before}
        elif rule_id not in evaluated:
            after.instances[rule_id] = before
    for rule_id, found in evaluated.items():
        before = book.instances.get(rule_id, {})
        after.gone += [(rule_id, key) for key in before if key not in found.instances]
        after.reasons |= {(rule_id, key): reason for key, reason in found.ended.items()}
        changed = _differing(before, found.instances)
        after.changed |= {(rule_id, key): instance for key, instance in changed}
        if found.instances:
            after.instances[rule_id] = found.instances
    return after


def _differing(
    before: Mapping[str, Instance], after: Mapping[str, Instance]
) -> Iterator[tuple[str, Instance]]:
    """What must be written: a value alone is not, since it moves with every pass."""
    for key, one in after.items():
        known = before.get(key)
        if known is None or (known.phase, known.since, known.calm_since) != (
            one.phase,
            one.since,
            one.calm_since,
        ):
            yield key, one


@dataclass(slots=True)
class Ended:
    """An alert that is over, and why; `value` is what its sample says now, None where there is none."""

    alert: OpenAlert
    reason: str
    value: float | None


@dataclass(slots=True)
class Transitions:
    """`changed` are alerts whose severity moved, with what happened."""

    opened: list[tuple[AlertKey, Lead]] = field(default_factory=list)
    changed: list[tuple[OpenAlert, Lead, EventKind]] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)


def transitions(
    book: Book, found: Mapping[AlertKey, Lead], reason_of: Callable[[OpenAlert], tuple[str, float | None]]
) -> Transitions:
    """What becomes of alerts; `reason_of` tells why one is over that no rule holds any more."""
    result = Transitions()
    for key, lead in found.items():
        alert = book.alerts.get(key)
        if alert is None:
            result.opened.append((key, lead))
        elif alert.severity is not lead[1].severity:
            rose = rank(lead[1].severity) > rank(alert.severity)
            result.changed.append((alert, lead, EventKind.ROSE if rose else EventKind.FELL))
    for key, alert in book.alerts.items():
        if key not in found:
            result.ended.append(Ended(alert, *reason_of(alert)))
    return result
