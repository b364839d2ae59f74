"""Rules of every origin; those made over the API are written here alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, select

from clustersight.ids import Prefix, new_id
from clustersight.store import revisions
from clustersight.store.errors import Conflict
from clustersight.store.schema import rules


class RuleType(StrEnum):
    """Where a rule comes from, which decides what may be changed."""

    BUILT_IN = "built_in"
    CUSTOM = "custom"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A row; `definition` holds everything but id, name and whether it is on. Times are epoch seconds.

    `overrides` are the fields of a built-in rule that were changed over the API: the next release's
    definition must not undo them.
    """

    id: str
    name: str
    rule_type: RuleType
    origin: str
    definition: Mapping[str, Any]
    enabled: bool
    created_at: float
    updated_at: float
    overrides: Mapping[str, Any] = field(default_factory=dict)


def every(db: Connection) -> list[StoredRule]:
    """All rules by name."""
    return [_read(row) for row in db.execute(select(rules).order_by(rules.c.name))]


def mark(db: Connection) -> tuple[float, ...]:
    """Changes with every rule, also by a clock that was set back: how many, and when they were written."""
    at = rules.c.updated_at
    row = db.execute(select(func.count(), func.max(at), func.sum(at))).one()
    return tuple(float(one or 0) for one in row)


def get(db: Connection, rule_id: str) -> StoredRule | None:
    row = db.execute(select(rules).where(rules.c.id == rule_id)).first()
    return _read(row) if row else None


def create(
    db: Connection, name: str, definition: Mapping[str, Any], now: float, *, enabled: bool = True
) -> StoredRule:
    """Add a custom rule. Raises Conflict where the name is taken."""
    _refuse_taken(db, name, but="")
    rule_id = new_id(Prefix.RULE)
    values = {
        "id": rule_id,
        "name": name,
        "rule_type": RuleType.CUSTOM.value,
        "origin": "api",
        "definition_json": json.dumps(definition),
        "enabled": enabled,
        "created_at": now,
        "updated_at": now,
    }
    db.execute(rules.insert().values(**values))
    revisions.bump(db)
    return _required(db, rule_id)


def update(
    db: Connection, rule_id: str, name: str, definition: Mapping[str, Any], now: float, *, enabled: bool
) -> StoredRule:
    """Change a custom rule. Raises Conflict where the name is another one's."""
    _refuse_taken(db, name, but=rule_id)
    values = {"name": name, "definition_json": json.dumps(definition), "enabled": enabled}
    return _write(db, rule_id, values, now)


def override(
    db: Connection, rule_id: str, overrides: Mapping[str, Any], now: float, *, enabled: bool
) -> StoredRule:
    """Change what may be changed of a built-in rule; `overrides` are all that hold from now on."""
    return _write(db, rule_id, {"overrides_json": json.dumps(dict(overrides)), "enabled": enabled}, now)


def _write(db: Connection, rule_id: str, changes: Mapping[str, Any], now: float) -> StoredRule:
    values = {**changes, "updated_at": now}
    db.execute(rules.update().where(rules.c.id == rule_id).values(**values))
    revisions.bump(db)
    return _required(db, rule_id)


def delete(db: Connection, rule_id: str) -> None:
    db.execute(rules.delete().where(rules.c.id == rule_id))
    revisions.bump(db)


def _refuse_taken(db: Connection, name: str, *, but: str) -> None:
    taken = select(rules.c.id).where(rules.c.name == name, rules.c.id != but)
    if db.execute(taken).first() is not None:
        raise Conflict(f"there is a rule named {name!r} already")


def _required(db: Connection, rule_id: str) -> StoredRule:
    stored = get(db, rule_id)
    assert stored is not None  # noqa: S101 - it was written in this very transaction
    return stored


def _read(row: Row[Any]) -> StoredRule:
    values = row._asdict()
    definition = json.loads(values.pop("definition_json"))
    values["rule_type"] = RuleType(values["rule_type"])
    overrides = json.loads(values.pop("overrides_json"))
    return StoredRule(**values, definition=definition, overrides=overrides)
