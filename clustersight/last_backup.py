"""The newest backup of a whole cluster, whichever node made it, and whether the next one is overdue (pure).

It is kept over restarts of servers, which empty system.backups, and of the exporter: in the snapshot of the
cluster, whose samples are what is read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from clustersight.metrics import Metric, Sample, Unit

AT = Metric(
    "clickhouse_cluster_backup_last_success_timestamp_seconds",
    "When a backup on a node of the cluster last succeeded, also before a restart; absent if none was seen.",
    cluster_only=True,
)
AGE = Metric(
    "clickhouse_backup_last_success_age_seconds",
    "How long ago that was; absent if no success was ever seen.",
    key="backups.age_seconds",
    unit=Unit.SECONDS,
    cluster_only=True,
    history=True,
)
OVERDUE = Metric(
    "clickhouse_backup_overdue",
    "1 if the last success is older than backups.expected_every, or none was ever seen; absent without that"
    " setting, and where no server can tell of backups.",
    key="backups.overdue",
    unit=Unit.BOOL,
    cluster_only=True,
    history=True,
)
METRICS = (AGE, OVERDUE, AT)


@dataclass(frozen=True, slots=True)
class LastBackup:
    """`at`: epoch seconds, None: no success was ever seen. `is_told`: some server can tell of backups."""

    at: float | None = None
    is_told: bool = False

    def newer(self, other: LastBackup) -> LastBackup:
        """What both know together."""
        known = [at for at in (self.at, other.at) if at is not None]
        return LastBackup(max(known, default=None), self.is_told or other.is_told)


def restored(samples: Iterable[Sequence[Any]]) -> LastBackup:
    """Out of the samples of a stored snapshot: [family, labels, value]."""
    values = {family: value for family, _, value in samples}
    return LastBackup(values.get(AT.name), is_told=AT.name in values or OVERDUE.name in values)


def samples_of(known: LastBackup, expected_every: timedelta | None, now: float) -> Iterator[Sample]:
    """`now` in epoch seconds; a server whose clock is fast has an age of 0."""
    age = None if known.at is None else max(0.0, now - known.at)
    if known.at is not None and age is not None:
        yield Sample(AT, (), known.at)
        yield Sample(AGE, (), age)
    if expected_every is not None and known.is_told:
        yield Sample(OVERDUE, (), float(age is None or age > expected_every.total_seconds()))
