"""/alerts/rules: what is compared with what, and how bad it is. Custom rules are made here."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from api.body import Body
from api.choice import ClusterId
from api.context import current
from api.errors import Conflict, Detail, Invalid, NotFound
from api.resource import Resource, Shape
from clustersight.metric_keys import MetricKey, metric_keys
from clustersight.rules.definition import rule_from
from clustersight.rules.rule import Operator, faults
from clustersight.store import clusters, rules, snapshots
from clustersight.store.database import Connection
from clustersight.store.rules import RuleType, StoredRule

RESOURCE = Resource("alert rules", "What raises an alert: rules and the keys that they may use.")

_BUILT_IN_MAY_CHANGE = frozenset({"threshold", "severity", "cooldown_sec", "enabled"})
_UNSUPPORTED = "unsupported"

Seconds = Annotated[int, Field(ge=0, le=30 * 86400)]
Threshold = Annotated[float, Field(ge=-1e300, le=1e300)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Text = Annotated[str, Field(max_length=10_000)]
Value = Annotated[str, Field(max_length=1000)]
Match = Annotated[
    dict[Annotated[str, Field(max_length=200)], Value | Annotated[list[Value], Field(max_length=100)]],
    Field(max_length=50, examples=[{"disk": "default"}]),
]

# Of what may be left out and must not be null; _refuse_null says so.
Unsaid = SkipJsonSchema[None]


class AlertSeverity(StrEnum):
    """How bad an alert is."""

    WARNING = "warning"
    CRITICAL = "critical"


class RuleState(StrEnum):
    """What a rule's last evaluation found."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    NO_DATA = "no_data"
    ERROR = "error"


class RuleShape(Shape):
    """A rule; `origin` is FILE:LINE of one from a file. Times of it are in seconds."""

    id: str = Field(examples=["ru_0123456789ab"])
    name: str
    rule_type: RuleType
    origin: str
    metric_key: str = Field(examples=["disk.usage_pct"])
    match: dict[str, str | list[str]]
    operator: Operator
    threshold: float
    for_sec: int
    keep_firing_for_sec: int
    resolve_threshold: float | None
    severity: AlertSeverity
    cooldown_sec: int
    enabled: bool
    cluster_ids: list[str]
    summary: str
    description: str
    runbook_url: str | None
    fix: str | None
    state: RuleState
    last_evaluated_at: str | None
    last_error: str | None
    active_alerts: int


class RuleFields(Body):
    """What may be left out of a new rule, and be changed alone."""

    match: Match = Field(default={})
    for_sec: Seconds = 0
    keep_firing_for_sec: Seconds = 0
    resolve_threshold: Threshold | None = None
    cooldown_sec: Seconds = 3600
    enabled: bool = True
    cluster_ids: Annotated[list[ClusterId], Field(max_length=1000)] = Field(
        default=[], description="Empty: all clusters."
    )
    summary: Text = ""
    description: Text = ""
    runbook_url: Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\s]+$")] | None = None
    fix: Text | None = None


class NewRule(RuleFields):
    """A custom rule."""

    name: Name = Field(examples=["My Custom Rule"])
    metric_key: Annotated[str, Field(max_length=200)] = Field(examples=["disk.usage_pct"])
    operator: Operator = Field(examples=[">"], strict=False)
    threshold: Threshold = Field(examples=[70.0])
    severity: AlertSeverity = Field(examples=["warning"], strict=False)


class RuleChange(RuleFields):
    """The fields to change; those of a built-in rule are threshold, severity, cooldown_sec and enabled."""

    name: Name | Unsaid = None
    metric_key: Annotated[str, Field(max_length=200)] | Unsaid = None
    operator: Annotated[Operator, Field(strict=False)] | Unsaid = None
    threshold: Threshold | Unsaid = None
    severity: Annotated[AlertSeverity, Field(strict=False)] | Unsaid = None


class MetricKeyShape(Shape):
    """A key that rules may compare; `labels` beside cluster and host."""

    key: str = Field(examples=["disk.usage_pct"])
    unit: str
    description: str
    labels: list[str]
    prometheus_name: str
    panel: str
    tier: int
    supported: bool = Field(description="False where no server that is watched has what it is read from.")


class DeletedRule(Shape):
    """What was deleted."""

    id: str
    deleted: bool


@RESOURCE.get("/alerts/rules/metrics")
def get_rule_metrics() -> list[MetricKeyShape]:
    """The metric keys that rules may use."""
    with current().database.read() as db:
        missing = _unsupported_panels(db)
    return [_key_shape(one, supported=one.panel not in missing) for one in metric_keys().values()]


def _unsupported_panels(db: Connection) -> set[str]:
    """Panels that are unsupported wherever they ran."""
    found: dict[str, set[str]] = {}
    for cluster in clusters.active(db):
        for state in snapshots.states(db, cluster.id):
            found.setdefault(state.panel, set()).add(state.status)
    return {panel for panel, statuses in found.items() if statuses == {_UNSUPPORTED}}


