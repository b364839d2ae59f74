"""What Prometheus answers, checked before anybody counts on it (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple


class Found(NamedTuple):
    """One series of an answer: times in epoch seconds; None for a value that is no finite number."""

    labels: Mapping[str, str]
    points: list[tuple[float, float | None]]

    @property
    def value(self) -> float | None:
        """The last one: of a moment there is just one."""
        return self.points[-1][1]


def found_in(data: Any) -> list[Found]:
    """The series of a vector or a matrix, `data` of /api/v1/query or query_range.

    Raises ValueError, LookupError, TypeError or OverflowError where it is neither.
    """
    read = {"vector": _moment, "matrix": _course}[data["resultType"]]
    return [Found(_labels(one["metric"]), read(one)) for one in data["result"]]


def _moment(one: Any) -> list[tuple[float, float | None]]:
    return [_point(*one["value"])]


def _course(one: Any) -> list[tuple[float, float | None]]:
    points = [_point(at, text) for at, text in one["values"]]
    if not points:
        raise ValueError("a series without a value")
    return points


def _point(at: Any, text: Any) -> tuple[float, float | None]:
    if isinstance(at, bool) or not isinstance(at, int | float) or not isinstance(text, str):
        raise TypeError(f"[{at!r}, {text!r}] is not a time and a number")
    if not math.isfinite(at):
        raise ValueError(f"{at} is not a time")
    value = float(text)
    return at, value if math.isfinite(value) else None


def _labels(metric: Any) -> Mapping[str, str]:
    if not isinstance(metric, dict) or not all(isinstance(value, str) for value in metric.values()):
        raise TypeError("labels are texts")
    return metric
