"""Values that were held for a time -> one point for each step (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from clustersight.history.contract import Answer, Point, SeriesPoints, Wanted
from clustersight.store.history import Held


def points(spans: Iterable[Held], times: range, *, lowest: bool = False) -> list[Point]:
    """The highest value that held in each step, or the lowest; None where none did."""
    found: list[float | None] = [None] * len(times)
    first, step = times.start, times.step
    for start, end, low, high, _ in spans:
        value = low if lowest else high
        for number in range(max(0, (start - first) // step), min(len(found), -((first - end) // step))):
            before = found[number]
            if before is None or (value < before if lowest else value > before):
                found[number] = value
    return list(zip(times, found, strict=True))


def answer(found: Iterable[SeriesPoints], wanted: Wanted, total: int | None = None) -> Answer:
    """The series of which something is known, the worst first; `total` where more were left out."""
    known = [one for one in found if any(value is not None for _, value in one.points)]
    known.sort(key=lambda one: (_rank(one.points, wanted), one.host, sorted(one.labels.items())))
    return Answer(known, len(known) if total is None else total)


def _rank(of: Iterable[Point], wanted: Wanted) -> float:
    known = [value for _, value in of if value is not None]
    return min(known) if wanted.lowest else -max(known)


def median(spans: Iterable[Held]) -> float | None:
    """The value below which a series was for half of the time that is known; None where none is."""
    by_value = sorted((span.last, span.end - span.start) for span in spans)
    half = sum(seconds for _, seconds in by_value) / 2
    for value, seconds in by_value:
        half -= seconds
        if half <= 0:
            return value
    return None
