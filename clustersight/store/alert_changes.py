"""What changes an alert: the alerter its life and `detail`, the API what people do with it.

Each side writes its own columns, and the status only from one that allows it: an acknowledgement that
meets a resolve does not open the alert again, whichever comes first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, update

from clustersight.store import revisions
from clustersight.store.alert_schema import alerts
from clustersight.store.alerts import RESOLVED

# Counted up by the API: the alerter looks at once.
REVISION = "alerts"


@dataclass(frozen=True, slots=True)
class NewAlert:
    """An alert that begins; `fired_at` in epoch seconds."""

    id: str
    rule_id: str
    rule_name: str
    cluster_id: str
    fingerprint: str
    severity: str
    fired_at: float
    detail: Mapping[str, Any]


def open_(db: Connection, new: Sequence[NewAlert]) -> None:
    rows = [
        {
            "id": one.id,
            "rule_id": one.rule_id,
            "rule_name": one.rule_name,
            "cluster_id": one.cluster_id,
            "fingerprint": one.fingerprint,
            "severity": one.severity,
            "status": "active",
            "fired_at": one.fired_at,
            "detail_json": json.dumps(dict(one.detail)),
        }
        for one in new
    ]
    if rows:
        db.execute(alerts.insert(), rows)


def change(db: Connection, changed: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    """Severity and detail of unresolved alerts, by id."""
    rows = [
        {"alert": alert_id, "severity": severity, "detail": json.dumps(dict(detail))}
        for alert_id, (severity, detail) in changed.items()
    ]
    if rows:
        statement = (
            update(alerts)
            .where(alerts.c.id == bindparam("alert"), alerts.c.status != RESOLVED)
            .values(
                severity=bindparam("severity"),
                detail_json=bindparam("detail"),
                version=alerts.c.version + 1,
            )
        )
        db.execute(statement, rows)


def resolve(db: Connection, over: Mapping[str, Mapping[str, Any]], now: float) -> None:
    """They are over; the detail, by id, says why."""
    rows = [{"alert": alert_id, "detail": json.dumps(dict(detail))} for alert_id, detail in over.items()]
    if rows:
        statement = (
            update(alerts)
            .where(alerts.c.id == bindparam("alert"), alerts.c.status != RESOLVED)
            .values(
                status=RESOLVED,
                resolved_at=now,
                detail_json=bindparam("detail"),
                version=alerts.c.version + 1,
            )
        )
        db.execute(statement, rows)


def queue(db: Connection) -> None:
    """What people do happens one after the other: two who lock alerts in different orders would both wait.

    To be called first in a transaction of the API.
    """
    revisions.bump(db, REVISION)


def acknowledge(db: Connection, alert_id: str, by: str | None, now: float) -> bool:
    """Somebody has seen it; False where it is acknowledged or over already."""
    statement = (
        update(alerts)
        .where(alerts.c.id == alert_id, alerts.c.status == "active")
        .values(status="acknowledged", acknowledged_at=now, acknowledged_by=by, version=alerts.c.version + 1)
    )
    return _changed(db, statement)


def snooze(
    db: Connection, until: float, *, alert_id: str | None = None, rule_name: str | None = None
) -> bool:
    """Note until when an alert, or all unresolved ones of a rule, are silenced (by a silence)."""
    statement = update(alerts).where(alerts.c.status != RESOLVED)
    if alert_id is not None:
        statement = statement.where(alerts.c.id == alert_id)
    if rule_name is not None:
        statement = statement.where(alerts.c.rule_name == rule_name)
    return _changed(db, statement.values(snoozed_until=until, version=alerts.c.version + 1))


def unsnooze(
    db: Connection, until: float, *, alert_id: str | None = None, rule_name: str | None = None
) -> None:
    """The silence is over that was to hold `until`; an alert that another one set a time for keeps it."""
    statement = update(alerts).where(alerts.c.status != RESOLVED, alerts.c.snoozed_until == until)
    if alert_id is not None:
        statement = statement.where(alerts.c.id == alert_id)
    if rule_name is not None:
        statement = statement.where(alerts.c.rule_name == rule_name)
    _changed(db, statement.values(snoozed_until=None, version=alerts.c.version + 1))


def escalated(db: Connection, alert_id: str, now: float) -> bool:
    """Note that it was sent on purpose; False where it is over."""
    statement = (
        update(alerts)
        .where(alerts.c.id == alert_id, alerts.c.status != RESOLVED)
        .values(escalated_at=now, version=alerts.c.version + 1)
    )
    return _changed(db, statement)


def _changed(db: Connection, statement: Any) -> bool:
    number = int(db.execute(statement).rowcount)
    if number:
        revisions.bump(db, REVISION)
    return bool(number)
