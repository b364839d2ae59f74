"""What follows from a death: when to try again, and when not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clustersight.supervising.restarts import (
    LONGEST_SECONDS,
    START_SECONDS,
    STEADY_SECONDS,
    Death,
    refused,
    row_of_deaths,
    wait_seconds,
)

DEATHS = st.builds(
    Death, code=st.integers(-64, 255), ran_seconds=st.floats(0, 1e6), start=st.integers(1, 1000)
)


@given(DEATHS)
def test_only_a_first_start_can_be_refused(death: Death) -> None:
    """Later the same exit status may mean a database that is away for a while."""
    if refused(death):
        assert death.start == 1
        assert death.code in (1, 2)
        assert death.ran_seconds < START_SECONDS


def test_who_cannot_read_its_configuration_refuses() -> None:
    assert refused(Death(1, 0.8, 1))
    assert refused(Death(2, 0.2, 1))
    assert not refused(Death(-9, 0.8, 1))
    assert not refused(Death(0, 0.8, 1))


@given(st.integers(1, 10**6))
def test_a_wait_is_bounded_and_never_shorter_than_the_one_before(deaths: int) -> None:
    assert 1 <= wait_seconds(deaths) <= wait_seconds(deaths + 1) <= LONGEST_SECONDS


def test_the_waits() -> None:
    assert [wait_seconds(n) for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


@given(st.lists(st.floats(0, 600), min_size=1, max_size=60))
def test_whatever_dies_is_not_started_more_than_once_a_second(runs: list[float]) -> None:
    """Nor more often than some six times a minute, once it has died in a row."""
    deaths, passed = 0, 0.0
    for ran_seconds in runs:
        deaths = row_of_deaths(ran_seconds, deaths)
        passed += ran_seconds + wait_seconds(deaths)

        assert deaths >= 1
    assert len(runs) <= 7 + passed / (STEADY_SECONDS + 1)


@given(st.integers(0, 1000))
def test_who_ran_well_for_long_starts_again_at_once(before: int) -> None:
    assert wait_seconds(row_of_deaths(STEADY_SECONDS, before)) == 1
