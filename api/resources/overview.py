"""GET /overview: every active cluster at a glance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from api import collector
from api.collector import CollectionState, CollectorStatus
from api.context import Context, current
from api.live.following import Following
from api.resource import Resource, Shape
from clustersight.plans import FRESH_INTERVALS
from clustersight.settings.model import CollectionSettings
from clustersight.store import alerts, clusters, health_scores, nodes, snapshots
from clustersight.store.clusters import StoredCluster
from clustersight.store.database import Connection
from clustersight.times import iso

RESOURCE = Resource("overview", "Every cluster at a glance.")


class AlertCounts(Shape):
    """Unresolved alerts (active and acknowledged) by severity."""

    warning: int
    critical: int


class ClusterOverviewItem(Shape):
    """A cluster; score and grade are null until first computed, and while nothing fresh is known."""

    id: str
    name: str
    host: str
    port: int
    health_score: float | None
    grade: str | None
    active_alert_count: int = Field(description="Unresolved alerts: the sum of alert_counts.")
    alert_counts: AlertCounts
    collector_status: CollectorStatus
    collection_state: CollectionState = Field(
        description="Whether all, some or no panels were read within five of their intervals."
    )
    last_collected_at: str | None
    logical_cluster_count: int
    version: str | None


EXAMPLE = {
    "id": "cl_0123456789ab",
    "name": "production",
    "host": "clickhouse.internal",
    "port": 8123,
    "health_score": 87.4,
    "grade": "B+",
    "active_alert_count": 1,
    "alert_counts": {"warning": 1, "critical": 0},
    "collector_status": "online",
    "collection_state": "full",
    "last_collected_at": "2026-03-22T14:00:00Z",
    "logical_cluster_count": 3,
    "version": "26.9.1.1",
}


@RESOURCE.get("/overview", example=[EXAMPLE])
def get_overview() -> list[ClusterOverviewItem]:
    """All active clusters with health score and alert counts, the oldest first."""
    return overview(current())


def overview(context: Context) -> list[ClusterOverviewItem]:
    """The same for whoever has a context. Raises StoreError."""
    collection = context.of(Following).collection
    with context.database.read() as db:
        counts = alerts.unresolved(db)
        return [
            ClusterOverviewItem(**_item(db, one, counts, context.now, collection))
            for one in clusters.active(db)
        ]


def _item(
    db: Connection,
    cluster: StoredCluster,
    counts: Mapping[tuple[str, str], int],
    now: float,
    collection: CollectionSettings,
) -> dict[str, Any]:
    warning, critical = (counts.get((cluster.id, severity), 0) for severity in ("warning", "critical"))
    return {
        "id": cluster.id,
        "name": cluster.name,
        "host": cluster.description.host,
        "port": cluster.description.port,
        **_score(db, cluster.id, now, collection),
        "active_alert_count": warning + critical,
        "alert_counts": {"warning": warning, "critical": critical},
        **_collected(db, cluster.id, now, collection),
    }


def _score(db: Connection, cluster_id: str, now: float, collection: CollectionSettings) -> dict[str, Any]:
    """The last one, unless it is older than what still counts as fresh."""
    score = health_scores.latest(db, cluster_id, now + 60)
    if score is None or now - score.at > FRESH_INTERVALS * collection.interval_sec:
        return {"health_score": None, "grade": None}
    return {"health_score": score.score, "grade": score.grade}


def _collected(db: Connection, cluster_id: str, now: float, collection: CollectionSettings) -> dict[str, Any]:
    known = nodes.of_cluster(db, cluster_id)
    states = snapshots.states(db, cluster_id)
    return {
        "collector_status": collector.collector_status(known, now, collection),
        "collection_state": collector.collection_state(states, now, collection),
        "last_collected_at": iso(collector.last_collected_at(states)),
        "logical_cluster_count": max((len(node.logical_clusters) for node in known), default=0),
        "version": collector.version_of(known),
    }
