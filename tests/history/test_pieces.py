"""Which tier answers for which time: every second of a range once, and from the best that has it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from clustersight.store.tiers import DAY_SECONDS, HOUR_SECONDS, Piece, Reach, Tier, pieces, tier_of
from tests.history.recording import DAY

NOW = DAY + 40 * DAY_SECONDS + 12_345
USUAL = {
    Tier.RAW: Reach(0, DAY + 33 * DAY_SECONDS + 4 * HOUR_SECONDS),
    Tier.HOURLY: Reach(DAY + 40 * DAY_SECONDS + 3 * HOUR_SECONDS, DAY + 10 * DAY_SECONDS),
    Tier.DAILY: Reach(DAY + 40 * DAY_SECONDS, 0),
}


def test_a_day_is_raw_three_weeks_are_hours_and_more_are_days() -> None:
    assert [tier_of(seconds) for seconds in (60, DAY_SECONDS, DAY_SECONDS + 1, 21 * DAY_SECONDS)] == [
        Tier.RAW, Tier.RAW, Tier.HOURLY, Tier.HOURLY,
    ]  # fmt: skip
    assert tier_of(21 * DAY_SECONDS + 1) is Tier.DAILY


def test_what_is_not_rolled_up_yet_is_raw() -> None:
    start = DAY + 33 * DAY_SECONDS
    done = USUAL[Tier.HOURLY].done_until
    assert pieces(Tier.HOURLY, start, NOW, USUAL) == [
        Piece(Tier.HOURLY, start, done), Piece(Tier.RAW, done, NOW),
    ]  # fmt: skip


def test_days_go_on_as_hours_and_hours_as_rows() -> None:
    day, hour = USUAL[Tier.DAILY].done_until, USUAL[Tier.HOURLY].done_until
    assert pieces(Tier.DAILY, DAY, NOW, USUAL) == [
        Piece(Tier.DAILY, DAY, day), Piece(Tier.HOURLY, day, hour), Piece(Tier.RAW, hour, NOW),
    ]  # fmt: skip


def test_what_has_expired_is_left_to_the_next_tier() -> None:
    start, end = DAY + 33 * DAY_SECONDS, DAY + 34 * DAY_SECONDS
    assert pieces(Tier.RAW, start, end, USUAL) == [
        Piece(Tier.HOURLY, start, start + 4 * HOUR_SECONDS), Piece(Tier.RAW, start + 4 * HOUR_SECONDS, end),
    ]  # fmt: skip
    start, end = DAY + 9 * DAY_SECONDS, DAY + 20 * DAY_SECONDS
    assert pieces(Tier.HOURLY, start, end, USUAL) == [
        Piece(Tier.DAILY, start, start + DAY_SECONDS), Piece(Tier.HOURLY, start + DAY_SECONDS, end),
    ]  # fmt: skip


def test_an_hour_that_the_range_cuts_is_read_by_rows() -> None:
    start = DAY + 35 * DAY_SECONDS + 1800
    assert pieces(Tier.HOURLY, start, start + 2 * HOUR_SECONDS, USUAL) == [
        Piece(Tier.RAW, start, start + 1800),
        Piece(Tier.HOURLY, start + 1800, start + 5400),
        Piece(Tier.RAW, start + 5400, start + 7200),
    ]


_HOURS = st.integers(0, 24 * 40).map(lambda hours: DAY + hours * HOUR_SECONDS)
_DAYS = st.integers(0, 40).map(lambda days: DAY + days * DAY_SECONDS)


@st.composite
def _reaches(draw: st.DrawFn) -> dict[Tier, Reach]:
    """What rolling up and forgetting can lead to: nothing expires that the next tier has not got."""
    hourly = draw(_HOURS)
    daily = min(draw(_DAYS), hourly // DAY_SECONDS * DAY_SECONDS)
    return {
        Tier.RAW: Reach(0, min(draw(_HOURS), hourly)),
        Tier.HOURLY: Reach(hourly, min(draw(_DAYS), daily)),
        Tier.DAILY: Reach(daily, 0),
    }


@given(
    held=_reaches(),
    wanted=st.sampled_from(Tier),
    start=st.integers(DAY, NOW - 1),
    length=st.integers(1, 3_000_000),
)
def test_every_second_is_answered_once(
    held: dict[Tier, Reach], wanted: Tier, start: int, length: int
) -> None:
    end = min(start + length, NOW)
    found = pieces(wanted, start, end, held)
    assert (found[0].start, found[-1].end) == (start, end)
    assert all(a.end == b.start and a.tier is not b.tier for a, b in pairwise(found))
    for tier, begin, until in found:
        assert begin < until
        assert held[tier].expired_until <= begin
        assert tier is Tier.RAW or until <= held[tier].done_until
