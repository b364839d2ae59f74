"""The life of alerts through a test: each pass as the alerter makes it, messages delivered at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from clustersight.alerts.evaluate import evaluate
from clustersight.alerts.inhibition import Place, Sources, place_of
from clustersight.alerts.instance import Instance, Phase
from clustersight.alerts.keys import linger_seconds, reach_of
from clustersight.alerts.leading import AlertKey, Lead, leads
from clustersight.alerts.planning import Standing, Told, decide, on_resolve
from clustersight.alerts.wording import detail_of, labels_of
from clustersight.notify.notice import NoticeKind
from clustersight.rules.rule import Rule
from clustersight.rules.testing.cases import Action, Deed
from clustersight.rules.testing.sight import TestSight


@dataclass(slots=True)
class Alert:
    """An alert that fires: `rule` gives it severity and text, `name` is the alert's own."""

    name: str
    rule: Rule
    instance: Instance
    told: Told = field(default_factory=Told)
    acknowledged: bool = False
    inhibited_by: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """Under which a test may name it."""
        return frozenset({self.name, self.rule.name})

    @property
    def labels(self) -> dict[str, str]:
        """All of them but alertname; a cluster without a name gives none."""
        own = labels_of(self.rule, self.instance, self.instance.cluster_id)
        if not self.instance.cluster_id:
            del own["cluster"]
        return {**own, "severity": self.rule.severity.value}

    @property
    def annotations(self) -> dict[str, str]:
        """Its texts, filled in; those that the rule has."""
        detail = detail_of(self.rule, self.instance, self.instance.cluster_id, None)
        summary = detail["summary"] if self.rule.summary else ""
        texts = {**detail, "summary": summary, "fix": detail["fix_command"]}
        return {name: texts[name] for name in ("summary", "description", "runbook_url", "fix") if texts[name]}

    @property
    def place(self) -> Place:
        return place_of(self.instance.cluster_id, self.instance.host, self.labels)

    def inhibits(self) -> list[tuple[str, Place]]:
        """As whom and where it inhibits others."""
        place = place_of(self.instance.cluster_id, reach_of(self.rule, self.instance), self.labels)
        return [(name, place) for name in sorted(self.names)]


@dataclass(frozen=True, slots=True)
class Sent:
    """A message, with the names and labels that its alert had then."""

    at: int
    kind: NoticeKind
    names: frozenset[str]
    name: str
    labels: Mapping[str, str]


class Life:
    """Rules with what they know; `step` is one pass, in the order of the alerter's (alerter/writing.py)."""

    def __init__(self, rules: Iterable[Rule], sight: TestSight, interval: int) -> None:
        self._sight = sight
        self._interval = interval
        self._rules = {rule.name: rule for rule in rules if rule.enabled}
        self._wanted = {name for rule in self._rules.values() for name in rule.inhibited_by}
        self._next_at = dict.fromkeys(self._rules, sight.now)
        self._instances: dict[str, dict[str, Instance]] = {}
        self._snoozed: dict[AlertKey, int] = {}
        self._lingering: list[tuple[str, Place, float]] = []
        self.open: dict[AlertKey, Alert] = {}
        self.sent: list[Sent] = []

    def look(self, sight: TestSight) -> None:
        """Go on with other series."""
        self._sight = sight

    def step(self, now: int) -> None:
        """One pass, at a later time than the one before."""
        self._sight.now = now
        self._evaluate(now)
        found = leads(self._rules, self._instances)
        ended = [key for key in self.open if key not in found]
        for key, lead in found.items():
            self._hold(key, lead)
        self._inhibit(found, now)
        for key in found:
            self._tell(key, self.open[key], now)
        for key in ended:
            self._end(self.open.pop(key), now)

    def _evaluate(self, now: int) -> None:
        for name, rule in self._rules.items():
            if now >= self._next_at[name]:
                # A group with an interval of its own is looked at less often.
                self._next_at[name] += max(rule.interval_sec or self._interval, self._interval)
                found = evaluate(rule, self._instances.get(name, {}), self._sight, float(now))
                self._instances[name] = found.instances

    def _hold(self, key: AlertKey, lead: Lead) -> None:
        _, rule, instance = lead
        known = self.open.setdefault(key, Alert(rule.identity, rule, instance))
        known.rule, known.instance = rule, instance

    def _inhibit(self, found: Mapping[AlertKey, Lead], now: int) -> None:
        self._lingering = [one for one in self._lingering if now < one[2]]
        fresh = [
            (name, place_of(instance.cluster_id, reach_of(rule, instance), dict(instance.labels)))
            for _, rule, instance in found.values()
            for name in {rule.name, rule.identity} & self._wanted
        ]
        # What ends in this pass lingers already.
        over = [part for key, alert in self.open.items() if key not in found for part in alert.inhibits()]
        sources = Sources([*fresh, *over, *((name, place) for name, place, _ in self._lingering)])
        for key in found:
            alert = self.open[key]
            alert.inhibited_by = sources.inhibitor(alert.rule.inhibited_by, alert.place)

    def _tell(self, key: AlertKey, alert: Alert, now: int) -> None:
        quiet = alert.inhibited_by is not None or now < self._snoozed.get(key, 0)
        severity = alert.rule.severity
        standing = Standing(severity, alert.acknowledged, quiet, alert.rule.cooldown_sec)
        alert.told.fall(severity)
        decision = decide(standing, alert.told, now)
        if decision.kind is not None:
            alert.told.severity, alert.told.at = severity, now
            self._send(alert, decision.kind, now)

    def _end(self, alert: Alert, now: int) -> None:
        until = now + linger_seconds(alert.rule.metric_key)
        self._lingering += [(name, place, until) for name, place in alert.inhibits()]
        decision, _ = on_resolve(alert.told)
        if decision.kind is not None:
            self._send(alert, decision.kind, now)

    def _send(self, alert: Alert, kind: NoticeKind, now: int) -> None:
        self.sent.append(Sent(now, kind, alert.names, alert.name, alert.labels))

    def firing(self) -> Iterator[tuple[Rule, str, Instance]]:
        """Every rule that fires, by itself, with the fingerprint of what for."""
        for name, own in self._instances.items():
            for key, instance in own.items():
                if instance.phase is Phase.FIRING:
                    yield self._rules[name], key, instance

    def named(self, name: str) -> list[Alert]:
        """What fires under a name: the alert's, or that of the rule that leads it."""
        return [alert for alert in self.open.values() if name in alert.names]

    def act(self, action: Action) -> bool:
        """What a person does after a pass; False where nothing fires to do it with."""
        done = [key for key, alert in self.open.items() if _is_meant(alert, action)]
        for key in done:
            if action.deed is Deed.ACKNOWLEDGE:
                self.open[key].acknowledged = True
            else:
                self._snoozed[key] = action.time + action.for_sec
        return bool(done)


def _is_meant(alert: Alert, action: Action) -> bool:
    return action.alertname in alert.names and action.labels.items() <= alert.labels.items()


def times(last: int, interval: int) -> Iterator[tuple[int, int]]:
    """Each pass, and the time until which what it found holds."""
    for at in range(0, last + 1, interval):
        yield at, at + interval
