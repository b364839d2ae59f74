"""What is later than now: the clock was ahead then, or has been set back since.

Left alone it would lie between the rows that come, where each fall of a counter reads as a restart.
"""

from __future__ import annotations

from sqlalchemy import Connection, Table, select

from clustersight.store.schema import health_scores, samples_daily, samples_hourly, samples_raw, series
from clustersight.store.tiers import Reach, Tier, reaches, set_done

# The start of 2020. A machine without a battery wakes up in 1970; that is no reason to forget anything.
_CLOCK_IS_SET = 1_577_836_800
# Far below what SQLite takes as bound values of one statement.
_MOST_IDS = 1000
# What a tier is made from.
_FINER = {Tier.HOURLY: Tier.RAW, Tier.DAILY: Tier.HOURLY}
_TABLES = {Tier.HOURLY: samples_hourly, Tier.DAILY: samples_daily}


def forget_samples(db: Connection, cluster_id: str, host: str, at: int) -> None:
    """Delete what a host has after `at`, and have the hours and days of it rolled up again.

    Nothing is rolled up again of which rows have expired. Without effect while the clock is not set.
    """
    if at < _CLOCK_IS_SET:
        return
    of_host = (series.c.cluster_id == cluster_id, series.c.host == host)
    ids = list(db.execute(select(series.c.id).where(*of_host)).scalars())
    _delete(db, samples_raw, ids, at + 1)
    held = reaches(db)
    for tier, table in _TABLES.items():
        since = _undone_since(tier, held, at)
        _delete(db, table, ids, since)
        if held[tier].done_until > since:
            set_done(db, tier, since)
    # Rolling up for the first time begins with the oldest series.
    db.execute(series.update().where(*of_host, series.c.created_at > at).values(created_at=at))


def _undone_since(tier: Tier, held: dict[Tier, Reach], at: int) -> int:
    """The hour or day of `at`, if what it is made from is all there, or the first one that is."""
    return max(at // tier.seconds * tier.seconds, held[_FINER[tier]].expired_until)


def _delete(db: Connection, table: Table, ids: list[int], since: int) -> None:
    for start in range(0, len(ids), _MOST_IDS):
        some = ids[start : start + _MOST_IDS]
        db.execute(table.delete().where(table.c.series_id.in_(some), table.c.at >= since))


def forget_scores(db: Connection, cluster_id: str, at: int) -> None:
    """Delete a cluster's health scores after `at`. Without effect while the clock is not set."""
    if at >= _CLOCK_IS_SET:
        columns = health_scores.c
        db.execute(health_scores.delete().where(columns.cluster_id == cluster_id, columns.at > at))
