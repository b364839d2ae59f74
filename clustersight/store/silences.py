"""Silences: which alerts are not sent, from when to when."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from clustersight.ids import Prefix, new_id
from clustersight.store import alert_changes, revisions
from clustersight.store.alert_schema import silences


@dataclass(frozen=True, slots=True)
class NewSilence:
    """What is silenced: every matcher {label, op, value} must hold. Times are epoch seconds."""

    matchers: Sequence[Mapping[str, str]]
    starts_at: float
    ends_at: float
    created_by: str
    comment: str
    alert_id: str | None = None


@dataclass(frozen=True, slots=True)
class StoredSilence:
    """A row; `alert_id` is that of the alert whose snooze it is."""

    id: str
    silence: NewSilence
    created_at: float


def page(db: Connection, limit: int, offset: int) -> tuple[list[StoredSilence], int]:
    """Some of them, the last to end first, and how many there are."""
    total = db.execute(select(func.count()).select_from(silences)).scalar() or 0
    query = select(silences).order_by(silences.c.ends_at.desc(), silences.c.id).limit(limit).offset(offset)
    return [_read(row) for row in db.execute(query)], total


def unended(db: Connection, now: float) -> list[StoredSilence]:
    """Those that hold, or will."""
    return [_read(row) for row in db.execute(select(silences).where(silences.c.ends_at > now))]


def get(db: Connection, silence_id: str) -> StoredSilence | None:
    row = db.execute(select(silences).where(silences.c.id == silence_id)).first()
    return _read(row) if row else None


def of_alert(db: Connection, alert_id: str, now: float) -> list[StoredSilence]:
    """Those that hold and are snoozes of an alert."""
    chosen = select(silences).where(silences.c.alert_id == alert_id, silences.c.ends_at > now)
    return [_read(row) for row in db.execute(chosen.order_by(silences.c.id))]


def create(db: Connection, silence: NewSilence, now: float) -> StoredSilence:
    stored = StoredSilence(new_id(Prefix.SILENCE), silence, now)
    values = {
        "id": stored.id,
        "matchers_json": json.dumps(list(silence.matchers)),
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "created_by": silence.created_by,
        "comment": silence.comment,
        "alert_id": silence.alert_id,
        "created_at": now,
    }
    db.execute(silences.insert().values(**values))
    _bump(db)
    return stored


def delete(db: Connection, silence_id: str) -> bool:
    """End it; False where there is none."""
    gone = db.execute(silences.delete().where(silences.c.id == silence_id)).rowcount
    if gone:
        _bump(db)
    return bool(gone)


def _bump(db: Connection) -> None:
    """Say so to the alerter, which looks at once, and to whoever follows the configuration."""
    revisions.bump(db, alert_changes.REVISION)
    revisions.bump(db)


def _read(row: Row[Any]) -> StoredSilence:
    silence = NewSilence(
        matchers=json.loads(row.matchers_json),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        created_by=row.created_by,
        comment=row.comment,
        alert_id=row.alert_id,
    )
    return StoredSilence(row.id, silence, row.created_at)
