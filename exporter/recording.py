"""A visit as the store keeps it: snapshots of its panels, and what of their samples is history (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clustersight.collection import Collection, PanelRun
from clustersight.metrics import Sample
from clustersight.panels.panel import Status
from clustersight.panels.sql_rule import plain_samples
from clustersight.settings.cluster import ClusterSettings
from clustersight.store.nodes import StoredNode
from clustersight.store.samples import PanelHistory
from clustersight.store.series import Key, labels_text
from clustersight.store.snapshots import Snapshot

# The runner's own samples of a node, beside those of its panels.
RUNNER = "collector"
# A panel that was not to run says nothing about its series.
_NOT_RUN = frozenset({Status.DISABLED, Status.UNSUPPORTED})


@dataclass(frozen=True, slots=True)
class Record:
    """One visit to one node, with the runner's own samples of it. `settings` are those it was made with."""

    settings: ClusterSettings
    collection: Collection
    own: tuple[Sample, ...]
    logical_clusters: tuple[str, ...] = ()

    @property
    def cluster(self) -> str:
        return self.settings.name

    @property
    def host(self) -> str:
        return self.collection.node.host


def node_of(record: Record, cluster_id: str) -> StoredNode:
    """How the node was found."""
    collection, node = record.collection, record.collection.node
    return StoredNode(
        cluster_id=cluster_id,
        host=node.host,
        address_host=node.address.host,
        address_port=node.address.port,
        is_configured=node.is_configured,
        is_up=collection.up,
        visited_at=collection.started_at + collection.duration_seconds,
        shard=node.shard,
        replica=node.replica,
        logical_cluster=node.logical_cluster,
        error=collection.error,
        version=collection.greeting.version if collection.greeting else "",
        logical_clusters=record.logical_clusters,
    )


def snapshots_of(record: Record, cluster_id: str) -> list[Snapshot]:
    """One of each panel that ran, and one of the runner's samples."""
    found = [_snapshot(run, cluster_id, record.host) for run in record.collection.runs]
    ended = record.collection.started_at + record.collection.duration_seconds
    own = Snapshot(
        cluster_id=cluster_id,
        panel=RUNNER,
        host=record.host,
        status=Status.OK.value,
        error=record.collection.error,
        finished_at=ended,
        duration_seconds=record.collection.duration_seconds,
        read_rows=0,
        collected_at=ended,
        payload=[],
        samples=_plain(record.own),
    )
    return [*found, own]


def _snapshot(run: PanelRun, cluster_id: str, host: str) -> Snapshot:
    good = run.status is Status.OK
    return Snapshot(
        cluster_id=cluster_id,
        panel=run.panel.name,
        host=host,
        status=run.status.value,
        error=run.error,
        finished_at=run.finished_at,
        duration_seconds=run.duration_seconds,
        read_rows=run.read_rows,
        collected_at=run.finished_at if good else None,
        payload=run.panel.payload(run.rows) if good else [],
        samples=_samples(run) if good else [],
    )


def _samples(run: PanelRun) -> list[list[object]]:
    if run.panel.of_user:
        return plain_samples(run.panel.name, run.rows)
    return _plain(run.samples)


def _plain(samples: Iterable[Sample]) -> list[list[object]]:
    return [[sample.metric.name, list(sample.labels), float(sample.value)] for sample in samples]


def history_of(record: Record) -> list[PanelHistory]:
    """What is worth remembering of each panel that ran, in the unit of the rule keys."""
    found = [
        PanelHistory(run.panel.name, run.status is Status.OK, dict(_values(run.samples)))
        for run in record.collection.runs
        if run.status not in _NOT_RUN and not run.panel.of_user
    ]
    return [*found, PanelHistory(RUNNER, ok=True, values=dict(_values(record.own)))]


def _values(samples: Iterable[Sample]) -> Iterator[tuple[Key, float]]:
    for sample in samples:
        metric = sample.metric
        if metric.history:
            labels = dict(zip(metric.labels, sample.labels, strict=True))
            yield Key(metric.name, labels_text(labels)), sample.value * metric.per_base_unit


def cluster_history(samples: Sequence[Sample]) -> PanelHistory:
    """What is remembered of a cluster as a whole, under the host ''."""
    return PanelHistory(RUNNER, ok=True, values=dict(_values(samples)))


def cluster_snapshot(cluster_id: str, samples: Sequence[Sample], at: float) -> Snapshot:
    """The samples of a cluster as a whole, under the host ''."""
    return Snapshot(
        cluster_id=cluster_id,
        panel=RUNNER,
        host="",
        status=Status.OK.value,
        error="",
        finished_at=at,
        duration_seconds=0.0,
        read_rows=0,
        collected_at=at,
        payload=[],
        samples=_plain(samples),
    )
