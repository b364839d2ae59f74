"""One rule against what is known now (pure): `evaluate(rule, before, look, now)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from clustersight.alerts.instance import Instance, Phase, false_now, fingerprint, holds, true_now
from clustersight.alerts.readings import KeyReadings, Value, takes_cluster, takes_host
from clustersight.rules.rule import NoData, Rule

# By fingerprint, of one rule.
Instances = Mapping[str, Instance]


class Look(Protocol):
    """What evaluation may ask."""

    @property
    def clusters(self) -> Mapping[str, str]:
        """The names of the clusters that are watched, by id."""

    def readings(self, cluster_id: str, key: str) -> KeyReadings:
        """What is known of a key in a cluster."""


class Reason:
    """Why an alert is over, beside that its condition is: a closed set, shown by the API."""

    RECOVERED = "recovered"
    NODE_REMOVED = "node_removed"
    CLUSTER_REMOVED = "cluster_removed"
    RULE_REMOVED = "rule_removed"


@dataclass(slots=True)
class Evaluation:
    """What a rule's evaluation found.

    `instances` are all that are not inactive now, `ended` tells of those that are over why. `samples` is
    the number of values it looked at; `blind` says that some node's panel could not be.
    """

    instances: dict[str, Instance] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    values: dict[str, float | None] = field(default_factory=dict)
    samples: int = 0
    blind: bool = False


def evaluate(rule: Rule, before: Instances, look: Look, now: float) -> Evaluation:
    """The rule's next states; `now` is of the steady clock."""
    work = _Work(rule, before, now, Evaluation())
    for cluster_id, name in look.clusters.items():
        if _looks_at(rule, cluster_id, name):
            work.in_cluster(cluster_id, look.readings(cluster_id, rule.metric_key))
    for key, instance in before.items():
        if key in work.found.instances or key in work.found.ended:
            continue
        if instance.cluster_id not in look.clusters:
            work.found.ended[key] = Reason.CLUSTER_REMOVED
        else:
            work.without_value(key, instance, look.readings(instance.cluster_id, rule.metric_key))
    return work.found


def _looks_at(rule: Rule, cluster_id: str, name: str) -> bool:
    if rule.cluster_ids and cluster_id not in rule.cluster_ids:
        return False
    return not rule.match or takes_cluster(rule.match, name)


@dataclass(slots=True)
class _Work:
    rule: Rule
    before: Instances
    now: float
    found: Evaluation

    def in_cluster(self, cluster_id: str, known: KeyReadings) -> None:
        rule, found = self.rule, self.found
        for value in known.select(rule.match) if rule.match else known.values:
            found.samples += 1
            self._with_value(cluster_id, value)
        found.blind = found.blind or bool(known.blind)
        if rule.no_data is NoData.ALERT:
            for host in known.blind:
                if takes_host(rule.match, host):
                    self._without_data(cluster_id, host)

    def _without_data(self, cluster_id: str, host: str) -> None:
        key = fingerprint(cluster_id, host, ())
        fresh = Instance(cluster_id, host, (), Phase.PENDING, self.now, None)
        self.found.instances[key] = true_now(self.rule, self.before.get(key), fresh)

    def _with_value(self, cluster_id: str, value: Value) -> None:
        key = fingerprint(cluster_id, value.host, value.labels)
        before = self.before.get(key)
        if holds(self.rule, value.value, before):
            fresh = Instance(cluster_id, value.host, value.labels, Phase.PENDING, self.now, value.value)
            self.found.instances[key] = true_now(self.rule, before, fresh)
        elif before is not None:
            self.found.values[key] = value.value
            self._over_or_kept(key, before, value.value)

    def without_value(self, key: str, before: Instance, known: KeyReadings) -> None:
        """A node whose panel could not be read keeps its alerts; one that is gone does not."""
        if before.host in known.blind:
            self.found.instances[key] = before
        elif before.host in known.hosts:
            self._over_or_kept(key, before, None)
        else:
            self.found.ended[key] = Reason.NODE_REMOVED

    def _over_or_kept(self, key: str, before: Instance, value: float | None) -> None:
        after = false_now(self.rule, before, value, self.now)
        if after is None:
            self.found.ended[key] = Reason.RECOVERED
        else:
            self.found.instances[key] = after
