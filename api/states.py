"""How a cluster was last found, from what the exporter stored of its nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.collector import CollectorStatus, collector_status, last_collected_at, version_of
from api.context import current
from clustersight.effective import Effective, effective
from clustersight.store import nodes, snapshots
from clustersight.store.clusters import StoredCluster
from clustersight.store.database import Connection


@dataclass(frozen=True, slots=True)
class ClusterState:
    """Of all its nodes; `collected_at` in epoch seconds, `error` that of the first node with one."""

    status: CollectorStatus
    collected_at: float | None = None
    error: str | None = None
    version: str | None = None
    logical_clusters: tuple[str, ...] = ()


def held() -> Effective:
    """The settings that hold now, and why some clusters cannot be watched at all."""
    return effective(current().settings, current().store)


def state_of(db: Connection, stored: StoredCluster, found: Effective) -> ClusterState:
    """As /overview has it: online while a node answers, and somebody asks."""
    known = nodes.of_cluster(db, stored.id)
    refused: Mapping[str, str] = found.refused
    errors = [node.error for node in known if node.error]
    return ClusterState(
        collector_status(known, current().now, found.settings.collection),
        last_collected_at(snapshots.states(db, stored.id)),
        refused.get(stored.id) or next(iter(errors), None),
        version_of(known),
        next((node.logical_clusters for node in known if node.logical_clusters), ()),
    )
