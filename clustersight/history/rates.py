"""Rule keys that count events, of counters or of resets: events of a window -> the key's value (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clustersight.history.contract import Point
from clustersight.history.courses import Course, gain, reset
from clustersight.metrics import Metric, Rate, Reading, Unit
from clustersight.store.history import Held
from clustersight.store.series import StoredSeries

# The smallest window and step of a count is what it counts in: 60 for "per minute".
PER = {Unit.PER_MINUTE: 60, Unit.PER_SECOND: 1}
# What counts; the other readings are in derived.py.
COUNTING = frozenset({Reading.INCREASE, Reading.RESETS})
Place = tuple[str, tuple[str, ...]]


@dataclass(slots=True)
class Counters:
    """The counters behind one series of a rate, by source."""

    rate: Rate
    ids: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    @property
    def all_ids(self) -> list[int]:
        return [series_id for ids in self.ids.values() for series_id in ids]

    def points(self, spans: Mapping[int, Sequence[Held]], times: range, end: int) -> list[Point]:
        """A point for each step: over the window, or the step if that is longer, to the end of the step."""
        counted = self._counted(spans)
        window = max(self.rate.window_seconds, times.step)
        ends = (min(time + times.step, end) for time in times)
        values = (value_of(self.rate, [count(e - window, e) for count in counted], window) for e in ends)
        return list(zip(times, values, strict=True))

    def value(self, spans: Mapping[int, Sequence[Held]], start: int, end: int) -> float | None:
        """Of one window."""
        return value_of(self.rate, [count(start, end) for count in self._counted(spans)], end - start)

    def _counted(self, spans: Mapping[int, Sequence[Held]]) -> list[Callable[[int, int], float | None]]:
        """For each source, what its series counted together."""
        count = reset if self.rate.reading is Reading.RESETS else gain
        courses = [
            [Course(spans[series_id], count) for series_id in self.ids[source] if series_id in spans]
            for source in self.rate.sources
        ]
        return [_together(some) for some in courses]


def _together(courses: Sequence[Course]) -> Callable[[int, int], float | None]:
    def counted(start: int, end: int) -> float | None:
        known = [value for course in courses if (value := course.counted(start, end)) is not None]
        return sum(known) if known else None

    return counted


def drawn(metric: Metric | Rate) -> bool:
    """Whether it has a value for each time of a range."""
    return not isinstance(metric, Rate) or metric.reading in COUNTING


def value_of(rate: Rate, counted: Sequence[float | None], window_seconds: int) -> float | None:
    """The key's value from what each source counted in a window."""
    first = counted[0]
    if first is None or first < rate.at_least:
        return None
    if len(counted) > 1:
        second = counted[1]
        return None if second is None or not first else min(100.0, 100 * second / first)
    return first * PER[rate.unit] / window_seconds if rate.unit in PER else first


def grouped(rate: Rate, found: Iterable[StoredSeries]) -> dict[Place, Counters]:
    """The counters of each series that the rate has: by host and the values of its labels."""
    groups: dict[Place, Counters] = {}
    for one in found:
        labels = one.labels if rate.labels else {}
        place = (one.host, tuple(labels.get(name, "") for name in rate.labels))
        groups.setdefault(place, Counters(rate)).ids[one.metric].append(one.id)
    return groups
