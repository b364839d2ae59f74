"""How collecting goes on, as a client reads it of a cluster (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from clustersight import panels
from clustersight.panels.panel import Status
from clustersight.plans import FRESH_INTERVALS, SKEW_SECONDS, is_fresh
from clustersight.settings.model import CollectionSettings
from clustersight.store.nodes import StoredNode
from clustersight.store.snapshots import Snapshot

_NOTHING_TO_READ = frozenset({Status.UNSUPPORTED, Status.DISABLED})
_PANELS = {panel.name: panel for panel in panels.ALL}


class CollectorStatus(StrEnum):
    """Whether the cluster is being collected from."""

    ONLINE = "online"
    OFFLINE = "offline"
    PENDING = "pending"


class CollectionState(StrEnum):
    """How many panels are fresh: all, some, none."""

    FULL = "full"
    PARTIAL = "partial"
    FAILED = "failed"


def collector_status(
    nodes: Sequence[StoredNode], now: float, collection: CollectionSettings
) -> CollectorStatus:
    """Pending before the first visit; offline where no node answers, or where nobody visits any more."""
    if not nodes:
        return CollectorStatus.PENDING
    answering = any(node.is_up and visited_lately(node, now, collection) for node in nodes)
    return CollectorStatus.ONLINE if answering else CollectorStatus.OFFLINE


def visited_lately(node: StoredNode, now: float, collection: CollectionSettings) -> bool:
    """Whether what is stored of a node still says how it is."""
    since = now - FRESH_INTERVALS * collection.interval_sec
    return since <= node.visited_at <= now + SKEW_SECONDS


def collection_state(
    states: Sequence[Snapshot], now: float, collection: CollectionSettings
) -> CollectionState:
    """By every panel on every node; those that have nothing to read do not count."""
    counted = [one for one in states if one.panel in _PANELS and one.status not in _NOTHING_TO_READ]
    fresh = [one for one in counted if is_fresh_panel(one, now, collection)]
    if not fresh:
        return CollectionState.FAILED
    return CollectionState.FULL if len(fresh) == len(counted) else CollectionState.PARTIAL


def is_fresh_panel(state: Snapshot, now: float, collection: CollectionSettings) -> bool:
    """Whether a panel of the product was read well within five of its intervals."""
    at = state.collected_at
    return state.panel in _PANELS and at is not None and is_fresh(_PANELS[state.panel], at, now, collection)


def last_collected_at(states: Sequence[Snapshot]) -> float | None:
    """When a panel was last read well, in epoch seconds."""
    times = (one.collected_at for one in states if one.panel in _PANELS and one.collected_at)
    return max(times, default=None)


def version_of(nodes: Sequence[StoredNode]) -> str | None:
    """The version of the configured node, else of another that told it."""
    return next((node.version for node in nodes if node.version), None)
