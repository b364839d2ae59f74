"""Points of a picture: the highest or the lowest of each step, and the median of a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustersight.history import buckets
from clustersight.history.contract import MOST_POINTS, ClusterName, Wanted, step_for
from clustersight.metrics import Metric
from clustersight.store.history import Held

_SPANS = st.lists(st.tuples(st.integers(1, 90), st.integers(0, 9) | st.none()), max_size=20)
DAY = 86_400


@given(
    some=_SPANS,
    first=st.integers(0, 50),
    step=st.integers(1, 70),
    number=st.integers(1, 30),
    lowest=st.booleans(),
)
def test_a_point_is_the_extreme_of_its_step(
    some: list[tuple[int, int | None]], first: int, step: int, number: int, lowest: bool
) -> None:
    spans, known, at = [], {}, 0
    for lasts, value in some:
        if value is not None:
            spans.append(Held(at, at + lasts, value, value, value))
            known |= dict.fromkeys(range(at, at + lasts), value)
        at += lasts
    times = range(first, first + number * step, step)
    for time, value in buckets.points(spans, times, lowest=lowest):
        values = [known[second] for second in range(time, time + step) if second in known]
        assert value == ((min if lowest else max)(values) if values else None)


def test_the_median_weighs_by_time() -> None:
    def of(*spans: tuple[int, float]) -> float | None:
        return buckets.median(Held(0, seconds, value, value, value) for seconds, value in spans)

    assert of() is None
    assert of((10, 4.0)) == 4.0
    assert of((10, 1.0), (100, 2.0), (10, 3.0)) == 2.0
    assert of((10, 1.0), (10, 9.0), (11, 5.0)) == 5.0


@pytest.mark.parametrize(
    "seconds", [60, 3600, 15_000, 6 * 3600, DAY, DAY + 1, 7 * DAY, 21 * DAY, 30 * DAY, 400 * DAY, 3650 * DAY]
)
@pytest.mark.parametrize("interval", [5, 30, 37, 3600])
@pytest.mark.parametrize("start", [0, 1, 12_345])
def test_any_range_has_at_most_500_points(seconds: int, interval: int, start: int) -> None:
    step = step_for(seconds, interval)
    wanted = Wanted(ClusterName("", ""), Metric("m", ""), start, start + seconds, step)
    assert 1 <= len(wanted.times) <= MOST_POINTS
    assert step >= interval
    # A coarser tier has whole rows.
    assert seconds <= DAY or step % 3600 == 0
    assert seconds <= 21 * DAY or step % DAY == 0


def test_more_points_are_refused() -> None:
    with pytest.raises(ValueError, match="500 points"):
        Wanted(ClusterName("", ""), Metric("m", ""), 0, 501, 1)
