"""The health score: five components, weighed (spec/health.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clustersight.health import errors, infrastructure, queries, replication, storage
from clustersight.health.deduction import Component
from clustersight.health.grades import combine, grade, shares_of
from clustersight.health.node import NodeState
from clustersight.health.picture import Picture
from clustersight.health.thresholds import lines_with
from clustersight.health.windows import Windows
from clustersight.settings.health import HealthSettings

PARTS = (replication.PART, storage.PART, errors.PART, infrastructure.PART, queries.PART)


@dataclass(frozen=True, slots=True)
class Health:
    """The score of one collection, before the lower of the last two is published.

    `score` (0..100, one decimal) and `grade` are None where there is no fresh data.
    """

    at: float
    score: float | None
    grade: str | None
    components: Mapping[str, Component]


def health(
    nodes: Iterable[NodeState],
    windows: Windows,
    now: float,
    settings: HealthSettings | None = None,
    *,
    backup_every_seconds: float | None = None,
) -> Health:
    """Score a cluster out of its nodes' latest samples and of what history says of the last day.

    `now` is in epoch seconds. Names in `settings.thresholds` that replace nothing are passed over:
    the settings refuse them. `backup_every_seconds` is `backups.expected_every`.
    """
    settings = settings or HealthSettings()
    lines = lines_with(settings.thresholds)
    picture = Picture(tuple(nodes), windows, now, lines, backup_every_seconds)
    shares = shares_of(settings.weights)
    components = {part.name: part.of(picture, shares[part.name]) for part in PARTS}
    score = _score(components) if picture.reachable else None
    return Health(now, score, None if score is None else grade(score), components)


def _score(components: Mapping[str, Component]) -> float | None:
    """What is known against a component that is null as a whole still holds the score down."""
    weighed = {name: one for name, one in components.items() if one.weight}
    known = {name: one.score for name, one in weighed.items() if one.score is not None}
    shares = {name: one.weight for name, one in weighed.items()}
    return combine(known, shares, (one.at_most for one in weighed.values()))
