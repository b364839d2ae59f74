"""The last passes over the rules: what each one found of each rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from clustersight.store.alert_schema import evaluation_passes
from clustersight.store.packing import pack, unpack

# spec/rules.md: each rule keeps its last 20 evaluations.
KEPT = 20


@dataclass(frozen=True, slots=True)
class Pass:
    """`at` in epoch seconds; `steady` the same moment on the alerter's steady clock.

    `found` by rule id: [state, duration in seconds, samples, error].
    """

    interval_sec: int
    at: float
    duration_seconds: float
    steady: float
    found: Mapping[str, list[Any]]


def put(db: Connection, one: Pass) -> None:
    """Remember a pass; the oldest of its interval goes."""
    table = evaluation_passes
    packed = pack({"steady": one.steady, "found": dict(one.found)})
    # A clock that was set back may give the same time again.
    db.execute(table.delete().where(table.c.interval_sec == one.interval_sec, table.c.at >= one.at))
    db.execute(
        table.insert().values(
            interval_sec=one.interval_sec,
            at=one.at,
            duration_seconds=one.duration_seconds,
            found_packed=packed,
        )
    )
    oldest = (
        select(table.c.at)
        .where(table.c.interval_sec == one.interval_sec)
        .order_by(table.c.at.desc())
        .offset(KEPT - 1)
        .limit(1)
        .scalar_subquery()
    )
    db.execute(table.delete().where(table.c.interval_sec == one.interval_sec, table.c.at < oldest))


def latest(db: Connection) -> list[Pass]:
    """The last pass of each interval."""
    table = evaluation_passes
    last = select(table.c.interval_sec, func.max(table.c.at).label("at")).group_by(table.c.interval_sec)
    newest = last.subquery()
    query = select(table).join(
        newest, (table.c.interval_sec == newest.c.interval_sec) & (table.c.at == newest.c.at)
    )
    return [_read(row) for row in db.execute(query)]


def every(db: Connection) -> list[Pass]:
    """All that are kept, the newest first."""
    query = select(evaluation_passes).order_by(evaluation_passes.c.at.desc())
    return [_read(row) for row in db.execute(query)]


def forget(db: Connection, keep: set[int]) -> None:
    """Those of intervals that no rule has any more."""
    db.execute(evaluation_passes.delete().where(evaluation_passes.c.interval_sec.not_in(keep)))


def _read(row: Row[Any]) -> Pass:
    found = unpack(row.found_packed)
    return Pass(row.interval_sec, row.at, row.duration_seconds, found["steady"], found["found"])
