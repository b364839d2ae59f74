"""A rule as the store and the API write it: plain JSON under the names of spec/api.md, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from clustersight.rules.rule import NoData, Operator, Rule, RunOn
from clustersight.settings.notify import Severity
from clustersight.store.rules import StoredRule

# What stands in columns of its own.
_COLUMNS = frozenset({"name", "enabled", "origin"})
_FIELDS = tuple(f.name for f in dataclasses.fields(Rule) if f.name not in _COLUMNS)
_TUPLES = ("inhibited_by", "cluster_ids")


def definition_of(rule: Rule) -> dict[str, Any]:
    """Everything but name, origin and whether it is on."""
    plain = {name: getattr(rule, name) for name in _FIELDS}
    plain["match"] = {k: list(v) if isinstance(v, tuple) else v for k, v in rule.match.items()}
    plain["labels"] = dict(rule.labels)
    return plain | {name: list(plain[name]) for name in _TUPLES}


def rule_of(stored: StoredRule) -> Rule:
    """The rule with what was changed of it over the API."""
    definition = overridden(stored.definition, stored.overrides)
    return rule_from(stored.name, definition, stored.origin, enabled=stored.enabled)


def overridden(definition: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A definition with what was changed of it: a resolve threshold that the new threshold passes goes along.

    Who lowers a disk's 85 to 70 means that 80 is no calm any more.
    """
    found = {**definition, **overrides}
    resolve = found.get("resolve_threshold")
    if "threshold" in overrides and resolve is not None:
        closer = min if found["operator"] in (Operator.ABOVE, Operator.AT_LEAST) else max
        found["resolve_threshold"] = closer(resolve, found["threshold"])
    return found


def rule_from(name: str, definition: Mapping[str, Any], origin: str = "", *, enabled: bool = True) -> Rule:
    """A rule from its definition; what an older release did not write has its default."""
    values = {key: definition[key] for key in _FIELDS if key in definition}
    values["operator"] = Operator(values["operator"])
    values["severity"] = Severity(values.get("severity", Severity.WARNING))
    values["no_data"] = NoData(values.get("no_data", NoData.KEEP))
    values["run_on"] = RunOn(values.get("run_on", RunOn.EACH))
    match = values.get("match") or {}
    values["match"] = {k: tuple(v) if isinstance(v, list) else v for k, v in match.items()}
    values |= {key: tuple(values.get(key) or ()) for key in _TUPLES}
    return Rule(name=name, enabled=enabled, origin=origin, **values)
