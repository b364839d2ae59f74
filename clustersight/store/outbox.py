"""Messages that are to be sent, one row for each alert and channel; a row ends and then never changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, or_, select, update

from clustersight.store import revisions
from clustersight.store.alert_schema import alerts, outbox

PENDING = "pending"
DELIVERED = "delivered"
SUPERSEDED = "superseded"
DEAD = "dead"
# Counted up by whoever puts rows there that the sender must look at soon.
REVISION = "outbox"
# More than a digest holds by far: the sender never reads a backlog whole.
MOST_ROWS = 2000
# Twice the longest backoff (clustersight/alerts/pace.py).
MOST_WAIT_SECONDS = 600.0
_LIGHT = [column for column in outbox.c if column.name != "message_json"]


@dataclass(frozen=True, slots=True)
class NewRow:
    """What is to be sent; `message` is a notice as plain JSON. `alert_id` is None of a test."""

    alert_id: str | None
    channel: str
    kind: str
    severity: str
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row; times are epoch seconds. `last_error` says why it is dead or superseded, or failed last."""

    id: int
    alert_id: str | None
    channel: str
    kind: str
    severity: str
    state: str
    attempts: int
    last_error: str
    created_at: float
    due_at: float
    ended_at: float | None
    superseded_by: int | None
    message: Mapping[str, Any]


def put(db: Connection, rows: Sequence[NewRow], now: float) -> list[int]:
    """Write rows that are due at once; returns their ids in the order of `rows`."""
    if not rows:
        return []
    values = [
        {
            "alert_id": row.alert_id,
            "channel": row.channel,
            "kind": row.kind,
            "severity": row.severity,
            "state": PENDING,
            "message_json": json.dumps(dict(row.message)),
            "created_at": now,
            "due_at": now,
        }
        for row in rows
    ]
    revisions.bump(db, REVISION)
    inserted = outbox.insert().returning(outbox.c.id, sort_by_parameter_order=True)
    return list(db.execute(inserted, values).scalars())


def due(db: Connection, channel: str, now: float, limit: int = MOST_ROWS) -> list[StoredRow]:
    """Pending rows of a channel that may go, the oldest first.

    One that never failed may at once; nor does one wait for a time that is further away than any failure
    makes it wait: the clock was set back since.
    """
    may_go = or_(outbox.c.attempts == 0, outbox.c.due_at <= now, outbox.c.due_at > now + MOST_WAIT_SECONDS)
    query = select(outbox).where(outbox.c.channel == channel, outbox.c.state == PENDING, may_go)
    return _rows(db, query.order_by(outbox.c.id).limit(limit))


def urgent(db: Connection, channel: str, kinds: Iterable[str]) -> list[StoredRow]:
    """Pending rows of these kinds, wherever they stand in the backlog."""
    query = select(outbox).where(
        outbox.c.channel == channel, outbox.c.state == PENDING, outbox.c.kind.in_(tuple(kinds))
    )
    return _rows(db, query.order_by(outbox.c.id).limit(100))


def every(db: Connection) -> list[StoredRow]:
    """The whole outbox, the oldest first."""
    return _rows(db, select(outbox).order_by(outbox.c.id))


def of_alert(db: Connection, alert_id: str) -> list[StoredRow]:
    """All rows of an alert, the oldest first."""
    return _rows(db, select(outbox).where(outbox.c.alert_id == alert_id).order_by(outbox.c.id))


def of_unresolved(db: Connection) -> list[StoredRow]:
    """All rows of alerts that are not resolved, the oldest first, without their messages."""
    chosen = select(alerts.c.id).where(alerts.c.status != "resolved")
    return _rows(db, select(*_LIGHT).where(outbox.c.alert_id.in_(chosen)).order_by(outbox.c.id))


def deliveries(db: Connection, alert_id: str) -> list[StoredRow]:
    """All rows of an alert, the oldest first, without their messages."""
    return _rows(db, select(*_LIGHT).where(outbox.c.alert_id == alert_id).order_by(outbox.c.id))


