"""GET /panels: every panel and how its last run ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from api.choice import ClusterId
from api.context import Context
from api.live.following import Following, Watched
from api.panels import scoring
from api.query import Query
from api.resource import BASE, Answer, Shape
from clustersight import panels
from clustersight.panels.panel import Panel, Scope, Status, Tier
from clustersight.plans import disabled, interval_of
from clustersight.store import health_scores, snapshots
from clustersight.store.health_scores import StoredScore
from clustersight.store.snapshots import Snapshot
from clustersight.times import iso

EXAMPLE = {
    "name": "disk",
    "about": "Space and state of every disk, from system.disks.",
    "path": f"{BASE}/panels/disk",
    "tier": 1,
    "scope": "node",
    "interval_sec": 30,
    "enabled": True,
    "supported": True,
    "status": {"ch1.internal": "ok"},
    "last_run": "2026-03-22T14:00:00Z",
    "collected_at": "2026-03-22T14:00:00Z",
}
EXAMPLE_META = {"cluster_id": "cl_0123456789ab"}


class PanelListQuery(Query):
    """Of which cluster."""

    cluster_id: ClusterId | None = None


class PanelListMeta(BaseModel):
    """Of which cluster."""

    cluster_id: str


class ListedPanel(Shape):
    """A panel. `supported` is null before its first run, `enabled` what the settings say."""

    name: str
    about: str
    path: str
    tier: int = Field(description="1: every interval; 2: every tier2_every intervals")
    scope: Scope
    interval_sec: int
    enabled: bool
    supported: bool | None
    status: dict[str, Status]
    last_run: str | None
    collected_at: str | None = Field(description="When it was last read well.")


def listed(context: Context, cluster_id: str | None) -> Answer[list[ListedPanel], PanelListMeta]:
    """The answer. Raises NotFound and StoreError."""
    watched = context.of(Following).cluster(cluster_id)
    with context.database.read() as db:
        states = snapshots.states(db, watched.id)
        score = health_scores.latest(db, watched.id, context.now + 60)
    found: dict[str, list[Snapshot]] = {}
    for one in states:
        found.setdefault(one.panel, []).append(one)
    rows = [_panel(panel, watched, found.get(panel.name, ())) for panel in panels.ALL]
    return Answer([_score(watched, score), *rows], {"cluster_id": watched.id})


def _panel(panel: Panel, watched: Watched, runs: Sequence[Snapshot]) -> dict[str, Any]:
    off = disabled(watched.own, watched.collection, [panel]) if watched.own is not None else ()
    return {
        "name": panel.name,
        "about": panel.about,
        "path": f"{BASE}/panels/{panel.name}",
        "tier": int(panel.tier),
        "scope": panel.scope,
        "interval_sec": interval_of(panel, watched.collection),
        "enabled": panel.name not in off,
        "supported": any(run.status != Status.UNSUPPORTED for run in runs) if runs else None,
        "status": {run.host: run.status for run in runs},
        "last_run": iso(max((run.finished_at for run in runs), default=None)),
        "collected_at": iso(max((run.collected_at for run in runs if run.collected_at), default=None)),
    }


def _score(watched: Watched, score: StoredScore | None) -> dict[str, Any]:
    at = iso(score.at) if score is not None else None
    return {
        "name": scoring.NAME,
        "about": "Health of the cluster, 0..100, and what takes points off.",
        "path": f"{BASE}/panels/{scoring.NAME}",
        "tier": int(Tier.ONE),
        "scope": Scope.CLUSTER,
        "interval_sec": watched.collection.interval_sec,
        "enabled": True,
        "supported": True,
        "status": {},
        "last_run": at,
        "collected_at": at if score is not None and score.score is not None else None,
    }
