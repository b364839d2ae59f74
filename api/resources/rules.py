"""/alerts/rules: what is compared with what, and how bad it is. Custom rules are made here."""

from __future__ import annotations

import dataclasses
from typing import Any

from api.context import current
from api.errors import Conflict, NotFound
from api.resource import Resource
from api.rules import checks, states
from api.rules.shapes import DeletedRule, MetricKeyShape, NewRule, RuleChange, RuleDetail, RuleShape
from clustersight.metric_keys import MetricKey, metric_keys
from clustersight.rules.definition import rule_from
from clustersight.store import clusters, rules, snapshots
from clustersight.store.database import Connection
from clustersight.store.rules import RuleType, StoredRule

RESOURCE = Resource("alert rules", "What raises an alert: rules and the keys that they may use.")

_UNSUPPORTED = "unsupported"


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
        known = states.standing(db)
        return [states.shape_of(stored, known) for stored in rules.every(db)]


@RESOURCE.get("/alerts/rules/<id:rule_id>", etag=True)
def get_rule(rule_id: str) -> RuleDetail:
    """One rule with its last 20 evaluations."""
    with current().database.read() as db:
        stored = _required(db, rule_id)
        return states.detail_of(stored, states.standing(db), states.evaluations(db, rule_id))


@RESOURCE.post("/alerts/rules", status=201, errors=(Conflict,))
def post_rule(body: NewRule) -> RuleShape:
    """Make a custom rule."""
    given = body.model_dump(mode="json", exclude={"name", "enabled"})
    definition = checks.keyed(body.name, given, given)
    with current().database.begin() as db:
        checks.require_custom(db, rule_from(body.name, definition), {**given, "name": body.name})
        made = rules.create(db, body.name, definition, current().now, enabled=body.enabled)
        return states.shape_of(made, states.standing(db))


@RESOURCE.put("/alerts/rules/<id:rule_id>", errors=(Conflict,))
def put_rule(rule_id: str, body: RuleChange) -> RuleShape:
    """Change a rule: the fields that are sent."""
    changes = body.model_dump(mode="json", exclude_unset=True)
    with current().database.begin() as db:
        stored = _required(db, rule_id)
        checks.refuse_change(stored, changes)
        checks.refuse_null(changes)
        change = _override if stored.rule_type is RuleType.BUILT_IN else _change
        return states.shape_of(change(db, stored, changes), states.standing(db))


@RESOURCE.delete("/alerts/rules/<id:rule_id>", errors=(Conflict,))
def delete_rule(rule_id: str) -> DeletedRule:
    """Delete a custom rule; its alerts are resolved."""
    with current().database.begin() as db:
        stored = _required(db, rule_id)
        if stored.rule_type is not RuleType.CUSTOM:
            raise Conflict(checks.OWNED[stored.rule_type])
        checks.require_unnamed(db, stored)
        rules.delete(db, rule_id)
    return DeletedRule(id=rule_id, deleted=True)


def _required(db: Connection, rule_id: str) -> StoredRule:
    stored = rules.get(db, rule_id)
    if stored is None:
        raise NotFound(f"there is no rule {rule_id}")
    return stored


def _override(db: Connection, stored: StoredRule, changes: dict[str, Any]) -> StoredRule:
    """Change what may be changed of a built-in rule; its definition stays the release's."""
    enabled = changes.pop("enabled", stored.enabled)
    overrides = {**stored.overrides, **changes}
    checks.require_built_in(stored, overrides)
    return rules.override(db, stored.id, overrides, current().now, enabled=enabled)


def _change(db: Connection, stored: StoredRule, changes: dict[str, Any]) -> StoredRule:
    name, enabled = changes.get("name", stored.name), changes.get("enabled", stored.enabled)
    sent = {key: value for key, value in changes.items() if key not in ("name", "enabled")}
    definition = checks.keyed(name, {**stored.definition, **sent}, changes)
    checks.require_custom(db, rule_from(name, definition), changes, stored.id)
    if name != stored.name:
        checks.require_unnamed(db, stored)
    return rules.update(db, stored.id, name, definition, current().now, enabled=enabled)
