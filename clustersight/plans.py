"""What a visit to a node is to do, as the settings of its cluster say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clustersight.collection import Plan
from clustersight.panels.panel import Panel, Tier
from clustersight.settings.cluster import ClusterSettings
from clustersight.settings.model import CollectionSettings

# spec/api.md, "Overview": fresh is what was read within five of its own intervals.
FRESH_INTERVALS = 5
# Clocks of two machines differ by as much. What is of a later time is of before a clock was set back:
# nobody knows how old it is.
SKEW_SECONDS = 5.0


def plan_of(
    cluster: ClusterSettings,
    collection: CollectionSettings,
    panels: Sequence[Panel],
    *,
    slow: bool = True,
    most_seconds: float | None = None,
) -> Plan:
    """A plan for these panels; `slow`: tier 2 is due. `most_seconds` shortens what the settings allow."""
    deadline = collection.timeout_sec
    return Plan(
        panels=panels,
        disabled=disabled(cluster, collection, panels),
        deadline_seconds=deadline if most_seconds is None else min(deadline, most_seconds),
        timeouts_seconds={n: p.timeout_sec for n, p in cluster.panels.items() if p.timeout_sec},
        tier2_due=slow and collection.tier2,
        window_seconds=float(collection.interval_sec * collection.tier2_every),
        keeper_nodes=cluster.keeper_nodes,
        expected_readonly=cluster.expected_readonly,
    )


def disabled(
    cluster: ClusterSettings, collection: CollectionSettings, panels: Iterable[Panel]
) -> frozenset[str]:
    """The names of the panels that do not run there: switched off themselves, or with their tier."""
    off = {name for name, panel in cluster.panels.items() if not panel.enabled}
    tiers = {Tier.ONE: collection.tier1, Tier.TWO: collection.tier2}
    return frozenset(off | {panel.name for panel in panels if not tiers[panel.tier]})


def interval_of(panel: Panel, collection: CollectionSettings) -> int:
    """Seconds between two runs of a panel."""
    every = 1 if panel.tier is Tier.ONE else collection.tier2_every
    return every * collection.interval_sec


def is_fresh(panel: Panel, read_at: float, now: float, collection: CollectionSettings) -> bool:
    """Whether what was read at `read_at` still says how a panel is; both in epoch seconds."""
    return -SKEW_SECONDS <= now - read_at <= FRESH_INTERVALS * interval_of(panel, collection)
