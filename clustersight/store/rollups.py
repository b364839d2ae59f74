"""Rolling up: hours from rows, days from hours, a few hundred series at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select, text

from clustersight.store.database import Database
from clustersight.store.samples import HOLD_SECONDS
from clustersight.store.schema import samples_daily, samples_hourly, series
from clustersight.store.tiers import DAY_SECONDS, Tier, reaches, set_done
from clustersight.store.upsert import upsert

# What is computed at once: a tenth of a second, and a transaction of a few milliseconds to write it.
BATCH_SERIES = 500
# A visit is stored some seconds after the time that its samples bear.
GRACE_SECONDS = 120
# No raw row is older (spec/api.md, bounds of the settings).
_OLDEST_SECONDS = 90 * DAY_SECONDS

# Each series by a seek of its own (CROSS JOIN keeps SQLite to this order): a range of ids would be read
# with all the days in it. A value holds until the next row, and no longer than HOLD_SECONDS.
HOURS = text("""
WITH
written AS (
    SELECT r.series_id, r.at, r.value, lead(r.at) OVER (PARTITION BY r.series_id ORDER BY r.at) AS next
    FROM series AS s CROSS JOIN samples_raw AS r
    WHERE s.id > :after AND s.id <= :until
      AND r.series_id = s.id AND r.at > :start - :hold AND r.at < :end
),
spans AS (
    SELECT series_id, value,
        CASE WHEN at < :start THEN :start ELSE at END AS begins,
        CASE WHEN next <= at + :hold THEN next WHEN at + :hold < :end THEN at + :hold ELSE :end END AS ends
    FROM written
    WHERE value IS NOT NULL
),
held AS (
    SELECT series_id, value, ends - begins AS seconds, begins,
        max(begins) OVER (PARTITION BY series_id) AS newest
    FROM spans
    WHERE ends > begins
)
SELECT series_id, :start AS at, min(value) AS min, max(value) AS max, sum(value * seconds) AS sum,
    sum(seconds) AS count, max(CASE WHEN begins = newest THEN value END) AS last
FROM held
GROUP BY series_id
ORDER BY series_id
""")
_DAYS = text("""
WITH hours AS (
    SELECT h.series_id, h.at, h.min, h.max, h.sum, h.count, h.last,
        max(h.at) OVER (PARTITION BY h.series_id) AS newest
    FROM series AS s CROSS JOIN samples_hourly AS h
    WHERE s.id > :after AND s.id <= :until AND h.series_id = s.id AND h.at >= :start AND h.at < :end
)
SELECT series_id, :start AS at, min(min) AS min, max(max) AS max, sum(sum) AS sum,
    sum(count) AS count, max(CASE WHEN at = newest THEN last END) AS last
FROM hours
GROUP BY series_id
ORDER BY series_id
""")


class Rollup:
    """One tier, brought up to date in steps. What a kill interrupts is done again, with the same result."""

    def __init__(self, database: Database, tier: Tier, *, batch_series: int = BATCH_SERIES) -> None:
        self._database = database
        self._tier = tier
        self._batch_series = batch_series
        self._start: int | None = None
        self._after = 0

    def step(self, now: int) -> bool:
        """Roll up one batch of series for one hour or day; False when there is nothing left to do.

        Reads first and then writes, so that other writers wait for the writing alone. Raises StoreError.
        """
        with self._database.read() as db:
            start = self._next_start(db, now)
            if start is None:
                self._start = None  # if the clock was set back, what is begun will begin again
                return False
            if start != self._start:
                self._start, self._after = start, 0
            ids = _batch(db, self._after, self._batch_series)
            rows = self._rolled_up(db, start, ids[-1]) if ids else []
        is_last = len(ids) < self._batch_series
        if rows or is_last:
            self._write(rows, start + self._tier.seconds if is_last else None)
        self._after = 0 if is_last else ids[-1]
        return True

    def _write(self, rows: Sequence[dict[str, Any]], done_until: int | None) -> None:
        with self._database.begin() as db:
            upsert(db, samples_hourly if self._tier is Tier.HOURLY else samples_daily, rows)
            if done_until is not None:
                set_done(db, self._tier, done_until)

    def _next_start(self, db: Connection, now: int) -> int | None:
        """The hour or day whose turn it is, if it is over and the finer tier has it."""
        seconds, held = self._tier.seconds, reaches(db)
        is_hourly = self._tier is Tier.HOURLY
        # Never beyond now: what a clock that was wrong called done would be begun again and again.
        complete = now - GRACE_SECONDS
        if not is_hourly:
            complete = min(complete, held[Tier.HOURLY].done_until)
        start: int | None = held[self._tier].done_until
        if not start or start > now + seconds:  # never, or by a clock that was wrong
            expired = held[Tier.RAW if is_hourly else Tier.HOURLY].expired_until
            start = _first_start(db, seconds, max(expired, now - _OLDEST_SECONDS))
        return start if start is not None and start + seconds <= complete else None

    def _rolled_up(self, db: Connection, start: int, until: int) -> Sequence[dict[str, Any]]:
        bounds = {"after": self._after, "until": until, "start": start, "end": start + self._tier.seconds}
        query = _DAYS
        if self._tier is Tier.HOURLY:
            query, bounds = HOURS, bounds | {"hold": HOLD_SECONDS}
        return [dict(row) for row in db.execute(query, bounds).mappings()]


def _first_start(db: Connection, seconds: int, since: int) -> int | None:
    """The first hour or day that there may be rows of, if it is whole."""
    oldest = db.execute(select(func.min(series.c.created_at))).scalar()
    return None if oldest is None else max(oldest // seconds, -(-since // seconds)) * seconds


def _batch(db: Connection, after: int, most: int) -> list[int]:
    """The ids that come next."""
    query = select(series.c.id).where(series.c.id > after)
    return list(db.execute(query.order_by(series.c.id).limit(most)).scalars())
