"""From the tree of a rule file to rules, each with the place of every field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from clustersight.problem import Problem
from clustersight.rules import expression, values
from clustersight.rules.expression import Expression, ExpressionError
from clustersight.rules.fields import FILE, GROUP, RULE
from clustersight.rules.places import UNUSABLE, Document, Spot
from clustersight.rules.rule import DEFAULT_COOLDOWN_SECONDS, SQL_PREFIX, Fault, NoData, Rule, RunOn
from clustersight.settings.notify import Severity
from clustersight.yaml_tree import Keys, Place

_CONDITION = ("metric_key", "operator", "threshold")
_BY_EXPR = (*_CONDITION, "match")
_FILE, _GROUP, _RULE = FILE.readers, GROUP.readers, RULE.readers
# It is their key that is wrong: a label.
_KEYED = ("match", "labels")
# Where a field of Rule stands in the file under another name, or within another key.
_KEYS: Mapping[str, Keys] = {
    "for_sec": ("for",),
    "keep_firing_for_sec": ("keep_firing_for",),
    "summary": ("annotations", "summary"),
    "description": ("annotations", "description"),
    "runbook_url": ("annotations", "runbook_url"),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule that could be read, not yet compared with anything."""

    rule: Rule
    spot: Spot
    expression: Expression | None

    @property
    def line(self) -> int:
        return self.spot.document.tree.place(self.spot.keys).line

    def has(self, key: str) -> bool:
        """Whether the rule in the file says it itself."""
        return (*self.spot.keys, key) in self.spot.document.tree.keys

    def wrong(self, fault: Fault) -> None:
        """Note what is wrong, where it stands in the file."""
        at, place = self._at(fault)
        self.spot.document.wrong(at, fault.message, place)

    def problem(self, fault: Fault) -> Problem:
        """A remark on the rule, which is not noted."""
        at, place = self._at(fault)
        return self.spot.document.problem(at, fault.message, place)

    def _at(self, fault: Fault) -> tuple[Keys, Place | None]:
        keys, position = self._place_of(fault)
        document, at = self.spot.document, (*self.spot.keys, *keys)
        place = document.tree.keys.get(at) if len(keys) > 1 and keys[0] in _KEYED else None
        text = _text_at(document.tree.data, at) if position is not None else ""
        if position is not None and text:
            place = document.place_within(at, text, position)
        return at, place

    def _place_of(self, fault: Fault) -> tuple[Keys, int | None]:
        """The keys of a field in this file; within expr also the position of a label."""
        first, _, rest = fault.field.partition(".")
        if self.expression is not None and first in _BY_EXPR:
            return ("expr",), self.expression.positions.get(rest, 0)
        if rest:
            return (first, int(rest) if rest.isdecimal() else rest), fault.position
        return _KEYS.get(first, (first,) if first else ()), fault.position


def _text_at(data: Any, keys: tuple[str | int, ...]) -> str:
    for key in keys:
        try:
            data = data[key]
        except (LookupError, TypeError):
            return ""
    return data if isinstance(data, str) else ""


@dataclass(slots=True)
class Drafts:
    """The rules of a file; `names` are also those of rules that could not be read."""

    rules: list[Draft] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    seen: int = 0


@dataclass(frozen=True, slots=True)
class _Group:
    """What a rule gets from its group."""

    labels: Mapping[str, str] = field(default_factory=dict)
    interval_sec: int | None = None


def read(document: Document) -> Drafts:
    """The rules of a document; what is wrong is noted in it."""
    drafts, top = Drafts(), Spot(document)
    found = values.entries(document.tree.data, _FILE, top)
    if "groups" in found and "rules" in found:
        top.at("rules").wrong_key("stands beside groups; move these rules into a group")
    for spot, data in _items(found.get("groups"), top.at("groups")):
        _read_group(data, spot, drafts)
    _read_rules(found.get("rules"), top.at("rules"), _Group(), drafts)
    if not drafts.seen and not document.problems:
        top.wrong("holds no rule; write groups: or rules:, or remove the file")
    return drafts


def _items(value: Any, spot: Spot) -> Iterator[tuple[Spot, Any]]:
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield spot.at(index), one
    elif value not in (None, UNUSABLE):
        spot.wrong(f"must be a list (- …), not {values.kind(value)}")


def _read_group(data: Any, spot: Spot, drafts: Drafts) -> None:
    found = values.entries(data, _GROUP, spot)
    if isinstance(data, dict):
        for key in ("name", "rules"):
            if key not in data:
                spot.wrong(f"is a group without {key}; write {key}:")
    usable = _usable(found)
    group = _Group(usable.get("labels", {}), usable.get("interval"))
    _read_rules(found.get("rules"), spot.at("rules"), group, drafts)


