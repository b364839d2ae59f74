"""From component scores to one number, its grade and its trend."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from clustersight.settings.health import WeightSettings

# What a score must reach for each grade; below the last one it is an F.
GRADES = (
    (95.0, "A+"), (90.0, "A"), (85.0, "B+"), (80.0, "B"), (75.0, "B-"),
    (70.0, "C+"), (60.0, "C"), (50.0, "C-"), (40.0, "D"),
)  # fmt: skip
# A cluster with one component on the ground is never an A, whatever its weight.
ABOVE_THE_WORST = 35.0
# The change within an hour that is more than noise.
TREND_STEP = 3.0


def grade(score: float) -> str:
    """The grade of a score (0..100): `grade(87.4) == "B+"`. Raises ValueError beyond 0..100."""
    _check("score", score)
    return next((name for least, name in GRADES if score >= least), "F")


def trend(score: float | None, previous: float | None) -> str:
    """`improving`, `declining` or `stable` against the score one hour earlier, as where one is unknown."""
    if score is None or previous is None:
        return "stable"
    change = round(score - previous, 6)  # 90.1 - 87.1 is a little less than 3 in floating point
    if abs(change) <= TREND_STEP:
        return "stable"
    return "improving" if change > 0 else "declining"


def published(latest: float | None, before: float | None) -> float | None:
    """The lower of the last two collections, so that the figure does not flap.

    None while the latest is None: never the last good one.
    """
    return latest if latest is None or before is None else min(latest, before)


def overall(components: Mapping[str, float | None], weights: WeightSettings | None = None) -> float | None:
    """The score of a cluster out of its components' (0..100), rounded to one decimal.

    The weight of a component that is None or absent is spread over the others; None if all are.
    Raises ValueError for a name that is no component and for a number beyond 0..100.
    """
    shares = shares_of(weights or WeightSettings())
    for name, score in components.items():
        if name not in shares:
            raise ValueError(f"{name} is no component of the health score; the components are {_all(shares)}")
        if score is not None:
            _check(name, score)
    known = {name: score for name, score in components.items() if score is not None and shares[name]}
    return combine(known, shares, known.values())


def combine(known: Mapping[str, float], shares: Mapping[str, float], bounds: Iterable[float]) -> float | None:
    """The weighted mean of `known`, held down by the lowest of `bounds`; None where nothing is known."""
    weight = sum(shares[name] for name in known)
    if not weight:
        return None
    mean = sum(shares[name] * score for name, score in known.items()) / weight
    return round(min(mean, min(bounds) + ABOVE_THE_WORST), 1)


def shares_of(weights: WeightSettings) -> dict[str, float]:
    """The weights by component, in percent of their sum."""
    given: dict[str, float] = weights.model_dump()
    whole = sum(given.values())
    return {name: 100 * weight / whole for name, weight in given.items()}


def _check(name: str, score: float) -> None:
    if math.isnan(score) or not 0 <= score <= 100:
        raise ValueError(f"{name} is {score}; a score is a number from 0 to 100")


def _all(names: Iterable[str]) -> str:
    return ", ".join(names)
