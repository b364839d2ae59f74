"""Counters: what a window counted, across restarts, gaps, and rows that were rolled up."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustersight.history.courses import Course, gain, reset
from clustersight.store.history import Held


def raw(*spans: tuple[int, int, float]) -> list[Held]:
    return [Held(start, end, value, value, value) for start, end, value in spans]


def test_a_window_counts_what_rose_in_it() -> None:
    course = Course(raw((0, 60, 5.0), (60, 90, 7.0), (90, 300, 8.0)))
    assert course.counted(0, 300) == 3
    assert course.counted(0, 60) == 0
    assert course.counted(60, 90) == 2
    assert course.counted(61, 90) == 0


def test_a_fall_is_a_restart_from_0() -> None:
    course = Course(raw((0, 60, 50.0), (60, 90, 3.0), (90, 120, 4.0)))
    assert course.counted(0, 120) == 4


def test_one_sample_says_nothing() -> None:
    assert Course(raw((0, 1, 50.0))).counted(-100, 10) is None
    assert Course([]).counted(0, 100) is None
    assert Course(raw((0, 60, 50.0))).counted(100, 200) is None


def test_what_was_gained_in_a_gap_counts_where_the_window_spans_it() -> None:
    course = Course(raw((0, 60, 5.0), (200, 260, 25.0)))
    assert course.counted(0, 260) == 20
    assert course.counted(60, 260) == 20
    # A window that began when nothing was known must not show a peak.
    assert course.counted(61, 260) == 0


def test_rolled_up_rows_tell_a_restart_within() -> None:
    hours = [Held(0, 3600, 10, 100, 100), Held(3600, 7200, 2, 150, 40), Held(7200, 10800, 40, 60, 60)]
    course = Course(hours)
    assert course.counted(0, 3600) == 90
    assert course.counted(3600, 7200) == 50 + 40
    assert course.counted(7200, 10800) == 20
    assert course.counted(0, 10800) == 90 + 90 + 20


def test_a_rolled_up_row_counts_evenly_over_its_time() -> None:
    course = Course([Held(0, 3600, 0, 0, 0), Held(3600, 7200, 0, 60, 60)])
    assert course.counted(3600, 3660) == pytest.approx(1)
    assert course.counted(7140, 7200) == pytest.approx(1)
    assert course.counted(0, 3600) == 0


def test_what_was_gained_in_a_gap_of_hours_is_no_peak_of_the_hour_after() -> None:
    course = Course([Held(0, 3600, 0, 10, 10), Held(7200, 10800, 500, 560, 560)])
    assert course.counted(7200, 10800) == 60
    assert course.counted(3600, 10800) == 550
    assert course.counted(0, 10800) == 560


@pytest.mark.parametrize(
    ("then", "gained", "fell"),
    [
        (Held(0, 1, 5, 5, 5), 0, 0),
        (Held(0, 1, 9, 9, 9), 4, 0),
        (Held(0, 1, 3, 3, 3), 3, 1),
        (Held(0, 1, 5, 9, 9), 4, 0),
        (Held(0, 1, 0, 9, 2), 4 + 2, 1),
        (Held(0, 1, 0, 9, 9), 9, 1),
        (Held(0, 1, 0, 4, 2), 2, 1),
    ],
)
def test_the_next_span_of_a_counter_that_stood_at_5(then: Held, gained: float, fell: float) -> None:
    assert (gain(5, then), reset(5, then)) == (gained, fell)


_COUNTS = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9) | st.none()), min_size=1, max_size=30)


@given(counts=_COUNTS, start=st.integers(-20, 800), seconds=st.integers(1, 800))
def test_any_window_is_a_plain_reckoning(
    counts: list[tuple[int, int | None]], start: int, seconds: int
) -> None:
    spans, known, at = [], {}, 0
    for lasts, value in counts:
        if value is not None:
            spans.append(Held(at, at + lasts, value, value, value))
            known |= dict.fromkeys(range(at, at + lasts), value)
        at += lasts
    end = start + seconds
    seen = [known[second] for second in range(start - 1, end) if second in known]
    gained = sum(b - a if b >= a else b for a, b in pairwise(seen))
    known_for = sum(second in known for second in range(start, end))
    assert Course(spans).counted(start, end) == (gained if known_for >= 5 else None)
