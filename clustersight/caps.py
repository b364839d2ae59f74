"""Which series stay when there is no room for all: the worst first, never the biggest (pure).

Rules and snapshots see every sample; only the page is capped (design.md, collection step 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clustersight.metrics import Sample

# A series that comes and goes breaks `for`, `rate` and dashboards: once exported it stays this long.
STICKY_SECONDS = 3600.0

Key = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(slots=True)
class Group:
    """All samples of one thing (one table, one view): they stay or go together."""

    key: Key
    samples: list[Sample]
    severity: float = 0.0
    sticky: bool = False

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Alarming ones first, then what was exported within the hour, then by severity."""
        return (self.severity >= 1, self.sticky, self.severity)


def group(samples: Iterable[Sample]) -> tuple[list[Sample], list[Group]]:
    """(samples whose number is bounded and which always stay, groups that are subject to caps)."""
    always: list[Sample] = []
    groups: dict[Key, Group] = {}
    for sample in samples:
        if sample.metric.bounded:
            always.append(sample)
            continue
        key = (sample.metric.labels, sample.labels)
        found = groups.get(key)
        if found is None:
            found = groups[key] = Group(key, [])
        found.samples.append(sample)
        found.severity = max(found.severity, sample.severity)
    return always, list(groups.values())


def mark_sticky(groups: Iterable[Group], exported_at: Mapping[Key, float], now: float) -> None:
    """`exported_at` says when a group was last chosen for its own sake, in monotonic seconds."""
    for candidate in groups:
        since = exported_at.get(candidate.key)
        candidate.sticky = since is not None and now - since < STICKY_SECONDS


def choose(groups: list[Group], room: int) -> list[Group]:
    """The `room` groups that stay. Where they are equal, the panel's own order decides."""
    if len(groups) <= room:
        return groups
    return sorted(groups, key=lambda g: g.rank, reverse=True)[:room]
