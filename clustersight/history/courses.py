"""The course of a counter: what it counted from when to when, across restarts and gaps (pure)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import accumulate, pairwise

from clustersight.store.history import Held

# Two samples are at least the shortest interval apart; what is known for less than that is one.
LEAST_KNOWN_SECONDS = 5


def gain(before: float, then: Held) -> float:
    """What a counter gained from its last value to the end of a span; a fall is a restart from 0."""
    if then.last < then.high:  # it fell within: up to the top, and again from 0
        return max(0.0, then.high - before) + then.last
    return then.last - before if then.low >= before else then.last


def reset(before: float, then: Held) -> float:
    """1 where a value that only grows fell."""
    return float(then.last < then.high or then.low < before)


class Course:
    """One counter over a range; times in epoch seconds. A rolled-up row counts evenly over its time.

    What a counter gained while nobody looked is known when somebody looks again. It counts in windows
    that began when the counter was still known and in no others, where it would be a peak that never was.
    """

    def __init__(self, spans: Iterable[Held], count: Callable[[float, Held], float] = gain) -> None:
        known = list(spans)
        self._starts = [span.start for span in known]
        self._ends = [span.end for span in known]
        self._lasted = [0, *accumulate(span.end - span.start for span in known)]
        within = [_within(before, span, count) for before, span in zip([None, *known], known, strict=False)]
        between = [
            count(a.last, b) - inner for (a, b), inner in zip(pairwise(known), within[1:], strict=True)
        ]
        self._within = [0.0, *accumulate(within)]
        self._between = [0.0, *accumulate(max(0.0, gained) for gained in between)]

    def counted(self, start: int, end: int) -> float | None:
        """What it counted from `start` to before `end`; None where it was not known for long enough."""
        (known_before, within_before), (known, within) = self._until(start), self._until(end)
        if known - known_before < LEAST_KNOWN_SECONDS:
            return None
        # Steps between two spans: the first was known when the window began, the second is seen in it.
        first, last = bisect_left(self._ends, start), bisect_left(self._starts, end) - 1
        between = self._between[last] - self._between[first] if last > first else 0.0
        return between + within - within_before

    def _until(self, time: int) -> tuple[int, float]:
        """For how many seconds before a time it was known, and what it counted within its spans."""
        number = bisect_left(self._starts, time)
        over = max(0, self._ends[number - 1] - time) if number else 0
        if not over:
            return self._lasted[number], self._within[number]
        share = over / (self._ends[number - 1] - self._starts[number - 1])
        inner = self._within[number] - self._within[number - 1]
        return self._lasted[number] - over, self._within[number] - share * inner


def _within(before: Held | None, span: Held, count: Callable[[float, Held], float]) -> float:
    """What it counted in a span itself: nothing in one value, in a rolled-up row what led to it too."""
    if span.low == span.high:
        return 0.0
    is_next = before is not None and before.end == span.start
    return count(before.last if before is not None and is_next else span.low, span)
