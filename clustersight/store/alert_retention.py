"""Forgetting alerts: what is over for longer than retention.daily_days, with its events and deliveries."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Table, select

from clustersight.store.alert_schema import alerts, outbox, silences
from clustersight.store.database import Database

MOST_ROWS = 1000


def expire(database: Database, before: float) -> Iterator[None]:
    """Delete, a thousand rows a transaction. Raises StoreError.

    An alert that still fires stays with its deliveries: they say who was told of it.
    """
    yield from _delete(database, alerts, alerts.c.resolved_at < before)
    yield from _delete(database, outbox, outbox.c.alert_id.is_(None) & (outbox.c.ended_at < before))
    yield from _delete(database, silences, silences.c.ends_at < before)


def _delete(database: Database, table: Table, gone: ColumnElement[bool]) -> Iterator[None]:
    while True:
        with database.begin() as db:
            ids = list(db.execute(select(table.c.id).where(gone).limit(MOST_ROWS)).scalars())
            if ids:
                db.execute(table.delete().where(table.c.id.in_(ids)))
        if not ids:
            return
        yield
