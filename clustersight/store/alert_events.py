"""Every transition of every alert is a row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from clustersight.store.alert_schema import alert_events


class EventKind(StrEnum):
    """What happened to an alert."""

    FIRED = "fired"
    ROSE = "rose"
    FELL = "fell"
    INHIBITED = "inhibited"
    UNINHIBITED = "uninhibited"
    SILENCED = "silenced"
    UNSILENCED = "unsilenced"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Event:
    """`at` in epoch seconds."""

    alert_id: str
    at: float
    kind: EventKind
    detail: Mapping[str, Any] = field(default_factory=dict)


def put(db: Connection, events: Sequence[Event]) -> None:
    rows = [
        {
            "alert_id": event.alert_id,
            "at": event.at,
            "kind": event.kind.value,
            "detail_json": json.dumps(dict(event.detail)),
        }
        for event in events
    ]
    if rows:
        db.execute(alert_events.insert(), rows)


def of_alert(db: Connection, alert_id: str) -> list[Event]:
    """In the order in which they happened."""
    query = select(alert_events).where(alert_events.c.alert_id == alert_id).order_by(alert_events.c.id)
    return [
        Event(row.alert_id, row.at, EventKind(row.kind), json.loads(row.detail_json))
        for row in db.execute(query)
    ]
