"""Rate keys from the counters of a test, as the alerter computes them from history (history/now.py)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from clustersight.alerts.readings import Value
from clustersight.history.rates import grouped
from clustersight.metrics import Rate
from clustersight.rules.testing.feeding import Counter
from clustersight.rules.testing.notation import Gap
from clustersight.store.history import Held, add_spans
from clustersight.store.samples import HOLD_SECONDS
from clustersight.store.series import StoredSeries, labels_text


class Counting:
    """The counters of one cluster that a rate is made of."""

    def __init__(self, rate: Rate, counters: Sequence[Counter], interval: int) -> None:
        self._rate = rate
        self._interval = interval
        self._counters = [one for one in counters if one.family in rate.sources]
        self._groups = grouped(rate, [_stored(number, one) for number, one in enumerate(self._counters)])

    def values(self, now: int) -> Iterator[Value]:
        """The rate of each of its series, where there is one yet."""
        end = now + 1  # what was seen at this very second is part of it
        start = end - self._rate.window_seconds
        spans = self._spans(start, end)
        for (host, labels), counters in self._groups.items():
            value = counters.value(spans, start, end)
            if value is not None:
                yield Value(host, tuple(sorted(zip(self._rate.labels, labels, strict=True))), value)

    def _spans(self, start: int, end: int) -> dict[int, list[Held]]:
        rows = [row for number in range(len(self._counters)) for row in self._rows(number, start, end)]
        held: dict[int, list[Held]] = defaultdict(list)
        add_spans(rows, 0, end, held)
        return held

    def _rows(self, number: int, start: int, end: int) -> Iterator[tuple[int, int, float | None]]:
        """The rows from the one that held at `start` on; whoever is past his last value has none."""
        points, interval = self._counters[number].points, self._interval
        for index in range(max(0, (start - 1) // interval), (end - 1) // interval + 1):
            point = points[index] if index < len(points) else Gap.STALE
            at = index * interval
            if at > start - HOLD_SECONDS:
                yield number, at, None if isinstance(point, Gap) or point != point else point  # noqa: PLR0124


def _stored(number: int, one: Counter) -> StoredSeries:
    return StoredSeries(number, one.host, one.panel, one.family, labels_text(one.labels), 0)
