"""What is wrong with a rule that is to be made or changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from api.errors import Conflict, Detail, Invalid
from clustersight.rules import check, relations
from clustersight.rules.definition import overridden, rule_from, rule_of
from clustersight.rules.relations import Names
from clustersight.rules.rule import SQL_PREFIX, Fault, Rule
from clustersight.rules.values import RESERVED_LABELS
from clustersight.store import clusters, rules
from clustersight.store.database import Connection
from clustersight.store.rules import RuleType, StoredRule

BUILT_IN_MAY_CHANGE = frozenset({"threshold", "severity", "cooldown_sec", "enabled"})
OWNED = {
    RuleType.BUILT_IN: 'a built-in rule cannot be deleted; disable it with {"enabled": false}',
    RuleType.FILE: "this rule comes from a file; change it there",
}
# Fields that have a value in every rule: null says nothing.
_NEVER_NULL = ("name", "metric_key", "operator", "threshold", "severity")
# What decides whether two rules can be one alert.
_OF_RAISES = ("raises", "severity", "metric_key", "sql")


def refuse_change(stored: StoredRule, changes: Mapping[str, Any]) -> None:
    """Raise Conflict for a file's rule, Invalid for what is fixed in a built-in one."""
    if stored.rule_type is RuleType.FILE:
        raise Conflict(OWNED[RuleType.FILE])
    wrong = sorted(set(changes) - BUILT_IN_MAY_CHANGE)
    if stored.rule_type is RuleType.BUILT_IN and wrong:
        allowed = ", ".join(sorted(BUILT_IN_MAY_CHANGE))
        message = f"cannot be changed in a built-in rule; only {allowed} can"
        raise Invalid(f"{', '.join(wrong)} {message}", detail=[Detail(name, message) for name in wrong])


def refuse_null(changes: Mapping[str, Any]) -> None:
    """Raise Invalid for null where every rule has a value."""
    _refuse([Detail(n, "must not be null") for n in _NEVER_NULL if n in changes and changes[n] is None])


def keyed(name: str, definition: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
    """The definition with the key that a statement brings. Raises Invalid where `given` says another one."""
    if definition.get("sql") is None:
        return dict(definition)
    own = SQL_PREFIX + name
    if "metric_key" in given and definition["metric_key"] != own:
        _refuse([Detail("metric_key", f"stands beside sql; leave it out, it is {own!r}")])
    return {**definition, "metric_key": own}


def require_custom(db: Connection, rule: Rule, given: Mapping[str, Any], rule_id: str = "") -> None:
    """Raise Invalid with everything that is wrong with a custom rule of which `given` is sent.

    Of relations only what is sent: a cluster or a rule that is gone since must not keep this one from being
    disabled.
    """
    found = list(_label_faults(rule))
    said = {one.path for one in found}
    found += [Detail(fault.field, fault.message) for fault in check.faults(rule) if fault.field not in said]
    found += _no_clusters(db, given)
    found += _relation_faults(db, rule, given, rule_id)
    _refuse(found)


def require_built_in(stored: StoredRule, overrides: Mapping[str, Any]) -> None:
    """Raise Invalid where what is changed of a built-in rule does not go with the rest of it."""
    definition = overridden(stored.definition, overrides)
    found = check.faults(rule_from(stored.name, definition))
    _refuse([_of_override(fault, definition) for fault in found])


def _of_override(fault: Fault, definition: Mapping[str, Any]) -> Detail:
    if fault.field != "resolve_threshold":
        return Detail(fault.field, fault.message)
    what = f"would be on the calm side of the rule's resolve_threshold, {definition['resolve_threshold']:g}"
    return Detail("threshold", f"{what}; a rule of this name in a file can have both")


def require_unnamed(db: Connection, stored: StoredRule) -> None:
    """Raise Conflict where another custom rule names this one, which is to go or to have another name."""
    for other in rules.every(db):
        named = (other.definition.get("raises"), *(other.definition.get("inhibited_by") or ()))
        if other.rule_type is RuleType.CUSTOM and other.id != stored.id and stored.name in named:
            raise Conflict(
                f"the rule {other.name!r} names this one; change its raises and inhibited_by first"
            )


def _label_faults(rule: Rule) -> Iterator[Detail]:
    for label, value in rule.labels.items():
        if label in RESERVED_LABELS:
            yield Detail(f"labels.{label}", RESERVED_LABELS[label])
        elif "{{" in value:
            yield Detail(f"labels.{label}", "is no template; put what varies into summary or description")


def _no_clusters(db: Connection, given: Mapping[str, Any]) -> Iterator[Detail]:
    known = {cluster.id for cluster in clusters.active(db)}
    for number, cluster_id in enumerate(given.get("cluster_ids") or ()):
        if cluster_id not in known:
            yield Detail(f"cluster_ids.{number}", "is no cluster")


def _relation_faults(db: Connection, rule: Rule, given: Mapping[str, Any], rule_id: str) -> Iterator[Detail]:
    touched = [name for name in _OF_RAISES if name in given]
    if not touched and not {"inhibited_by", "name"} & given.keys():
        return
    others = {one.name: rule_of(one) for one in rules.every(db) if one.id != rule_id}
    names = Names({*others, rule.name})
    for fault in relations.faults(rule, others, names):
        if fault.field != "raises":
            yield Detail(fault.field, fault.message)
        elif touched:
            yield Detail(touched[0], fault.message)
    for other in others.values() if touched else ():
        if other.raises == rule.name:
            yield from _of_raising(other, {**others, rule.name: rule}, names, touched[0])


def _of_raising(other: Rule, every: Mapping[str, Rule], names: Names, field: str) -> Iterator[Detail]:
    for fault in relations.faults(other, every, names):
        if fault.field == "raises":
            yield Detail(
                field, f"does not go with the rule {other.name!r}, which raises this one: {fault.message}"
            )


def _refuse(found: list[Detail]) -> None:
    if found:
        raise Invalid("; ".join(f"{one.path} {one.message}" for one in found)[:1000], detail=found)
