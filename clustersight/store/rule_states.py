"""The state of every rule for every set of labels that is pending or firing: what survives a kill -9."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select

from clustersight.store.alert_schema import rule_states
from clustersight.store.upsert import upsert

Key = tuple[str, str]


def every(db: Connection) -> dict[Key, dict[str, Any]]:
    """All, by rule id and fingerprint."""
    rows = db.execute(select(rule_states.c.rule_id, rule_states.c.fingerprint, rule_states.c.state_json))
    return {(row.rule_id, row.fingerprint): json.loads(row.state_json) for row in rows}


def put(db: Connection, changed: Mapping[Key, Mapping[str, Any]], now: float) -> None:
    rows = [
        {"rule_id": rule, "fingerprint": key, "state_json": json.dumps(dict(state)), "updated_at": now}
        for (rule, key), state in changed.items()
    ]
    upsert(db, rule_states, rows)


def delete(db: Connection, gone: Iterable[Key]) -> None:
    rows = [{"rule": rule, "key": key} for rule, key in gone]
    if rows:
        statement = rule_states.delete().where(
            rule_states.c.rule_id == bindparam("rule"), rule_states.c.fingerprint == bindparam("key")
        )
        db.execute(statement, rows)
