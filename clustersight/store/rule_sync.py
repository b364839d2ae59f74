"""Rules of the built-in pack and of files: the store's rows are the last set that was good."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from clustersight.ids import Prefix, new_id
from clustersight.store import revisions
from clustersight.store.errors import Conflict
from clustersight.store.rules import RuleType
from clustersight.store.schema import rules


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A rule that no API may make: `rule_type` is built_in or file."""

    name: str
    rule_type: RuleType
    origin: str
    definition: Mapping[str, Any]
    enabled: bool


def sync(db: Connection, wanted: Sequence[Provisioned], now: float) -> int:
    """Make these the rules that are not custom; returns how many rows that changed.

    A rule keeps its id, and with it its state, while its name stays, wherever it comes from; that of a
    built-in one also what was changed of it over the API. Raises Conflict where a custom one has the name.
    """
    known = {row.name: row for row in db.execute(select(rules))}
    taken = clash(db, wanted)
    if taken:
        raise Conflict(taken)
    names = {one.name for one in wanted}
    gone = [n for n, row in known.items() if n not in names and row.rule_type != RuleType.CUSTOM]
    new = [_new(one, now) for one in wanted if one.name not in known]
    changed = [
        _changed(one, known[one.name], now)
        for one in wanted
        if one.name in known and _differs(known[one.name], one)
    ]
    for start in range(0, len(gone), 500):
        db.execute(rules.delete().where(rules.c.name.in_(gone[start : start + 500])))
    if new:
        db.execute(rules.insert(), new)
    if changed:
        _update(db, changed)
    number = len(gone) + len(new) + len(changed)
    if number:
        revisions.bump(db)
    return number


def clash(db: Connection, wanted: Sequence[Provisioned]) -> str:
    """Which of these has the name of a custom rule; empty if none has."""
    query = select(rules.c.name).where(rules.c.rule_type == RuleType.CUSTOM.value)
    custom = set(db.execute(query).scalars())
    return "\n".join(
        f"{one.origin or 'the built-in pack'}: there is a rule named {one.name!r} that was made over the API;"
        " rename one of the two"
        for one in wanted
        if one.name in custom
    )


def _text(definition: Mapping[str, Any]) -> str:
    return json.dumps(dict(definition), sort_keys=True)


def _new(one: Provisioned, now: float) -> dict[str, Any]:
    return {
        "id": new_id(Prefix.RULE),
        "name": one.name,
        "rule_type": one.rule_type.value,
        "origin": one.origin,
        "definition_json": _text(one.definition),
        "enabled": one.enabled,
        "created_at": now,
        "updated_at": now,
    }


def _differs(row: Any, one: Provisioned) -> bool:
    same = (row.rule_type, row.origin, row.definition_json) == (
        one.rule_type.value,
        one.origin,
        _text(one.definition),
    )
    # A built-in one that was switched off over the API stays off.
    return not same or (one.rule_type is RuleType.FILE and row.enabled != one.enabled)


def _changed(one: Provisioned, row: Any, now: float) -> dict[str, Any]:
    # Whether a built-in one is on was said over the API; whether a file's is, by the file.
    stays = row.rule_type == one.rule_type.value == RuleType.BUILT_IN.value
    return {
        "rule": one.name,
        "type": one.rule_type.value,
        "place": one.origin,
        "definition": _text(one.definition),
        "on": row.enabled if stays else one.enabled,
        "overrides": row.overrides_json if stays else "{}",
        "at": now,
    }


def _update(db: Connection, changed: Sequence[Mapping[str, Any]]) -> None:
    """What was changed over the API of a built-in rule is not about the file's that stands for it."""
    statement = (
        update(rules)
        .where(rules.c.name == bindparam("rule"))
        .values(
            rule_type=bindparam("type"),
            origin=bindparam("place"),
            definition_json=bindparam("definition"),
            enabled=bindparam("on"),
            overrides_json=bindparam("overrides"),
            updated_at=bindparam("at"),
        )
    )
    db.execute(statement, list(changed))
