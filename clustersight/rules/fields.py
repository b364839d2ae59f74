"""The rule file as tables of fields: the loader reads by them, docs/rules.schema.json is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from clustersight.rules import values
from clustersight.rules.places import Spot
from clustersight.rules.rule import DEFAULT_COOLDOWN_SECONDS, NoData, Operator, RunOn
from clustersight.rules.values import LABEL, NAME_LENGTH, RESERVED_LABELS, URL, Reader
from clustersight.settings.notify import Severity

Schema = Mapping[str, Any]


class Grouping(StrEnum):
    """What one message tells of."""

    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Field:
    """One key: how its value is read, its JSON Schema, and what it means in a line."""

    name: str
    read: Reader
    schema: Schema
    about: str


@dataclass(frozen=True, slots=True)
class Table:
    """The keys that a mapping may have."""

    fields: tuple[Field, ...]

    @property
    def readers(self) -> dict[str, Reader]:
        return {field.name: field.read for field in self.fields}

    @property
    def schema(self) -> dict[str, Any]:
        properties = {one.name: {**one.schema, "description": one.about} for one in self.fields}
        return {"type": "object", "additionalProperties": False, "properties": properties}


_TEXT: Schema = {"type": "string", "pattern": r"\S"}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": NAME_LENGTH}
_VALUE: Schema = {"type": "string"}
# Prometheus' units, each at most once and the largest first; 0 alone needs none.
_DURATION: Schema = {
    "oneOf": [
        {"const": 0},
        {"const": "0"},
        {
            "type": "string",
            "pattern": "^(?=[0-9])([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
        },
    ]
}
_LABEL: Schema = {"pattern": f"^{LABEL.pattern}$"}
_MATCH: Schema = {
    "type": "object",
    "propertyNames": _LABEL,
    "additionalProperties": {"oneOf": [_VALUE, {"type": "array", "items": _VALUE, "minItems": 1}]},
}
_LABELS: Schema = {
    "type": "object",
    "propertyNames": {**_LABEL, "not": {"enum": list(RESERVED_LABELS)}},
    "additionalProperties": {**_VALUE, "not": {"pattern": r"\{\{"}},
}
_NUMBER: Schema = {"type": "number"}


def _one_of(choices: type[StrEnum]) -> Schema:
    return {"enum": [choice.value for choice in choices]}


ANNOTATIONS = Table((
    Field("summary", values.text, _TEXT, "One line; a template."),
    Field("description", values.text, _TEXT, "What it means and what to do; a template."),
    Field("runbook_url", values.url, {"type": "string", "pattern": f"^{URL.pattern}$"}, "Where to read on."),
))  # fmt: skip
_ANNOTATIONS_READERS = ANNOTATIONS.readers


def _annotations(value: Any, spot: Spot) -> Any:
    return values.entries(value, _ANNOTATIONS_READERS, spot)


RULE = Table((
    Field("alert", values.name, _NAME, "The rule's name, unique over all files."),
    Field("name", values.name, _NAME, "The same as alert."),
    Field("metric_key", values.text, _TEXT, "A rule key of docs/METRICS.md, as in disk.usage_pct."),
    Field("match", values.match, _MATCH, "Labels that a series must have: a value, or a list of them."),
    Field("operator", values.choice(Operator), _one_of(Operator), "How the value is compared."),
    Field("threshold", values.number, _NUMBER, "In the unit of the metric key."),
    Field("expr", values.text, _TEXT, 'Instead of these four: disk.usage_pct{disk="default"} > 85.'),
    Field("sql", values.text, _TEXT, "Instead of metric_key: a SELECT of value and of label columns."),
    Field("run_on", values.choice(RunOn), _one_of(RunOn), "The nodes that sql is asked of; each by default."),
    Field("resolve_threshold", values.number, _NUMBER, "It resolves only beyond this, on the calm side."),
    Field("for", values.duration, _DURATION, "How long the condition must hold before it fires."),
    Field("keep_firing_for", values.duration, _DURATION, "How long it must not hold before it resolves."),
    Field("severity", values.choice(Severity), _one_of(Severity), "warning by default."),
    Field("raises", values.name, _NAME, "The milder rule whose alert this one makes worse."),
    Field(
        "inhibited_by",
        values.names,
        {"type": "array", "items": _NAME, "minItems": 1},
        "Rules that silence this one while they fire for the same cluster, host or table.",
    ),
    Field("group", values.choice(Grouping), _one_of(Grouping), "cluster: one message for a whole cluster."),
    Field(
        "cooldown_sec",
        values.seconds,
        {"type": "integer", "minimum": 0, "default": DEFAULT_COOLDOWN_SECONDS},
        "Seconds until it is told again while it fires.",
    ),
    Field("no_data", values.choice(NoData), _one_of(NoData), "What it makes of a panel that is not read."),
    Field("labels", values.labels, _LABELS, "Labels of its alerts, for routing."),
    Field("annotations", _annotations, ANNOTATIONS.schema, "The texts of its alerts."),
    Field("fix", values.text, _TEXT, "SQL that helps; every value goes through ident or literal."),
    Field("enabled", values.yes_or_no, {"type": "boolean", "default": True}, "false: it is not evaluated."),
))  # fmt: skip
_RULES: Schema = {"type": "array", "items": {"$ref": "#/$defs/rule"}}
GROUP = Table((
    Field("name", values.name, _NAME, "For people; part of no identity."),
    Field("interval", values.interval, _DURATION, "How often its rules are evaluated."),
    Field("labels", values.labels, _LABELS, "Labels that every rule of the group gets."),
    Field("rules", values.anything, _RULES, "The rules."),
))  # fmt: skip
_GROUPS: Schema = {"type": "array", "items": {"$ref": "#/$defs/group"}}
FILE = Table((
    Field("groups", values.anything, _GROUPS, "Groups of rules."),
    Field("rules", values.anything, _RULES, "Rules without a group; instead of groups."),
))  # fmt: skip
