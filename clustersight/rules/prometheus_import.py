"""Rule files of Prometheus as ours, as far as they can be said; what cannot is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from clustersight.problem import Problem, SettingsError
from clustersight.rules import prometheus_texts, promql_reader
from clustersight.rules.fields import ANNOTATIONS
from clustersight.rules.loader import MAX_NODES
from clustersight.rules.prometheus_texts import UntranslatableError
from clustersight.rules.promql_reader import Condition, UnknownExpressionError
from clustersight.rules.rule import NoData
from clustersight.rules.values import RESERVED_LABELS
from clustersight.settings.notify import Severity
from clustersight.yaml_file import faults_of, read_mapping
from clustersight.yaml_tree import Keys, Tree

_TEXTS = ("summary", "description")


@dataclass(slots=True)
class Imported:
    """Our rule file, how many rules are in it, and what was left out, with the place."""

    text: str = ""
    rules: int = 0
    left_out: list[Problem] = field(default_factory=list)


def import_files(paths: Sequence[Path]) -> Imported:
    """Translate files into one. Raises SettingsError with what is wrong in all of them."""
    found, groups, problems = Imported(), list[dict[str, Any]](), list[Problem]()
    names: dict[str, str] = {}
    for path in paths:
        try:
            tree = read_mapping(path, max_nodes=MAX_NODES)
        except SettingsError as error:
            problems += error.problems
            continue
        problems += faults_of(tree, str(path))
        groups += _Import(tree, str(path), found, names).groups()
    if problems:
        raise SettingsError(problems)
    document = {"groups": [group for group in groups if group["rules"]]}
    found.text = yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110)
    return found


@dataclass(slots=True)
class _Import:
    tree: Tree
    source: str
    found: Imported
    # The severity of the first rule of each name, in all files.
    names: dict[str, str]

    def _leave_out(self, keys: Keys, message: str) -> None:
        place = self.tree.place(keys)
        self.found.left_out.append(Problem(self.source, f"left out: {message}", place.line, place.column))

    def groups(self) -> Iterator[dict[str, Any]]:
        for number, group in enumerate(_listed(self.tree.data.get("groups"))):
            keys: Keys = ("groups", number)
            if not isinstance(group, dict):
                self._leave_out(keys, "a group that is no mapping")
                continue
            kept = {key: group[key] for key in ("name", "interval", "labels") if group.get(key)}
            for key in group.keys() - {*kept, "rules"}:
                self._leave_out((*keys, key), f"{key} of a group, which has no counterpart")
            rules = enumerate(_listed(group.get("rules")))
            yield {
                **kept,
                "rules": [rule for n, data in rules for rule in self._rule((*keys, "rules", n), data)],
            }

    def _rule(self, keys: Keys, data: Any) -> Iterator[dict[str, Any]]:
        if not isinstance(data, dict) or not isinstance(data.get("alert"), str):
            self._leave_out(keys, "a rule that records and does not alert")
            return
        name = data["alert"]
        try:
            condition = promql_reader.read(str(data.get("expr", "")))
        except UnknownExpressionError as error:
            self._leave_out((*keys, "expr"), f"rule {name!r}: {error}")
            return
        self.found.rules += 1
        yield self._translated(keys, data, condition)

    def _translated(self, keys: Keys, data: Mapping[str, Any], condition: Condition) -> dict[str, Any]:
        labels = data.get("labels") if isinstance(data.get("labels"), dict) else {}
        severity = self._severity((*keys, "labels", "severity"), (labels or {}).get("severity"))
        rule = {**self._named(data["alert"], severity, keys), **_condition(condition), "severity": severity}
        rule |= {key: data[key] for key in ("for", "keep_firing_for") if data.get(key)}
        for part, value in (
            ("labels", self._labels((*keys, "labels"), labels or {})),
            ("annotations", self._annotations(keys, data.get("annotations"), scaled=condition.scaled)),
        ):
            if value:
                rule[part] = value
        return rule

    def _named(self, name: str, severity: str, keys: Keys) -> dict[str, str]:
        """A second rule of a name is its higher severity, as the export has it."""
        rises = (self.names.get(name), severity) == (Severity.WARNING, Severity.CRITICAL)
        wanted = f"{name}Critical" if rises else name
        own, number = wanted, 2
        while own in self.names:
            own, number = f"{wanted} ({number})", number + 1
        if own != wanted:
            self._leave_out(
                (*keys, "alert"), f"the name {wanted!r}, which an earlier rule has; it is {own!r}"
            )
        self.names[own] = severity
        return {"alert": own} | ({"raises": name} if rises else {})

    def _severity(self, keys: Keys, value: Any) -> str:
        if value in set(Severity):
            return str(value)
        if value is not None:
            self._leave_out(keys, f"the severity {value!r}; the rule is a warning (there is also critical)")
        return str(Severity.WARNING)

    def _labels(self, keys: Keys, labels: Mapping[str, Any]) -> dict[str, str]:
        kept = {}
        for label, value in labels.items():
            if label == "severity":
                continue
            if label in RESERVED_LABELS or "{{" in str(value):
                self._leave_out(
                    (*keys, label), f"the label {label!r}, which is the alert's own or a template"
                )
            else:
                kept[label] = str(value)
        return kept

    def _annotations(self, rule_keys: Keys, annotations: Any, *, scaled: bool) -> dict[str, str]:
        kept = {}
        known = ANNOTATIONS.readers
        for name, text in annotations.items() if isinstance(annotations, dict) else ():
            keys = (*rule_keys, "annotations", name)
            if name not in known:
                self._leave_out(keys, f"the annotation {name!r}; there are {', '.join(known)}")
                continue
            try:
                kept[name] = (
                    prometheus_texts.imported(str(text), scaled=scaled) if name in _TEXTS else str(text)
                )
            except UntranslatableError as error:
                self._leave_out(keys, f"the annotation {name!r}: {error}")
        return kept


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _condition(condition: Condition) -> dict[str, Any]:
    match = {k: list(v) if isinstance(v, tuple) else v for k, v in condition.match.items()}
    found: dict[str, Any] = {"metric_key": condition.metric_key, "match": match} if match else {}
    found = {"metric_key": condition.metric_key, **found}
    found |= {"operator": str(condition.operator), "threshold": condition.threshold}
    if condition.resolve_threshold is not None:
        found["resolve_threshold"] = condition.resolve_threshold
    if condition.no_data is not NoData.KEEP:
        found["no_data"] = str(condition.no_data)
    return found
