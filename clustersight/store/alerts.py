"""Alerts, read: which there are and were. The alerter writes them (alert_changes.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select

from clustersight.store.alert_schema import alerts

RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """A row; `detail` holds the fields that nobody searches for. Times are epoch seconds."""

    id: str
    rule_id: str
    rule_name: str
    cluster_id: str
    severity: str
    status: str
    fired_at: float
    resolved_at: float | None
    version: int
    fingerprint: str
    acknowledged_at: float | None
    acknowledged_by: str | None
    snoozed_until: float | None
    escalated_at: float | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Alerts that were unresolved at some moment since `since`; None does not choose."""

    since: float
    cluster_id: str | None = None
    severity: str | None = None
    status: str | None = None


def get(db: Connection, alert_id: str) -> StoredAlert | None:
    row = db.execute(select(alerts).where(alerts.c.id == alert_id)).first()
    return _read(row) if row else None


def open_ones(db: Connection) -> list[StoredAlert]:
    """All that are not resolved."""
    return [_read(row) for row in db.execute(select(alerts).where(alerts.c.status != RESOLVED))]


def statuses(db: Connection) -> dict[str, str]:
    """The status of each alert that is not resolved, by id."""
    query = select(alerts.c.id, alerts.c.status).where(alerts.c.status != RESOLVED)
    return {row.id: row.status for row in db.execute(query)}


def resolved_since(db: Connection, since: float) -> list[StoredAlert]:
    """Those that were resolved at or after a time."""
    return [_read(row) for row in db.execute(select(alerts).where(alerts.c.resolved_at >= since))]


def page(db: Connection, wanted: Wanted, limit: int, offset: int) -> tuple[list[StoredAlert], int]:
    """Some of them, the newest first, and how many there are."""
    chosen = _conditions(wanted)
    total = db.execute(select(func.count()).select_from(alerts).where(*chosen)).scalar() or 0
    query = select(alerts).where(*chosen).order_by(alerts.c.fired_at.desc(), alerts.c.id)
    return [_read(row) for row in db.execute(query.limit(limit).offset(offset))], total


def unresolved(db: Connection, cluster_id: str | None = None) -> dict[tuple[str, str], int]:
    """How many alerts are not resolved, by cluster and severity."""
    query = select(alerts.c.cluster_id, alerts.c.severity, func.count().label("number")).where(
        alerts.c.status != RESOLVED
    )
    if cluster_id is not None:
        query = query.where(alerts.c.cluster_id == cluster_id)
    rows = db.execute(query.group_by(alerts.c.cluster_id, alerts.c.severity))
    return {(row.cluster_id, row.severity): row.number for row in rows}


def unresolved_by_rule(db: Connection) -> dict[str, int]:
    """How many alerts are not resolved, by the name of their rule."""
    query = select(alerts.c.rule_name, func.count().label("number")).where(alerts.c.status != RESOLVED)
    return {row.rule_name: row.number for row in db.execute(query.group_by(alerts.c.rule_name))}


def unresolved_of_rule(db: Connection, rule_name: str) -> list[str]:
    """The ids of a rule's alerts that are not resolved."""
    chosen = select(alerts.c.id).where(alerts.c.rule_name == rule_name, alerts.c.status != RESOLVED)
    return list(db.execute(chosen.order_by(alerts.c.id)).scalars())


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [
        or_(alerts.c.resolved_at.is_(None), alerts.c.resolved_at >= wanted.since)
    ]
    for column in ("cluster_id", "severity", "status"):
        value = getattr(wanted, column)
        if value is not None:
            found.append(alerts.c[column] == value)
    return found


def _read(row: Row[Any]) -> StoredAlert:
    values = row._asdict()
    detail = json.loads(values.pop("detail_json"))
    return StoredAlert(**values, detail=detail)
