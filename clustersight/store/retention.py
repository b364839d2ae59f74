"""Forgetting: what is older than the settings say, a few thousand rows at a time, and never unsummed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, and_, exists, func, not_, select, text

from clustersight.store import alert_retention
from clustersight.store.database import Database
from clustersight.store.samples import HOLD_SECONDS
from clustersight.store.schema import (
    clusters,
    health_scores,
    samples_daily,
    samples_hourly,
    samples_raw,
    series,
)
from clustersight.store.tiers import DAY_SECONDS, HOUR_SECONDS, Reach, Tier, reaches, set_expired

# A transaction of a twentieth of a second: others wait no longer.
MOST_ROWS = 10_000
_BATCH_SERIES = 200
_TABLES: dict[Tier, Table] = {
    Tier.RAW: samples_raw,
    Tier.HOURLY: samples_hourly,
    Tier.DAILY: samples_daily,
}


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days each tier is kept."""

    raw_days: int
    hourly_days: int
    daily_days: int

    def cutoffs(self, now: int) -> dict[Tier, int]:
        """Before when a tier has expired: at the start of an hour, or of a day."""
        days = {Tier.RAW: self.raw_days, Tier.HOURLY: self.hourly_days, Tier.DAILY: self.daily_days}
        parts = {Tier.RAW: HOUR_SECONDS, Tier.HOURLY: DAY_SECONDS, Tier.DAILY: DAY_SECONDS}
        return {tier: (now - days[tier] * DAY_SECONDS) // parts[tier] * parts[tier] for tier in Tier}


def expire(database: Database, now: int, retention: Retention) -> Iterator[None]:
    """One pass over everything; each step is one short transaction. Raises StoreError."""
    cutoffs = retention.cutoffs(now)
    with database.read() as db:
        held = reaches(db)
        known = list(db.execute(select(clusters.c.id)).scalars())
    for tier in Tier:
        until = _expired_until(tier, cutoffs[tier], held, now)
        with database.begin() as db:
            set_expired(db, tier, until)
        yield
        # What held a value into the first hour that stays, stays too.
        before = until - HOLD_SECONDS if tier is Tier.RAW else until
        yield from _expire_samples(database, _TABLES[tier], before)
    yield from _expire_series(database, now)
    for cluster_id in known:
        yield from _expire_scores(database, cluster_id, cutoffs)
    yield from alert_retention.expire(database, cutoffs[Tier.DAILY])


def _expired_until(tier: Tier, cutoff: int, held: dict[Tier, Reach], now: int) -> int:
    """Never what the next tier has not got yet, and never back: what has gone stays gone."""
    summed = {Tier.RAW: held[Tier.HOURLY].done_until, Tier.HOURLY: held[Tier.DAILY].done_until}
    before = held[tier].expired_until
    if before > now:  # by a clock that was wrong
        before = now // DAY_SECONDS * DAY_SECONDS
    return max(0, before, min(cutoff, summed.get(tier, cutoff)))


def _expire_samples(database: Database, table: Table, before: int) -> Iterator[None]:
    has_old = exists().where(table.c.series_id == series.c.id, table.c.at < before)
    after = 0
    while True:
        query = select(series.c.id).where(series.c.id > after, has_old)
        with database.read() as db:
            ids = list(db.execute(query.order_by(series.c.id).limit(_BATCH_SERIES)).scalars())
        if not ids:
            return
        after = ids[-1]
        while ids:
            with database.begin() as db:
                ids = _delete_some(db, table, ids, before)
            yield


def _delete_some(db: Connection, table: Table, ids: list[int], before: int) -> list[int]:
    """Delete as much as one transaction may; returns the series that are left for the next."""
    # Each series by a range of its own, which ends where there would be too many.
    statement = text(f"""
        DELETE FROM {table.name} WHERE series_id = :id AND at < coalesce(
            (SELECT at FROM {table.name} WHERE series_id = :id AND at < :before ORDER BY at LIMIT 1
            OFFSET :most), :before)
        """)  # noqa: S608 - the name is the schema's
    room = MOST_ROWS
    for position, series_id in enumerate(ids):
        bounds = {"id": series_id, "before": before, "most": room}
        room -= db.execute(statement, bounds).rowcount
        if room <= 0:
            return ids[position:]
    return []


def _expire_series(database: Database, now: int) -> Iterator[None]:
    """Those of which nothing is left. One that was made just now gets its first row in a moment."""
    empty = [not_(exists().where(table.c.series_id == series.c.id)) for table in _TABLES.values()]
    gone = and_(series.c.created_at < now - DAY_SECONDS, *empty)
    after = 0
    while True:
        batch = select(series.c.id).where(series.c.id > after).order_by(series.c.id).limit(MOST_ROWS)
        with database.read() as db:
            until = db.execute(select(func.max(batch.subquery().c.id))).scalar()
        if until is None:
            return
        with database.begin() as db:
            db.execute(series.delete().where(series.c.id > after, series.c.id <= until, gone))
        after = until
        yield


def _expire_scores(database: Database, cluster_id: str, cutoffs: dict[Tier, int]) -> Iterator[None]:
    """All scores for as long as raw samples, then the last of each hour, then of each day, then none."""
    later = health_scores.alias("later")

    def repeated(seconds: int) -> ColumnElement[bool]:
        return exists().where(
            later.c.cluster_id == health_scores.c.cluster_id,
            later.c.at > health_scores.c.at,
            later.c.at < (health_scores.c.at // seconds + 1) * seconds,
        )

    for expired in (
        and_(health_scores.c.at < cutoffs[Tier.DAILY]),
        and_(health_scores.c.at < cutoffs[Tier.HOURLY], repeated(DAY_SECONDS)),
        and_(health_scores.c.at < cutoffs[Tier.RAW], repeated(HOUR_SECONDS)),
    ):
        query = select(health_scores.c.at).where(health_scores.c.cluster_id == cluster_id, expired)
        while True:
            with database.read() as db:
                times = list(db.execute(query.order_by(health_scores.c.at).limit(MOST_ROWS // 10)).scalars())
            if not times:
                break
            with database.begin() as db:
                of_cluster = health_scores.c.cluster_id == cluster_id
                db.execute(health_scores.delete().where(of_cluster, health_scores.c.at.in_(times)))
            yield
