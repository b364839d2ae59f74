"""Which rules are due (pure): each group of rules with one interval has its own beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clustersight.rules.rule import Rule


@dataclass(slots=True)
class Timetable:
    """`missed` counts passes that should have begun while another one still ran; times are monotonic."""

    rules: dict[int, tuple[str, ...]] = field(default_factory=dict)
    next_at: dict[int, float] = field(default_factory=dict)
    missed: int = 0

    def follow(self, rules: Mapping[str, Rule], interval_sec: int) -> None:
        """Take over today's rules; an interval that was there keeps its beat."""
        groups: dict[int, list[str]] = {interval_sec: []}
        for rule_id, rule in rules.items():
            groups.setdefault(rule.interval_sec or interval_sec, []).append(rule_id)
        self.rules = {interval: tuple(ids) for interval, ids in groups.items()}
        self.next_at = {interval: self.next_at.get(interval, 0.0) for interval in self.rules}

    def due(self, now: float) -> list[int]:
        """The intervals whose pass is due, the shortest first."""
        return sorted(interval for interval, at in self.next_at.items() if at <= now)

    def done(self, interval: int, now: float) -> None:
        """A pass was begun at its time and is over `now`."""
        before = self.next_at[interval]
        if before == 0.0:
            self.next_at[interval] = now + interval
            return
        behind = int((now - before) // interval)
        self.missed += behind
        self.next_at[interval] = before + (behind + 1) * interval

    def late(self, now: float) -> float:
        """Seconds by which the pass that is most overdue is late."""
        return max((now - at for at in self.next_at.values() if at > 0), default=0.0)
