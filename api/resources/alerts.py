"""/alerts: which there are and were, and what people do with them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from api.body import Body
from api.choice import ClusterId, require
from api.context import current
from api.errors import Conflict, DeliveryFailed, NotFound, NotSupported
from api.query import Paged, PageMeta, Query, page_meta
from api.resource import Answer, Resource, Shape
from api.resources.rules import AlertSeverity
from clustersight.rules.rule import Operator
from clustersight.store import alerts
from clustersight.store.alerts import StoredAlert, Wanted
from clustersight.times import iso

RESOURCE = Resource("alerts", "Which alerts there are and were, and what people do with them.")


class AlertStatus(StrEnum):
    """Where an alert is in its life."""

    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class SnoozeScope(StrEnum):
    """What a snooze silences."""

    ALERT = "alert"
    RULE = "rule"


class AlertShape(Shape):
    """An alert; `value` and `threshold` are in the unit of the metric key, `evidence` is the panel's row."""

    id: str = Field(examples=["al_0123456789ab"])
    rule_id: str
    rule_name: str
    cluster_id: str
    cluster_name: str
    metric_key: str
    labels: dict[str, str]
    severity: AlertSeverity
    status: AlertStatus
    value: float | None
    threshold: float | None
    operator: Operator
    summary: str
    description: str
    fix_command: str | None
    evidence: dict[str, Any] | None
    fired_at: str
    acknowledged_at: str | None
    acknowledged_by: str | None
    resolved_at: str | None
    resolve_reason: str | None
    snoozed_until: str | None
    escalated_at: str | None
    version: int


class AlertEvent(Shape):
    """One transition."""

    at: str
    kind: str


class Delivery(Shape):
    """One message to one channel."""

    channel: str
    state: str
    attempts: int
    last_error: str | None
    delivered_at: str | None


class AlertDetail(AlertShape):
    """With its history: points are [epoch seconds, value], from one hour before it fired."""

    metric_history: list[tuple[int, float | None]]
    events: list[AlertEvent]
    deliveries: list[Delivery]


class HistoryQuery(Paged):
    """Which alerts; `hours` look back, unresolved ones are always in it."""

    severity: AlertSeverity | None = None
    status: AlertStatus | None = None
    hours: Annotated[int, Field(ge=1, le=168)] = 24
    cluster_id: ClusterId | None = None


class SummaryQuery(Query):
    """Of one cluster, or of all."""

    cluster_id: ClusterId | None = None


class SeverityCounts(Shape):
    """How many of each severity."""

    warning: int
    critical: int


class Summary(Shape):
    """How many alerts are unresolved: active and acknowledged."""

    count: int
    by_severity: SeverityCounts


class Acknowledgement(Body):
    """Who has seen it."""

    by: Annotated[str, Field(max_length=200)] | None = None
    note: Annotated[str, Field(max_length=2000)] | None = None


class Snooze(Body):
    """For how long nothing is sent."""

    duration_minutes: Annotated[int, Field(ge=1, le=10080)] = Field(examples=[60])
    scope: SnoozeScope = Field(default=SnoozeScope.ALERT, strict=False)


class Snoozed(Shape):
    """Until when."""

    snoozed_until: str
    rule_id: str


@RESOURCE.get("/alerts/history", errors=(NotFound,))
def get_alert_history(query: HistoryQuery) -> Answer[list[AlertShape], PageMeta]:
    """Alerts that were unresolved at any moment of the last hours, the newest first."""
    wanted = Wanted(
        since=current().now - 3600 * query.hours,
        cluster_id=query.cluster_id,
        severity=query.severity,
        status=query.status,
    )
    with current().database.read() as db:
        if query.cluster_id is not None:
            require(db, query.cluster_id)
        found, total = alerts.page(db, wanted, query.limit, query.offset)
    return Answer([AlertShape(**_fields(one)) for one in found], page_meta(total, query))


@RESOURCE.get(
    "/alerts/summary",
    errors=(NotFound,),
    example={"count": 3, "by_severity": {"warning": 2, "critical": 1}},
)
def get_alert_summary(query: SummaryQuery) -> Summary:
    """How many alerts are unresolved."""
    with current().database.read() as db:
        if query.cluster_id is not None:
            require(db, query.cluster_id)
        found = alerts.unresolved(db, query.cluster_id)
    counts = {
        severity: sum(number for (_, one), number in found.items() if one == severity)
        for severity in AlertSeverity
    }
    return Summary(
        count=sum(counts.values()),
        by_severity=SeverityCounts(
            warning=counts[AlertSeverity.WARNING], critical=counts[AlertSeverity.CRITICAL]
        ),
    )


@RESOURCE.get("/alerts/<id:alert_id>")
def get_alert(alert_id: str) -> AlertDetail:
    """One alert with its history, transitions and deliveries."""
    return AlertDetail(**_fields(_required(alert_id)), metric_history=[], events=[], deliveries=[])


@RESOURCE.post("/alerts/<id:alert_id>/acknowledge", errors=(Conflict, NotSupported))
def acknowledge_alert(alert_id: str, body: Acknowledgement) -> AlertShape:  # noqa: ARG001
    """Say that somebody has seen it: no repeats from now on."""
    _required(alert_id)
    raise NotSupported(_NO_ALERTER)


@RESOURCE.post("/alerts/<id:alert_id>/snooze", errors=(Conflict, NotSupported))
def snooze_alert(alert_id: str, body: Snooze) -> Snoozed:  # noqa: ARG001
    """Send nothing of it for some time."""
    _required(alert_id)
    raise NotSupported(_NO_ALERTER)


@RESOURCE.post("/alerts/<id:alert_id>/escalate", errors=(Conflict, DeliveryFailed, NotSupported))
def escalate_alert(alert_id: str) -> AlertShape:
    """Send it at once, whatever the cooldown."""
    _required(alert_id)
    raise NotSupported(_NO_ALERTER)


# No alert can be there before there is an alerter; to say "done" would be a lie all the same.
_NO_ALERTER = "alerts come with the alerter, which this release does not have"


def _required(alert_id: str) -> StoredAlert:
    with current().database.read() as db:
        found = alerts.get(db, alert_id)
    if found is None:
        raise NotFound(f"there is no alert {alert_id}")
    return found


def _fields(stored: StoredAlert) -> dict[str, Any]:
    times = {"fired_at": iso(stored.fired_at), "resolved_at": iso(stored.resolved_at)}
    own = {
        name: getattr(stored, name)
        for name in ("id", "rule_id", "rule_name", "cluster_id", "severity", "status", "version")
    }
    return {**stored.detail, **own, **times}
