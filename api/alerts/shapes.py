"""How an alert is shown."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from api.resource import Shape
from api.rules.shapes import AlertSeverity
from clustersight.rules.rule import Operator
from clustersight.store import outbox
from clustersight.store.alert_events import Event, EventKind
from clustersight.store.alerts import StoredAlert
from clustersight.store.outbox import StoredRow
from clustersight.times import iso


class AlertStatus(StrEnum):
    """Where an alert is in its life."""

    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class AlertDelivery(StrEnum):
    """Whether anybody is told of an alert: `none` if no channel that is configured takes it."""

    CHANNELS = "channels"
    NONE = "none"


class DeliveryState(StrEnum):
    """How far a message is; `superseded` by a later one, `dead` if it was given up."""

    PENDING = outbox.PENDING
    DELIVERED = outbox.DELIVERED
    SUPERSEDED = outbox.SUPERSEDED
    DEAD = outbox.DEAD


class AlertShape(Shape):
    """An alert; `value` and `threshold` are in the unit of the metric key, `evidence` is the panel's row.

    `host` is empty for a value of the whole cluster. `inhibited_by` is the rule that fires and says why this
    one does, `silenced_by` the silence that holds; `channels` are those that take it.
    """

    id: str = Field(examples=["al_0123456789ab"])
    rule_id: str
    rule_name: str
    cluster_id: str
    cluster_name: str
    host: str
    metric_key: str
    labels: dict[str, str]
    severity: AlertSeverity
    status: AlertStatus
    value: float | None
    threshold: float | None
    operator: Operator
    summary: str
    description: str
    runbook_url: str | None
    fix_command: str | None
    evidence: dict[str, Any] | None
    fired_at: str
    acknowledged_at: str | None
    acknowledged_by: str | None
    resolved_at: str | None
    resolve_reason: str | None
    snoozed_until: str | None
    escalated_at: str | None
    inhibited_by: str | None
    silenced_by: str | None
    channels: list[str]
    delivery: AlertDelivery
    version: int


class AlertEvent(Shape):
    """One transition."""

    at: str
    kind: EventKind
    detail: dict[str, Any]


class Delivery(Shape):
    """One message to one channel; `superseded_by` is the id of the one that was sent in its place."""

    id: int
    channel: str
    kind: str = Field(examples=["firing"])
    state: DeliveryState
    attempts: int
    last_error: str | None
    created_at: str
    delivered_at: str | None
    superseded_by: int | None


class AlertDetail(AlertShape):
    """With its history: points are [epoch seconds, value], from one hour before it fired."""

    metric_history: list[tuple[int, float | None]]
    events: list[AlertEvent]
    deliveries: list[Delivery]


# What the row and what its detail say under the same name.
_OWN = ("id", "rule_id", "rule_name", "cluster_id", "severity", "status", "acknowledged_by", "version")
_TOLD = (
    "cluster_name", "host", "metric_key", "labels", "value", "threshold", "operator", "summary",
    "description", "runbook_url", "fix_command", "evidence", "resolve_reason", "inhibited_by",
    "silenced_by", "channels",
)  # fmt: skip


def shape_of(stored: StoredAlert, now: float) -> AlertShape:
    """An alert as lists have it; `now` in epoch seconds."""
    return AlertShape(**fields_of(stored, now))


def fields_of(stored: StoredAlert, now: float) -> dict[str, Any]:
    """The fields of AlertShape."""
    snoozed = stored.snoozed_until
    return {
        **{name: getattr(stored, name) for name in _OWN},
        **{name: stored.detail[name] for name in _TOLD},
        "fired_at": iso(stored.fired_at),
        "acknowledged_at": iso(stored.acknowledged_at),
        "resolved_at": iso(stored.resolved_at),
        "escalated_at": iso(stored.escalated_at),
        "snoozed_until": iso(snoozed) if snoozed is not None and snoozed > now else None,
        "delivery": AlertDelivery.CHANNELS if stored.detail["channels"] else AlertDelivery.NONE,
    }


def event_of(event: Event) -> AlertEvent:
    return AlertEvent(at=str(iso(event.at)), kind=event.kind, detail=dict(event.detail))


def delivery_of(row: StoredRow) -> Delivery:
    state = DeliveryState(row.state)
    return Delivery(
        id=row.id,
        channel=row.channel,
        kind=row.kind,
        state=state,
        attempts=row.attempts,
        last_error=row.last_error or None,
        created_at=str(iso(row.created_at)),
        delivered_at=iso(row.ended_at) if state is DeliveryState.DELIVERED else None,
        superseded_by=row.superseded_by,
    )
