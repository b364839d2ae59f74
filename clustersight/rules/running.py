"""The rules that an alerter evaluates now, and what fires: as the API or the store tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clustersight.rules.definition import rule_from, rule_of
from clustersight.rules.rule import Rule
from clustersight.store import alerts, rules
from clustersight.store.database import Connection
from clustersight.store.rules import RuleType


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that is not resolved; `name` is its rule's."""

    name: str
    severity: str
    cluster: str
    labels: Mapping[str, str]

    def __str__(self) -> str:
        own = ", ".join(f"{name}={value}" for name, value in sorted(self.labels.items()) if name != "cluster")
        return f"{self.name} ({self.severity}) in {self.cluster}" + (f": {own}" if own else "")


@dataclass(frozen=True, slots=True)
class Running:
    """Rules with their origins, and the alerts that are not resolved."""

    rules: Sequence[tuple[RuleType, Rule]]
    alerts: Sequence[OpenAlert] = ()

    def beside(self, names: Iterable[str], *, whole: bool) -> list[Rule]:
        """What rules of these names are to be compared with: those of files, and all that have such a name.

        `whole`: the built-in ones are among the names. Those made over the API are no file's to remove.
        """
        own, named = {RuleType.FILE} | ({RuleType.BUILT_IN} if whole else set()), set(names)
        return [rule for kind, rule in self.rules if kind in own or rule.name in named]


def of_store(db: Connection) -> Running:
    """As the store has them. Raises StoreError."""
    found = [(one.rule_type, rule_of(one)) for one in rules.every(db)]
    fired = [
        OpenAlert(one.rule_name, one.severity, one.detail["cluster_name"], one.detail["labels"])
        for one in alerts.open_ones(db)
    ]
    return Running(found, fired)


def of_api(plain_rules: Iterable[Mapping[str, Any]], plain_alerts: Iterable[Mapping[str, Any]]) -> Running:
    """From answers of GET /alerts/rules and /alerts. Raises LookupError, TypeError and ValueError."""
    found = [(RuleType(one["rule_type"]), _rule(one)) for one in plain_rules]
    fired = [
        OpenAlert(one["rule_name"], one["severity"], one["cluster_name"], one["labels"])
        for one in plain_alerts
    ]
    return Running(found, fired)


def _rule(plain: Mapping[str, Any]) -> Rule:
    return rule_from(plain["name"], plain, plain["origin"], enabled=plain["enabled"])
