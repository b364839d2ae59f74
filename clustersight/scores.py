"""The health score of a cluster, from its nodes and the store's history: computed, explained, published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clustersight.health import WANTED, Component, Health, NodeState, health, trend
from clustersight.metrics import Metric, Sample, Unit
from clustersight.panels import compression, parts
from clustersight.score_windows import ScoreWindows
from clustersight.settings.model import Settings
from clustersight.store import health_scores, series
from clustersight.store.database import Connection, Database
from clustersight.store.health_scores import StoredScore
from clustersight.times import iso

SCORE = Metric(
    "clickhouse_health_score",
    "Health of the cluster, 0..100 (docs/health.md); absent while nothing fresh is known.",
    key="health.score",
    unit=Unit.NONE,
    cluster_only=True,
    history=True,
)
COMPONENT = Metric(
    "clickhouse_health_component_score",
    "The part of the score that is the component's, 0..100; absent while too little is known of it.",
    ("component",),
    key="health.component_score",
    unit=Unit.NONE,
    cluster_only=True,
    history=True,
)
# What the score produces: the catalogue list beside panels.ALL and self_metrics.RUNNER.
HEALTH: tuple[Metric, ...] = (SCORE, COMPONENT)

TREND_SECONDS = 3600
# A score of an hour ago is one of the quarter before it; an older one is no neighbour.
TREND_SLACK_SECONDS = 900
# spec/health.md: many small parts are usual in a table this young.
NEW_TABLE_SECONDS = 600
# Tables that the exporter found at its first visit are of unknown age.
FIRST_VISIT_SECONDS = 60
_KNOWING = (parts.NAME, compression.NAME)


@dataclass(frozen=True, slots=True)
class Scored:
    """A published score: for the API, the store and the page."""

    at: float
    health: Health
    payload: dict[str, Any]

    def stored(self, cluster_id: str) -> StoredScore:
        return StoredScore(cluster_id, int(self.at), self.health.score, self.health.grade, self.payload)

    def samples(self) -> list[Sample]:
        """What is known of it; a score of nothing is absent, never the last good one."""
        parts = [
            Sample(COMPONENT, (name,), component.score)
            for name, component in self.health.components.items()
            if component.score is not None
        ]
        score = self.health.score
        return parts if score is None else [Sample(SCORE, (), score), *parts]


class Scorer:
    """Scores clusters; remembers each one's last score, since the lower of two is published."""

    def __init__(self) -> None:
        self._windows = ScoreWindows()
        self._before: dict[str, Health] = {}

    def score(
        self,
        database: Database,
        cluster_id: str,
        nodes: Sequence[NodeState],
        now: float,
        settings: Settings,
    ) -> Scored:
        """`now` in epoch seconds; the nodes' `first_seen` is filled in here."""
        with database.read() as db:
            young = first_seen(db, cluster_id, now)
            earlier = previous_score(db, cluster_id, now)
        known = [replace(node, first_seen=young.get(node.host, {})) for node in nodes]
        every = settings.backups.expected_every
        found = health(
            known,
            self._windows.read(database, cluster_id, WANTED, now),
            now,
            settings.health,
            backup_every_seconds=every.total_seconds() if every else None,
        )
        before = self._before.get(cluster_id, found)
        self._before[cluster_id] = found
        chosen = _lower(found, before)
        return Scored(now, chosen, payload_of(chosen, earlier, now))


def _lower(found: Health, before: Health) -> Health:
    """The lower of the last two collections, so that it does not flap; with nothing known, nothing."""
    if found.score is None or before.score is None:
        return found
    return min(found, before, key=lambda h: h.score if h.score is not None else 0.0)


def previous_score(db: Connection, cluster_id: str, now: float) -> float | None:
    """The published score one hour earlier."""
    stored = health_scores.latest(db, cluster_id, now - TREND_SECONDS)
    if stored is None or stored.at < now - TREND_SECONDS - TREND_SLACK_SECONDS:
        return None
    return stored.score


def payload_of(found: Health, previous: float | None, now: float) -> dict[str, Any]:
    """The panel health-score as the API shows it."""
    return {
        "overall_score": found.score,
        "grade": found.grade,
        "trend": trend(found.score, previous),
        "previous_score": previous,
        "components": {name: _component(component) for name, component in found.components.items()},
        "calculated_at": iso(now),
    }


def _component(component: Component) -> dict[str, Any]:
    return {
        "score": component.score,
        "label": component.label,
        "weight": component.weight,
        "deductions": [
            {
                "points": deduction.points,
                "reason": deduction.reason,
                "metric_key": deduction.metric_key,
                "labels": dict(deduction.labels),
                "value": deduction.value,
            }
            for deduction in component.deductions
        ],
        "missing": list(component.missing),
        "note": component.note,
    }


def first_seen(db: Connection, cluster_id: str, now: float) -> Mapping[str, Mapping[tuple[str, str], float]]:
    """When each young table was first seen, by host: epoch seconds by (database, table).

    By any panel that names tables: a table with few parts has no series of its parts.
    """
    began: dict[str, int] = {}
    seen: dict[tuple[str, tuple[str, str]], int] = {}
    for one in (one for name in _KNOWING for one in series.of_panel(db, cluster_id, name)):
        began[one.host] = min(one.created_at, began.get(one.host, one.created_at))
        if "table" in one.labels:
            place = (one.host, (one.labels["database"], one.labels["table"]))
            seen[place] = min(one.created_at, seen.get(place, one.created_at))
    found: dict[str, dict[tuple[str, str], float]] = {}
    for (host, table), at in seen.items():
        if at > max(now - NEW_TABLE_SECONDS, began[host] + FIRST_VISIT_SECONDS):
            found.setdefault(host, {})[table] = float(at)
    return found
