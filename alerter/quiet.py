"""Which alerts are not to be sent: silences and snoozes on the steady clock, and what inhibits others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from alerter.book import Book, OpenAlert
from alerter.steady import SteadyClock
from clustersight.alerts.inhibition import MOST_LINGER_SECONDS, Place, Sources, place_of
from clustersight.alerts.keys import reach_of
from clustersight.alerts.leading import AlertKey, Lead
from clustersight.alerts.silencing import matches
from clustersight.rules.rule import Rule
from clustersight.store.silences import StoredSilence


@dataclass(frozen=True, slots=True)
class Running:
    """A silence; `starts` and `ends` in steady seconds."""

    id: str
    matchers: Sequence[Mapping[str, str]]
    starts: float
    ends: float


@dataclass(slots=True)
class Silences:
    """Known silences keep the times of when they were first seen: a step of the clock moves none of them."""

    clock: SteadyClock
    running: dict[str, Running] = field(default_factory=dict)

    def follow(self, stored: Iterable[StoredSilence]) -> None:
        """Take over what the store holds; what was deleted is over."""
        self.running = {one.id: self.running.get(one.id) or self._new(one) for one in stored}

    def _new(self, stored: StoredSilence) -> Running:
        silence, now = stored.silence, self.clock.now()
        # What was made in the future was made before the clock was set back: it lasts as long as it was to.
        ahead = max(0.0, self.clock.of_wall(stored.created_at) - now)
        starts = self.clock.of_wall(silence.starts_at) - ahead
        return Running(stored.id, silence.matchers, starts, self.clock.of_wall(silence.ends_at) - ahead)

    def holding(self) -> list[Running]:
        """Those that hold now."""
        now = self.clock.now()
        return [one for one in self.running.values() if one.starts <= now < one.ends]


def silenced_by(holding: Sequence[Running], alert: OpenAlert) -> str | None:
    """The id of a silence that holds for an alert, by its own name or by that of the rule that leads."""
    for name in dict.fromkeys((alert.rule_name, alert.detail["rule"])):
        labels = {**alert.detail["labels"], "alertname": name, "severity": alert.severity.value}
        for one in holding:
            if matches(one.matchers, labels):
                return one.id
    return None


def lingering(book: Book, now: float) -> list[tuple[str, Place, float]]:
    """What ended a while ago and still inhibits."""
    return [one for one in book.lingering if now < one[2] <= now + MOST_LINGER_SECONDS]


def sources_of(
    book: Book,
    ended: Iterable[tuple[str, Place, float]],
    leads: Mapping[AlertKey, Lead],
    rules: Iterable[Rule],
) -> Sources:
    """What fires, and what did until now: of rules that inhibit others.

    What ends in this pass lingers from now on: else what it held back would be sent in between.
    """
    wanted = {name for rule in rules for name in rule.inhibited_by}
    fresh = [
        (name, place_of(instance.cluster_id, reach_of(rule, instance), dict(instance.labels)))
        for _, rule, instance in leads.values()
        for name in {rule.name, rule.identity} & wanted
    ]
    over = [part for key, one in book.alerts.items() if key not in leads for part in one.inhibits()]
    return Sources([*fresh, *over, *((rule, place) for rule, place, _ in ended)])
