"""/alerts: which there are and were, and what people do with them."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from api import channels
from api.alerts import snoozing
from api.alerts.course import course_of
from api.alerts.delivery import Deliveries, no_channel
from api.alerts.shapes import (
    AlertDetail,
    AlertShape,
    AlertStatus,
    delivery_of,
    event_of,
    fields_of,
    shape_of,
)
from api.alerts.snoozing import SnoozeScope
from api.body import Body
from api.choice import ClusterId, require
from api.context import current
from api.errors import Conflict, DeliveryFailed, NotFound
from api.query import NoMeta, Paged, PageMeta, Query, page_meta
from api.resource import Answer, Resource, Shape
from api.rules.shapes import AlertSeverity
from clustersight.alerts.notices import notice_of
from clustersight.alerts.planning import takes
from clustersight.notify.notice import NoticeKind
from clustersight.settings.notify import ChannelSettings, Severity
from clustersight.store import alert_changes, alert_events, alerts, outbox
from clustersight.store.alert_events import Event, EventKind
from clustersight.store.alerts import RESOLVED, StoredAlert, Wanted
from clustersight.store.database import Connection
from clustersight.store.outbox import NewRow
from clustersight.times import iso

RESOURCE = Resource("alerts", "Which alerts there are and were, and what people do with them.")


class AlertsQuery(Paged):
    """Which alerts: without a status those that are not resolved."""

    severity: AlertSeverity | None = None
    status: AlertStatus | None = None
    cluster_id: ClusterId | None = None


class HistoryQuery(AlertsQuery):
    """Which alerts; `hours` look back, unresolved ones are always in it."""

    hours: Annotated[int, Field(ge=1, le=168)] = 24


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


class DetailMeta(Shape):
    """Why there is no metric history although there should be; null if it could be asked."""

    history_problem: str | None = Field(examples=[None])


class Acknowledgement(Body):
    """Who has seen it."""

    by: Annotated[str, Field(max_length=200)] | None = None
    note: Annotated[str, Field(max_length=2000)] | None = None


class Snooze(Body):
    """For how long nothing is sent."""

    duration_minutes: Annotated[int, Field(ge=1, le=10080)] = Field(examples=[60])
    scope: SnoozeScope = Field(default=SnoozeScope.ALERT, strict=False)


class Snoozed(Shape):
    """Until when; to delete the silence ends it earlier."""

    snoozed_until: str
    rule_id: str
    silence_id: str = Field(examples=["si_0123456789ab"])


class Waiting(Shape):
    """The message is in the outbox, and not delivered yet."""

    state: str = Field(examples=[outbox.PENDING])
    reason: str = Field(examples=["no alerter is running"])


@RESOURCE.get("/alerts", errors=(NotFound,))
def get_alerts(query: AlertsQuery) -> Answer[list[AlertShape], PageMeta]:
    """Alerts that are not resolved, the newest first; with a status those of that status."""
    # Nothing was resolved at or after the end of time.
    since = 0.0 if query.status is AlertStatus.RESOLVED else math.inf
    return _page(query, since)


@RESOURCE.get("/alerts/history", errors=(NotFound,))
def get_alert_history(query: HistoryQuery) -> Answer[list[AlertShape], PageMeta]:
    """Alerts that were unresolved at any moment of the last hours, the newest first."""
    return _page(query, current().now - 3600 * query.hours)


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
def get_alert(alert_id: str) -> Answer[AlertDetail, DetailMeta]:
    """One alert with its history, transitions and deliveries."""
    context = current()
    with context.database.read() as db:
        found = _required(db, alert_id)
        events = alert_events.of_alert(db, alert_id)
        rows = outbox.deliveries(db, alert_id)
    course = course_of(context, found)
    detail = AlertDetail(
        **fields_of(found, context.now),
        metric_history=list(course.points),
        events=[event_of(event) for event in events],
        deliveries=[delivery_of(row) for row in rows],
    )
    return Answer(detail, DetailMeta(history_problem=course.problem))


@RESOURCE.post("/alerts/<id:alert_id>/acknowledge", errors=(Conflict,))
def acknowledge_alert(alert_id: str, body: Acknowledgement) -> AlertShape:
    """Say that somebody has seen it: no repeats from now on. To say it again changes nothing."""
    now = current().now
    with current().database.begin() as db:
        alert_changes.queue(db)
        done = alert_changes.acknowledge(db, alert_id, body.by, now)
        found = _unresolved(db, alert_id)
        if done:
            told = {"by": body.by, "note": body.note}
            alert_events.put(db, [Event(alert_id, now, EventKind.ACKNOWLEDGED, told)])
    return shape_of(found, now)


@RESOURCE.post("/alerts/<id:alert_id>/snooze", errors=(Conflict,))
def snooze_alert(alert_id: str, body: Snooze) -> Snoozed:
    """Send nothing of it for some time; a second snooze takes the place of the first."""
    now = current().now
    with current().database.begin() as db:
        alert_changes.queue(db)
        found = _unresolved(db, alert_id)
        until = now + 60 * body.duration_minutes
        made = snoozing.begin(db, found, body.scope, until, now)
        _unresolved(db, alert_id)  # it may have been resolved meanwhile: then nothing of this happened
    return Snoozed(snoozed_until=str(iso(until)), rule_id=found.rule_id, silence_id=made.id)


@RESOURCE.post("/alerts/<id:alert_id>/escalate", errors=(Conflict, DeliveryFailed), others={202: Waiting})
def escalate_alert(alert_id: str) -> Answer[AlertShape, NoMeta]:
    """Send it at once, whatever the cooldown, and wait some seconds for the end; 202 if it still waits."""
    with current().database.begin() as db:
        alert_changes.queue(db)
        found = _unresolved(db, alert_id)
        ids = _escalate(db, found, current().now)
    reason = current().of(Deliveries).wait(ids)
    if reason is not None:
        return Answer(Waiting(state=outbox.PENDING, reason=reason), status=202)
    with current().database.read() as db:
        return Answer(shape_of(_required(db, alert_id), current().now))


def _page(query: AlertsQuery, since: float) -> Answer[list[AlertShape], PageMeta]:
    wanted = Wanted(since, query.cluster_id, query.severity, query.status)
    with current().database.read() as db:
        if query.cluster_id is not None:
            require(db, query.cluster_id)
        found, total = alerts.page(db, wanted, query.limit, query.offset)
    now = current().now
    return Answer([shape_of(one, now) for one in found], page_meta(total, query))


def _required(db: Connection, alert_id: str) -> StoredAlert:
    found = alerts.get(db, alert_id)
    if found is None:
        raise NotFound(f"there is no alert {alert_id}")
    return found


def _unresolved(db: Connection, alert_id: str) -> StoredAlert:
    found = _required(db, alert_id)
    if found.status == RESOLVED:
        raise Conflict(f"the alert {alert_id} is resolved")
    return found


def _escalate(db: Connection, alert: StoredAlert, now: float) -> list[int]:
    """Put a message into the outbox for each channel; returns the rows' ids."""
    chosen = _channels_for(alert, channels.usable(current(), db))
    if not alert_changes.escalated(db, alert.id, now):
        raise Conflict(f"the alert {alert.id} is resolved")
    plain = {name: getattr(alert, name) for name in ("id", "rule_name", "severity", "fired_at")}
    notice = notice_of(NoticeKind.ESCALATED, plain, alert.detail)
    kind, names = NoticeKind.ESCALATED.value, [channel.name for channel in chosen]
    ids = outbox.put(db, [NewRow(alert.id, name, kind, alert.severity, notice) for name in names], now)
    alert_events.put(db, [Event(alert.id, now, EventKind.ESCALATED, {"channels": names})])
    return ids


def _channels_for(alert: StoredAlert, usable: list[ChannelSettings]) -> list[ChannelSettings]:
    """Those that take the alert, or all: somebody wants it to be seen."""
    if not usable:
        raise no_channel()
    severity, cluster, labels = Severity(alert.severity), alert.detail["cluster_name"], alert.detail["labels"]
    return [one for one in usable if takes(one.match, severity, cluster, labels)] or usable
