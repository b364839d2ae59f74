"""A rule's state for one set of labels, and its next one (pure): inactive -> pending -> firing -> over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from clustersight.alerts.readings import Labels
from clustersight.rules.rule import Operator, Rule


class Phase(StrEnum):
    """Where it is; an inactive one is not kept at all."""

    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class Instance:
    """Times are of the alerter's steady clock; `value` is None where a rule fires for want of data.

    `since`: the condition holds without a break. `calm_since`: it no longer does, and keep_firing_for runs.
    """

    cluster_id: str
    host: str
    labels: Labels
    phase: Phase
    since: float
    value: float | None
    calm_since: float | None = None

    def moved(self, seconds: float) -> Instance:
        """The same, with its ages, on a clock that is so much ahead: a restart costs no alert its `for`."""
        calm = None if self.calm_since is None else self.calm_since + seconds
        return replace(self, since=self.since + seconds, calm_since=calm)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "cluster_id": self.cluster_id,
            "host": self.host,
            "labels": dict(self.labels),
            "phase": self.phase.value,
            "since": self.since,
            "value": self.value,
            "calm_since": self.calm_since,
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Instance:
        labels = tuple(sorted(plain["labels"].items()))
        return cls(**{**plain, "labels": labels, "phase": Phase(plain["phase"])})


def fingerprint(cluster_id: str, host: str, labels: Labels) -> str:
    """What tells two alerts of one rule apart: cluster, host and the sample's labels, and nothing else."""
    parts = (cluster_id, host, *(part for pair in labels for part in pair))
    # A length before each part: no name can be made to look like two.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


_COMPARE = {
    Operator.ABOVE: float.__gt__,
    Operator.AT_LEAST: float.__ge__,
    Operator.BELOW: float.__lt__,
    Operator.AT_MOST: float.__le__,
    Operator.EQUAL: float.__eq__,
    Operator.DIFFERENT: float.__ne__,
}


def holds(rule: Rule, value: float, before: Instance | None) -> bool:
    """Whether the condition is true; while it fires, a resolve threshold stands for the threshold.

    NaN fulfils no condition, also not !=: nothing is known.
    """
    if value != value:  # noqa: PLR0124 - NaN
        return False
    # What fires for want of data says nothing of a value.
    firing = before is not None and before.phase is Phase.FIRING and before.value is not None
    threshold = rule.threshold
    if firing and rule.resolve_threshold is not None:
        threshold = rule.resolve_threshold
    return bool(_COMPARE[rule.operator](float(value), float(threshold)))


def true_now(rule: Rule, before: Instance | None, found: Instance) -> Instance:
    """The condition holds; `found` is how a new one would begin, now."""
    if before is None:
        return replace(found, phase=Phase.FIRING) if rule.for_sec <= 0 else found
    if before.phase is Phase.FIRING:
        if before.value == found.value and before.calm_since is None:
            return before
        return replace(before, value=found.value, calm_since=None)
    ripe = found.since - before.since >= rule.for_sec
    return replace(before, value=found.value, phase=Phase.FIRING if ripe else Phase.PENDING)


def false_now(rule: Rule, before: Instance, value: float | None, now: float) -> Instance | None:
    """The condition does not hold; None: it is over."""
    if before.phase is Phase.PENDING or rule.keep_firing_for_sec <= 0:
        return None
    calm_since = now if before.calm_since is None else before.calm_since
    if now - calm_since >= rule.keep_firing_for_sec:
        return None
    return replace(before, calm_since=calm_since, value=before.value if value is None else value)
