"""Which rule gives an alert its severity and text: of a rule and those that raise it one fires (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from clustersight.alerts.instance import Instance, Phase
from clustersight.alerts.planning import rank
from clustersight.rules.rule import Rule

# The rule whose alert it is, and its fingerprint.
AlertKey = tuple[str, str]
# The rule that gives an alert its severity and text, under its id, and its state.
Lead = tuple[str, Rule, Instance]


def leads(rules: Mapping[str, Rule], instances: Mapping[str, Mapping[str, Instance]]) -> dict[AlertKey, Lead]:
    """What fires, by alert: of a rule and those that raise it, the most severe one."""
    found: dict[AlertKey, Lead] = {}
    for rule_id, own in instances.items():
        rule = rules[rule_id]
        for key, instance in own.items():
            if instance.phase is not Phase.FIRING:
                continue
            place = (rule.identity, key)
            known = found.get(place)
            if known is None or _goes_before(rule, known[1]):
                found[place] = (rule_id, rule, instance)
    return found


def _goes_before(rule: Rule, other: Rule) -> bool:
    if rule.severity is not other.severity:
        return rank(rule.severity) > rank(other.severity)
    return rule.raises is not None and other.raises is None