def _read_rules(value: Any, spot: Spot, group: _Group, drafts: Drafts) -> None:
    for at, data in _items(value, spot):
        drafts.seen += 1
        draft = _rule(data, at, group, drafts.names)
        if draft is not None:
            drafts.rules.append(draft)


def _usable(found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if value is not UNUSABLE}


def _rule(data: Any, spot: Spot, group: _Group, names: set[str]) -> Draft | None:
    found = values.entries(data, _RULE, spot)
    if not found:
        if isinstance(data, dict) and not data:
            spot.wrong("is an empty rule; write alert:, metric_key:, operator: and threshold:")
        return None
    name = _name(found, spot)
    if name is not None:
        names.add(name)
    _refuse_both(found, spot)
    expr = _expression(found, spot)
    complete = _complete(found, spot)
    usable = _usable(found)
    if expr is not None:
        usable |= {key: getattr(expr, key) for key in _BY_EXPR if key != "metric_key"}
        usable["metric_key"] = expr.name
    if name is None or not complete or any(key not in usable for key in ("operator", "threshold")):
        return None
    return Draft(_built(name, usable, group, spot), spot, expr)


def _name(found: Mapping[str, Any], spot: Spot) -> str | None:
    if "alert" not in found and "name" not in found:
        spot.wrong("is a rule without a name; write alert: NAME")
        return None
    names = [found[key] for key in ("alert", "name") if found.get(key, UNUSABLE) is not UNUSABLE]
    if len(names) == 2 and names[0] != names[1]:
        spot.at("name").wrong(f"is not alert's {names[0]!r}; leave one of them out")
    return names[0] if names else None


def _refuse_both(found: Mapping[str, Any], spot: Spot) -> None:
    for key in _BY_EXPR if "expr" in found else ():
        if key in found:
            spot.at(key).wrong_key("is said by expr too; leave one of them out")
    if "sql" in found:
        for key in ("expr", "metric_key"):
            if key in found:
                spot.at(key).wrong_key("stands beside sql, which is read instead; leave one of them out")
    elif "run_on" in found:
        spot.at("run_on").wrong_key("is for rules with sql; leave it out")


def _expression(found: Mapping[str, Any], spot: Spot) -> Expression | None:
    text = found.get("expr", UNUSABLE)
    if text is UNUSABLE:
        return None
    try:
        return expression.parse(text)
    except ExpressionError as error:
        document, keys = spot.document, (*spot.keys, "expr")
        document.wrong(keys, error.message, document.place_within(keys, text, error.position))
    return None


def _complete(found: Mapping[str, Any], spot: Spot) -> bool:
    """Whether the condition is whole; a key whose value was wrong is there all the same."""
    if "expr" in found:
        return True
    missing = [key for key in _CONDITION if key not in found and not (key == "metric_key" and "sql" in found)]
    if missing:
        spot.wrong(f"has no {' and no '.join(missing)}; write {', '.join(f'{key}:' for key in missing)} …")
    return not missing and found.get("metric_key") is not UNUSABLE


def _built(name: str, usable: Mapping[str, Any], group: _Group, spot: Spot) -> Rule:
    place = spot.document.tree.place(spot.keys)
    texts = _usable(usable.get("annotations", {}))
    sql = usable.get("sql")
    return Rule(
        name=name,
        metric_key=usable["metric_key"] if sql is None else SQL_PREFIX + name,
        operator=usable["operator"],
        threshold=usable["threshold"],
        severity=usable.get("severity", Severity.WARNING),
        match=usable.get("match", {}),
        resolve_threshold=usable.get("resolve_threshold"),
        for_sec=usable.get("for", 0),
        keep_firing_for_sec=usable.get("keep_firing_for", 0),
        cooldown_sec=usable.get("cooldown_sec", DEFAULT_COOLDOWN_SECONDS),
        no_data=usable.get("no_data", NoData.KEEP),
        raises=usable.get("raises"),
        inhibited_by=usable.get("inhibited_by", ()),
        group=usable.get("group"),
        labels={**group.labels, **usable.get("labels", {})},
        summary=texts.get("summary", ""),
        description=texts.get("description", ""),
        runbook_url=texts.get("runbook_url"),
        fix=usable.get("fix"),
        sql=sql,
        run_on=usable.get("run_on", RunOn.EACH),
        interval_sec=group.interval_sec,
        enabled=usable.get("enabled", True),
        origin=f"{spot.document.source}:{place.line}",
    )
