"""Keeps the newest backup of each cluster, from its visits and from what the store knew before."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any

from clustersight.collection import PanelRun
from clustersight.last_backup import LastBackup, restored, samples_of
from clustersight.metrics import Sample
from clustersight.panels import backups
from clustersight.panels.panel import Status
from exporter.fleet import Target

# Where the panel is switched off, or there is nothing to read, nobody can say that a backup is overdue.
_NOT_RUN = frozenset({Status.DISABLED, Status.UNSUPPORTED})


class LastBackups:
    """Says nothing of a cluster before `restore`: what was known before may be newer. Thread safe."""

    def __init__(self) -> None:
        self._known: dict[str, LastBackup] = {}
        self._lock = threading.Lock()

    def knows(self, cluster: str) -> bool:
        return cluster in self._known

    def restore(self, cluster: str, samples: Iterable[Sequence[Any]]) -> None:
        """Begin with the samples of the cluster's stored snapshot; there may be none."""
        with self._lock:
            self._known[cluster] = restored(samples)

    def forget_others(self, clusters: Collection[str]) -> None:
        """Keep these clusters only; one that comes back is restored anew."""
        with self._lock:
            self._known = {name: known for name, known in self._known.items() if name in clusters}

    def samples(
        self, cluster: str, targets: Iterable[Target], expected_every: timedelta | None, now: float
    ) -> list[Sample]:
        """Of the cluster's nodes as they were visited last; `now` in epoch seconds."""
        runs = [run for target in targets if (run := target.runs.get(backups.NAME)) is not None]
        with self._lock:
            known = self._known.get(cluster)
            if known is None:
                return []
            for run in runs:
                known = known.newer(told_by(run))
            self._known[cluster] = known
        nobody_asks = bool(runs) and all(run.status in _NOT_RUN for run in runs)
        return list(samples_of(known, None if nobody_asks else expected_every, now))


def told_by(run: PanelRun) -> LastBackup:
    """What a run of the panel says, if it ended well."""
    if run.status is not Status.OK:
        return LastBackup()
    row: backups.Row = run.rows[0]
    return LastBackup(row.succeeded_at or None, is_told=True)
