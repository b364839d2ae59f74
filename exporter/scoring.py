"""Scores each cluster once an interval: into the store, its history, and onto the page."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from clustersight import last_backup
from clustersight.collection import Clock, PanelRun
from clustersight.effective import Effective
from clustersight.health import NodeState
from clustersight.metrics import Sample
from clustersight.panels import backups
from clustersight.panels.panel import Status
from clustersight.plans import is_fresh
from clustersight.rules.rule import SQL_PREFIX
from clustersight.scores import Scored, Scorer
from clustersight.settings.model import CollectionSettings, Settings
from clustersight.store import health_scores, snapshots
from clustersight.store.database import Database
from clustersight.store.samples import HistoryWriter
from exporter.collecting import HEALTH, Collecting
from exporter.page import Page, PieceKey
from exporter.recording import RUNNER, Record, cluster_history, cluster_snapshot


class Scoring:
    """A chore of the recorder. `note` is called by collecting threads."""

    def __init__(
        self, database: Database, clock: Clock, collecting: Collecting, page: Page, writer: HistoryWriter
    ) -> None:
        self._database = database
        self._clock = clock
        self._collecting = collecting
        self._page = page
        self._scorer = Scorer()
        self._writer = writer
        self._lock = threading.Lock()
        self._latest: dict[tuple[str, str], Record] = {}
        self._good: dict[tuple[str, str], dict[str, PanelRun]] = {}
        self._scored_at: dict[str, float] = {}

    def note(self, record: Record) -> None:
        """Remember a visit."""
        key = (record.cluster, record.host)
        with self._lock:
            self._latest[key] = record
            good = self._good.setdefault(key, {})
            if not record.collection.up:
                good.clear()
            runs = record.collection.runs
            good.update(
                {run.panel.name: run for run in runs if run.status is Status.OK and not run.panel.of_user}
            )

    def __call__(self, found: Effective) -> bool:
        """Score the cluster that waited longest, if one is due; True if another one is."""
        now = self._clock.monotonic()
        self._forget_others(found)
        due = [name for name in found.ids if self._is_due(name, now, found.settings.collection)]
        if not due:
            return False
        name = min(due, key=lambda n: self._scored_at.get(n, float("-inf")))
        self._scored_at[name] = now
        self._score(name, found.ids[name], found.settings)
        return len(due) > 1

    def _forget_others(self, found: Effective) -> None:
        with self._lock:
            for kept in (self._latest, self._good):
                for key in [key for key in kept if key[0] not in found.ids]:
                    del kept[key]

    def _is_due(self, name: str, now: float, collection: CollectionSettings) -> bool:
        if now - self._scored_at.get(name, float("-inf")) < collection.interval_sec:
            return False
        targets = [t for t in self._collecting.fleet.targets if t.cluster.name == name]
        with self._lock:
            return bool(targets) and all((name, t.node.host) in self._latest for t in targets)

    def _score(self, name: str, cluster_id: str, settings: Settings) -> None:
        now = self._clock.wall()
        self._restore(name, cluster_id)
        own = self._collecting.cluster_samples(name)
        nodes = list(self._states(name, now, settings.collection, own))
        scored = self._scorer.score(self._database, cluster_id, nodes, now, settings)
        samples = [*scored.samples(), *own]
        self._page.put(PieceKey(name, "", HEALTH), scored.samples())
        self._store(cluster_id, scored, samples)

    def _restore(self, name: str, cluster_id: str) -> None:
        """What was known of the cluster's backups before this exporter began, or took over."""
        if self._collecting.backups.knows(name):
            return
        with self._database.read() as db:
            stored = snapshots.of_panel(db, cluster_id, RUNNER)
        self._collecting.backups.restore(name, [s for one in stored if not one.host for s in one.samples])

    def _store(self, cluster_id: str, scored: Scored, samples: list[Sample]) -> None:
        with self._database.begin() as db:
            history = [cluster_history(samples)]
            written = self._writer.write(db, cluster_id, "", int(scored.at), history)
            health_scores.put(db, scored.stored(cluster_id))
            snapshots.put(db, [cluster_snapshot(cluster_id, samples, scored.at)])
        self._writer.confirm(written)

    def _states(
        self, name: str, now: float, collection: CollectionSettings, own: list[Sample]
    ) -> Iterator[NodeState]:
        """`own` is what is said of the cluster as a whole."""
        of_backups = [sample for sample in own if sample.metric is last_backup.AGE]
        hosts = {t.node.host for t in self._collecting.fleet.targets if t.cluster.name == name}
        with self._lock:
            latest = [record for (c, h), record in self._latest.items() if c == name and h in hosts]
            good = {h: dict(r) for (c, h), r in self._good.items() if c == name and h in hosts}
        for record in latest:
            # One run that failed says nothing; five intervals without a good one do.
            runs = good[record.host].values()
            fresh = [run for run in runs if is_fresh(run.panel, run.finished_at, now, collection)]
            samples = [sample for run in fresh for sample in run.samples]
            if any(run.panel.name == backups.NAME for run in fresh):
                samples += of_backups
            yield NodeState(
                host=record.host,
                shard=record.collection.node.shard,
                reachable=record.collection.up,
                samples=[*ours(record.own), *samples],
            )


def ours(samples: Iterable[Sample]) -> Iterator[Sample]:
    """The runner's samples without those of users' SQL: a mistake in a rule is no fault of a server."""
    for sample in samples:
        if sample.metric.labels[:1] != ("panel",) or not sample.labels[0].startswith(SQL_PREFIX):
            yield sample
