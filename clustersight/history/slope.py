"""When something that shrinks is used up, by the straight line through what is known of it (pure)."""

from __future__ import annotations

from collections.abc import Sequence

# A line through a few minutes says nothing about a day.
LEAST_SECONDS = 900
# Beyond ten years a line through one day is no forecast.
MOST_HOURS = 87_600.0


def hours_until_empty(points: Sequence[tuple[int, float | None]]) -> float | None:
    """Hours from the last point on, by least squares; None where it does not shrink or little is known."""
    known = [(at, value) for at, value in points if value is not None]
    if not known or known[-1][0] - known[0][0] < LEAST_SECONDS:
        return None
    last, left = known[-1]
    slope = _slope([(float(at - last), value) for at, value in known])
    hours = -left / slope / 3600 if slope < 0 else MOST_HOURS
    return round(hours, 1) if hours < MOST_HOURS else None


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Units a second."""
    count = len(points)
    middle = sum(x for x, _ in points) / count
    mean = sum(y for _, y in points) / count
    spread = sum((x - middle) ** 2 for x, _ in points)
    return sum((x - middle) * (y - mean) for x, y in points) / spread