def _key_shape(one: MetricKey, *, supported: bool) -> MetricKeyShape:
    values = {f.name: getattr(one, f.name) for f in dataclasses.fields(one) if f.name != "source"}
    return MetricKeyShape(**values | {"labels": list(one.labels)}, supported=supported)


@RESOURCE.get("/alerts/rules", etag=True)
def get_rules() -> list[RuleShape]:
    """All rules by name: built-in, of files, and custom."""
    with current().database.read() as db:
        return [_shape(stored) for stored in rules.every(db)]


@RESOURCE.post("/alerts/rules", status=201, errors=(Conflict,))
def post_rule(body: NewRule) -> RuleShape:
    """Make a custom rule."""
    definition = body.model_dump(mode="json", exclude={"name", "enabled"})
    with current().database.begin() as db:
        _check(body.name, definition, _no_clusters(db, definition))
        return _shape(rules.create(db, body.name, definition, current().now, enabled=body.enabled))


@RESOURCE.put("/alerts/rules/<id:rule_id>", errors=(Conflict,))
def put_rule(rule_id: str, body: RuleChange) -> RuleShape:
    """Change a rule: the fields that are sent."""
    changes = body.model_dump(mode="json", exclude_unset=True)
    with current().database.begin() as db:
        stored = _required(db, rule_id)
        _refuse_change(stored, changes)
        _refuse_null(changes)
        name, enabled = changes.pop("name", stored.name), changes.pop("enabled", stored.enabled)
        definition = {**stored.definition, **changes}
        # Only what is sent: a cluster that was deleted since must not keep its rule from being disabled.
        _check(name, definition, _no_clusters(db, changes))
        return _shape(rules.update(db, rule_id, name, definition, current().now, enabled=enabled))


@RESOURCE.delete("/alerts/rules/<id:rule_id>", errors=(Conflict,))
def delete_rule(rule_id: str) -> DeletedRule:
    """Delete a custom rule."""
    with current().database.begin() as db:
        stored = _required(db, rule_id)
        if stored.rule_type is not RuleType.CUSTOM:
            raise Conflict(_OWNED[stored.rule_type])
        rules.delete(db, rule_id)
    return DeletedRule(id=rule_id, deleted=True)


_OWNED = {
    RuleType.BUILT_IN: 'a built-in rule cannot be deleted; disable it with {"enabled": false}',
    RuleType.FILE: "this rule comes from a file; change it there",
}
# Fields that have a value in every rule: null says nothing.
_NEVER_NULL = ("name", "metric_key", "operator", "threshold", "severity")


def _required(db: Connection, rule_id: str) -> StoredRule:
    stored = rules.get(db, rule_id)
    if stored is None:
        raise NotFound(f"there is no rule {rule_id}")
    return stored


def _refuse_change(stored: StoredRule, changes: dict[str, Any]) -> None:
    if stored.rule_type is RuleType.FILE:
        raise Conflict(_OWNED[RuleType.FILE])
    wrong = sorted(set(changes) - _BUILT_IN_MAY_CHANGE)
    if stored.rule_type is RuleType.BUILT_IN and wrong:
        allowed = ", ".join(sorted(_BUILT_IN_MAY_CHANGE))
        message = f"cannot be changed in a built-in rule; only {allowed} can"
        raise Invalid(f"{', '.join(wrong)} {message}", detail=[Detail(name, message) for name in wrong])


def _refuse_null(changes: dict[str, Any]) -> None:
    wrong = [name for name in _NEVER_NULL if name in changes and changes[name] is None]
    if wrong:
        raise Invalid(
            f"{', '.join(wrong)} must not be null", detail=[Detail(n, "must not be null") for n in wrong]
        )


def _no_clusters(db: Connection, given: dict[str, Any]) -> list[Detail]:
    known = {cluster.id for cluster in clusters.active(db)}
    return [
        Detail(f"cluster_ids.{n}", "is no cluster")
        for n, cluster_id in enumerate(given.get("cluster_ids") or ())
        if cluster_id not in known
    ]


def _check(name: str, definition: dict[str, Any], more: list[Detail]) -> None:
    """Raise Invalid with everything that is wrong with a rule."""
    rule = rule_from(name, definition)
    found = [*(Detail(fault.field, fault.message) for fault in faults(rule)), *more]
    if found:
        raise Invalid("; ".join(f"{one.path} {one.message}" for one in found)[:1000], detail=found)


def _shape(stored: StoredRule) -> RuleShape:
    # Until the alerter evaluates it a rule has no state, and nothing can be active.
    return RuleShape(
        id=stored.id,
        name=stored.name,
        rule_type=stored.rule_type,
        origin=stored.origin,
        enabled=stored.enabled,
        **stored.definition,
        state=RuleState.INACTIVE,
        last_evaluated_at=None,
        last_error=None,
        active_alerts=0,
    )
