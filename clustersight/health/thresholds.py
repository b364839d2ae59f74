"""Every line of points of the score, by the name under which settings.health.thresholds replaces it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """Straight lines between points (value, points off); nothing off below the first.

    `above`: the first value itself is still fine ("above 80 %").
    """

    points: Points
    above: bool = False

    def at(self, value: float) -> float:
        """The points off for a value."""
        first, last = self.points[0], self.points[-1]
        if value < first[0] or (self.above and value == first[0]):
            return 0.0
        for (low, low_points), (high, high_points) in itertools.pairwise(self.points):
            if value < high:
                return low_points + (high_points - low_points) * (value - low) / (high - low)
        return last[1]


# spec/health.md, in the units of the rule keys; a single point is a step. `_pct` is 0..100.
LINES: Mapping[str, Line] = {
    # replication
    "replication_lag_seconds": Line(((60, 0), (300, 30), (1800, 60))),
    "replication_readonly_pct": Line(((0, 50), (100, 100))),  # of the node's replicated tables
    "replication_lag_unknown": Line(((1, 50),)),
    "replication_queue_size": Line(((100, 0), (1000, 20))),
    "replication_stuck_tasks": Line(((1, 20),)),
    # storage
    "disk_usage_pct": Line(((75, 0), (85, 20), (90, 50), (95, 80), (98, 100))),
    "parts_pressure_pct": Line(((30, 0), (60, 30), (90, 60), (100, 90))),
    "broken_parts_24h": Line(((1, 15), (10, 40))),
    "disk_broken": Line(((1, 100),)),
    # errors; the first three together at most CODES_AT_MOST
    "errors_corruption_15m": Line(((1, 40),)),
    "errors_capacity_per_min": Line(((0, 0), (1, 20), (10, 40))),
    "errors_connection_per_min": Line(((1, 0), (10, 10), (100, 30))),
    "mutations_failing": Line(((1, 40),)),
    "mutations_stuck": Line(((1, 20),)),
    "ddl_oldest_seconds": Line(((600, 40),), above=True),  # as the rule DdlQueueStuck
    "distribution_failing": Line(((1, 40),)),
    "tables_load_failed": Line(((1, 60),)),
    "dictionaries_failing": Line(((1, 30),)),
    "backups_overdue": Line(((1, 30),)),
    "views_failing": Line(((1, 10),)),
    "kafka_failing": Line(((1, 10),)),
    # infrastructure
    "nodes_down_pct": Line(((0, 40), (100, 100)), above=True),
    "shards_down": Line(((1, 100),)),
    "keeper_offline_nodes": Line(((1, 60),)),
    "keeper_offline_pct": Line(((50, 100),)),
    "keeper_nodes_down_pct": Line(((0, 0), (100, 50))),  # of those that the ensemble can do without
    "keeper_nodes_beyond": Line(((1, 100),)),  # down beyond those
    "memory_usage_pct": Line(((85, 0), (95, 30), (100, 60))),
    "restarts_1h": Line(((1, 10), (3, 60))),
    "clock_skew_seconds": Line(((1, 0), (5, 20), (60, 50))),
    "panels_failing_pct": Line(((0, 0), (100, 30))),
    # queries
    "server_fault_pct": Line(((1, 0), (5, 30), (20, 70))),
    "p95_ratio": Line(((3, 20),), above=True),  # against its own median of 24 hours
    "queries_running_pct": Line(((80, 30),), above=True),
    "queries_refused_15m": Line(((1, 70),)),
    "inserts_delayed_15m": Line(((1, 30),)),
    "inserts_rejected_15m": Line(((1, 60),)),
}
THRESHOLD_NAMES = frozenset(LINES)


def lines_with(thresholds: Mapping[str, Points]) -> dict[str, Line]:
    """The built-in lines, with those of the settings in their place; unknown names change nothing."""
    own = {name: points for name, points in thresholds.items() if name in LINES}
    return {**LINES, **{name: replace(LINES[name], points=points) for name, points in own.items()}}
