"""What was set over the API; what a file or the environment gives wins (clustersight/effective.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from clustersight.store import revisions
from clustersight.store.schema import settings
from clustersight.store.upsert import upsert


def read(db: Connection) -> dict[str, Any]:
    """All plain settings by key."""
    query = select(settings.c.key, settings.c.value_json).where(settings.c.value_json.is_not(None))
    return {row.key: json.loads(row.value_json) for row in db.execute(query)}


def read_encrypted(db: Connection) -> dict[str, str]:
    """All secret settings by key, still encrypted."""
    query = select(settings.c.key, settings.c.value_encrypted)
    rows = db.execute(query.where(settings.c.value_encrypted.is_not(None)))
    return {row.key: row.value_encrypted for row in rows}


def write(db: Connection, plain: Mapping[str, Any], encrypted: Mapping[str, str | None], now: float) -> None:
    """Set some; an encrypted one that is None is removed."""
    rows = [
        {"key": key, "value_json": json.dumps(value), "value_encrypted": None, "updated_at": now}
        for key, value in plain.items()
    ]
    rows += [
        {"key": key, "value_json": None, "value_encrypted": value, "updated_at": now}
        for key, value in encrypted.items()
        if value is not None
    ]
    removed = [key for key, value in encrypted.items() if value is None]
    db.execute(settings.delete().where(settings.c.key.in_(removed)))
    upsert(db, settings, rows)
    revisions.bump(db)
