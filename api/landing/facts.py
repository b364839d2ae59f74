"""What the landing page is made of: rows of the store, each list bounded, with how many there are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from api.alerts.delivery import ALERTER
from api.alerts.shapes import AlertStatus
from api.context import Context
from api.resources.overview import ClusterOverviewItem, overview
from api.rules.shapes import AlertSeverity
from clustersight.effective import effective
from clustersight.settings.model import CollectionSettings, Settings
from clustersight.store import alerts, health_scores, leases, nodes, snapshots
from clustersight.store.alerts import StoredAlert, Wanted
from clustersight.store.database import Connection
from clustersight.store.health_scores import StoredScore
from clustersight.store.nodes import StoredNode
from clustersight.store.snapshots import Snapshot

# What a phone can still scroll through; the API has the rest.
MOST_ALERTS = 50
MOST_CLUSTERS = 20
EXPORTER = "exporter"
# The order in which alerts are shown.
_KINDS = tuple((status, severity) for status in (AlertStatus.ACTIVE, AlertStatus.ACKNOWLEDGED)
               for severity in (AlertSeverity.CRITICAL, AlertSeverity.WARNING))  # fmt: skip

AlertCounts = Mapping[tuple[AlertStatus, AlertSeverity], int]


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """A cluster as /overview has it, with what is stored of it; `refusal` says why it cannot be watched."""

    item: ClusterOverviewItem
    refusal: str
    score: StoredScore | None
    nodes: tuple[StoredNode, ...]
    runs: tuple[Snapshot, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything of one moment; `now` in epoch seconds. `items` are all clusters, `clusters` the worst."""

    now: float
    settings: Settings
    collection: CollectionSettings
    items: tuple[ClusterOverviewItem, ...]
    clusters: tuple[ClusterFacts, ...]
    alerts: tuple[StoredAlert, ...]
    alert_counts: AlertCounts
    has_exporter: bool
    has_alerter: bool


def read(context: Context) -> Facts:
    """Raises StoreError."""
    held = effective(context.settings, context.store)
    items = tuple(overview(context))
    with context.database.read() as db:
        found, counts = _alerts(db)
        clock = leases.clock(db, context.now)
        worst = sorted(items, key=concern)[:MOST_CLUSTERS]
        return Facts(
            now=context.now,
            settings=held.settings,
            collection=held.settings.collection,
            items=items,
            clusters=tuple(_cluster(db, one, held.refused, context.now) for one in worst),
            alerts=found,
            alert_counts=counts,
            has_exporter=leases.held_by(db, EXPORTER, clock) is not None,
            has_alerter=leases.held_by(db, ALERTER, clock) is not None,
        )


def concern(item: ClusterOverviewItem) -> tuple[bool, bool, bool, float, str]:
    """Sorts clusters: critical alerts, then nothing known, then warnings, then the lowest score."""
    return (
        not item.alert_counts.critical,
        item.health_score is not None,
        not item.alert_counts.warning,
        item.health_score or 0.0,
        item.name,
    )


def _alerts(db: Connection) -> tuple[tuple[StoredAlert, ...], AlertCounts]:
    """The most urgent ones, and how many there are of each kind."""
    found: list[StoredAlert] = []
    counts: dict[tuple[AlertStatus, AlertSeverity], int] = {}
    for status, severity in _KINDS:
        # Nothing was resolved at or after the end of time.
        wanted = Wanted(math.inf, severity=severity, status=status)
        some, counts[status, severity] = alerts.page(db, wanted, MOST_ALERTS - len(found), 0)
        found += some
    return tuple(found), counts


def _cluster(
    db: Connection, item: ClusterOverviewItem, refused: Mapping[str, str], now: float
) -> ClusterFacts:
    return ClusterFacts(
        item=item,
        refusal=refused.get(item.id, ""),
        # As /overview: another host's clock may be a minute ahead.
        score=health_scores.latest(db, item.id, now + 60),
        nodes=tuple(nodes.of_cluster(db, item.id)),
        runs=tuple(snapshots.states(db, item.id)),
    )