def some(db: Connection, ids: Iterable[int]) -> list[StoredRow]:
    """These rows, the oldest first, without their messages."""
    return _rows(db, select(*_LIGHT).where(outbox.c.id.in_(tuple(ids))).order_by(outbox.c.id))


def delivered(db: Connection, ids: Iterable[int], now: float) -> None:
    """They went out; what was superseded or given up meanwhile went out all the same."""
    _end(db, ids, DELIVERED, now, "", also=(SUPERSEDED, DEAD))


def dead(db: Connection, ids: Iterable[int], reason: str, now: float) -> None:
    """They are given up."""
    _end(db, ids, DEAD, now, reason)


@dataclass(frozen=True, slots=True)
class Superseded:
    """What waits of an alert on a channel is not sent any more; `by` is the row that says more."""

    alert_id: str
    channel: str
    reason: str
    by: int | None


def supersede(db: Connection, some: Sequence[Superseded], now: float) -> None:
    """End what waits; escalations are sent all the same, since somebody asked for them."""
    rows = [
        {"alert": o.alert_id, "on": o.channel, "why": o.reason, "by": o.by, "but": o.by or 0} for o in some
    ]
    statement = (
        update(outbox)
        .where(outbox.c.alert_id == bindparam("alert"), outbox.c.channel == bindparam("on"))
        .where(outbox.c.state == PENDING, outbox.c.kind != "escalated", outbox.c.id != bindparam("but"))
        .values(state=SUPERSEDED, ended_at=now, last_error=bindparam("why"), superseded_by=bindparam("by"))
    )
    if rows:
        db.execute(statement, rows)


def failed(db: Connection, due_at: Mapping[int, float], reason: str) -> None:
    """A try did not go through; each row, by id, waits until its time."""
    statement = (
        update(outbox)
        .where(outbox.c.id == bindparam("row"), outbox.c.state == PENDING)
        .values(attempts=outbox.c.attempts + 1, last_error=reason, due_at=bindparam("until"))
    )
    if due_at:
        db.execute(statement, [{"row": row_id, "until": until} for row_id, until in due_at.items()])


def repaired(db: Connection, channel: str, now: float) -> None:
    """A channel takes messages again: what waits for another try waits no longer."""
    chosen = (outbox.c.channel == channel) & (outbox.c.state == PENDING) & (outbox.c.due_at > now)
    db.execute(outbox.update().where(chosen).values(due_at=now))


def expired(db: Connection, channel: str, before: float) -> list[int]:
    """Pending rows that were made before a time."""
    chosen = select(outbox.c.id).where(
        outbox.c.channel == channel, outbox.c.state == PENDING, outbox.c.created_at < before
    )
    return list(db.execute(chosen.limit(MOST_ROWS)).scalars())


def orphans(db: Connection, channels: Iterable[str]) -> list[int]:
    """Pending rows of channels that are none of these."""
    chosen = select(outbox.c.id).where(outbox.c.state == PENDING, outbox.c.channel.not_in(tuple(channels)))
    return list(db.execute(chosen.limit(MOST_ROWS)).scalars())


def counts(db: Connection) -> tuple[dict[str, int], float | None]:
    """How many rows are in each state, and when the oldest pending one was made."""
    query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
    oldest = db.execute(select(func.min(outbox.c.created_at)).where(outbox.c.state == PENDING)).scalar()
    return {row[0]: row[1] for row in db.execute(query)}, oldest


def _end(
    db: Connection, ids: Iterable[int], state: str, now: float, reason: str, *, also: tuple[str, ...] = ()
) -> None:
    statement = (
        update(outbox)
        .where(outbox.c.id == bindparam("row"), or_(*(outbox.c.state == one for one in (PENDING, *also))))
        .values(state=state, ended_at=now, last_error=reason, attempts=outbox.c.attempts + 1)
    )
    rows = [{"row": row_id} for row_id in ids]
    if rows:
        db.execute(statement, rows)


def _rows(db: Connection, query: Select[Any]) -> list[StoredRow]:
    return [_read(row) for row in db.execute(query)]


def _read(row: Row[Any]) -> StoredRow:
    values = row._asdict()
    message = values.pop("message_json", None)
    return StoredRow(**values, message=json.loads(message) if message else {})
