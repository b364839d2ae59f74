"""The clock is set back, or was ahead: what lies in the future is forgotten, and nothing else is."""

from __future__ import annotations

import pytest

from clustersight.history import ClusterName, StoredHistory
from clustersight.metrics import Kind, Metric
from clustersight.store import health_scores
from clustersight.store.database import Database
from clustersight.store.health_scores import StoredScore
from clustersight.store.rollups import GRACE_SECONDS, Rollup
from clustersight.store.samples import HistoryWriter
from clustersight.store.schema import samples_daily, samples_hourly, series
from clustersight.store.tiers import DAY_SECONDS, HOUR_SECONDS, Tier, reaches, set_done, set_expired
from tests.history.recording import DAY, METRIC, Recording, key, table

COUNTER = Metric(METRIC, "", kind=Kind.COUNTER)
NOON = DAY + 12 * HOUR_SECONDS


@pytest.fixture
def recording(database: Database) -> Recording:
    return Recording(database)


def roll_up(database: Database, now: int, *, batch_series: int = 500) -> None:
    for tier in (Tier.HOURLY, Tier.DAILY):
        rollup = Rollup(database, tier, batch_series=batch_series)
        while rollup.step(now):
            pass


def hours(database: Database) -> dict[int, float]:
    """The highest value by the hour of NOON's day."""
    found = table(database, samples_hourly.c.at, samples_hourly.c.max)
    return {(at - DAY) // HOUR_SECONDS: high for at, high in found}


def done(database: Database) -> dict[Tier, int]:
    with database.read() as db:
        return {tier: reach.done_until for tier, reach in reaches(db).items()}


def increased(recording: Recording, until: int, seconds: int = HOUR_SECONDS) -> float:
    cluster = ClusterName(recording.cluster_id, "")
    [one] = StoredHistory(recording.database).increase(cluster, [COUNTER], seconds, until)
    return one.value


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("seconds", [45, 1200, 7200])
def test_a_counter_does_not_explode(recording: Recording, seconds: int, restarted: bool) -> None:
    """Ten a visit; the visits after the step fall between those before it."""
    for number in range(81):
        recording.say(NOON + 30 * number, 1_000_000.0 + 10 * number)
    if restarted:
        recording.writer = HistoryWriter()
    begin = NOON + 30 * 80 - seconds + 15
    for number in range(81, 121):
        recording.say(begin + 30 * (number - 81), 1_000_000.0 + 10 * number)
    now = begin + 30 * 39
    assert [at for at, _ in recording.rows() if at > now] == []
    assert increased(recording, now, 4 * HOUR_SECONDS) <= 1200
    assert increased(recording, now, 600) == pytest.approx(200, abs=10)


def test_what_is_known_up_to_now_stays(recording: Recording) -> None:
    a, b = key(table="a"), key(table="b")
    for at in (0, 300, 600, 900):
        recording.say(NOON + at, {a: float(at), b: 7.0})
        recording.say(NOON + at, {a: float(at)}, host="two")
    Recording(recording.database).say(NOON + 900, 5.0)
    recording.say(NOON + 300, {a: 1.0})
    assert recording.rows(b) == [(NOON, 7.0), (NOON + 300, None)]
    # The host "two" has not been visited since.
    mine, others = [(0, 0.0), (300, 1.0)], [(0, 0.0), (300, 300.0), (600, 600.0), (900, 900.0)]
    assert sorted(recording.rows(a)) == sorted((NOON + at, value) for at, value in mine + others)


def test_a_series_that_ended_in_the_future_is_noticed_too(recording: Recording) -> None:
    recording.say(NOON, 1.0)
    recording.say(NOON + 60, None)
    recording.writer = HistoryWriter()
    recording.say(NOON + 30, 2.0)
    assert recording.rows() == [(NOON, 1.0), (NOON + 30, 2.0)]


def test_a_clock_that_was_ahead_leaves_nothing_waiting(recording: Recording) -> None:
    ahead = NOON + 10 * DAY_SECONDS
    for at in range(ahead, ahead + 2 * DAY_SECONDS, 3600):
        recording.say(at, 1_000_000.0)
    roll_up(recording.database, ahead + 2 * DAY_SECONDS)
    recording.writer = HistoryWriter()
    recording.say(NOON, 5.0)
    assert recording.rows() == [(NOON, 5.0)]
    assert table(recording.database, samples_hourly.c.at) == []
    assert table(recording.database, samples_daily.c.at) == []
    assert [at for (at,) in table(recording.database, series.c.created_at)] == [NOON]
    recording.say(NOON + 1800, 6.0)
    roll_up(recording.database, NOON + HOUR_SECONDS + GRACE_SECONDS)
    assert hours(recording.database) == {12: 6.0}


def test_hours_and_days_are_rolled_up_again(recording: Recording) -> None:
    for at in range(DAY, DAY + 26 * HOUR_SECONDS, 600):
        recording.say(at, float((at - DAY) // HOUR_SECONDS))
        recording.say(at, 50.0, host="two")
    end = DAY + 26 * HOUR_SECONDS
    roll_up(recording.database, end + GRACE_SECONDS)
    of_two = [row for row in _daily(recording.database) if row[-1] == 50.0]

    recording.say(NOON + 1800, 3.0)
    expected = {Tier.RAW: 0, Tier.HOURLY: NOON, Tier.DAILY: DAY}
    assert done(recording.database) == expected
    for at in range(NOON + 2400, end, 600):
        recording.say(at, 3.0)
    roll_up(recording.database, end + GRACE_SECONDS)

    found = table(recording.database, samples_hourly.c.at, samples_hourly.c.max)
    of_one = {(at - DAY) // HOUR_SECONDS: high for at, high in found if high != 50.0}
    assert of_one == {hour: (float(hour) if hour <= 12 else 3.0) for hour in range(26)}
    # The other host was not visited after the step, and is as it was.
    assert len([1 for _, high in found if high == 50.0]) == 26
    assert [row for row in _daily(recording.database) if row[-1] == 50.0] == of_two
    assert [row[-1] for row in _daily(recording.database)] == [12.0, 50.0]


def _daily(database: Database) -> list[tuple[float, ...]]:
    columns = samples_daily.c
    return table(database, columns.series_id, columns.at, columns.sum, columns.count, columns.max)


def test_hours_that_say_nothing_any_more_are_gone(recording: Recording) -> None:
    """The series ends; without its rows nothing would overwrite its hours."""
    for at in range(NOON, NOON + 4 * HOUR_SECONDS, 600):
        recording.say(at, 9.0)
    end = NOON + 4 * HOUR_SECONDS + GRACE_SECONDS
    roll_up(recording.database, end)
    recording.say(NOON + 1800, None)
    roll_up(recording.database, end)
    assert hours(recording.database) == {12: 9.0}


def test_hours_whose_rows_have_expired_stay(recording: Recording) -> None:
    """The rows that are left of 14 o'clock hold a value into 15 o'clock and make no hour."""
    for at in range(NOON, NOON + 6 * HOUR_SECONDS, 600):
        recording.say(at, float(at - NOON))
    roll_up(recording.database, NOON + 6 * HOUR_SECONDS + GRACE_SECONDS)
    before = hours(recording.database)
    with recording.database.begin() as db:
        set_expired(db, Tier.RAW, NOON + 3 * HOUR_SECONDS)
    recording.say(NOON + 1800, 7.0)
    assert done(recording.database)[Tier.HOURLY] == NOON + 3 * HOUR_SECONDS
    roll_up(recording.database, NOON + 6 * HOUR_SECONDS + GRACE_SECONDS)
    assert hours(recording.database) == {hour: before[hour] for hour in (12, 13, 14)}


def test_days_whose_hours_have_expired_stay(recording: Recording) -> None:
    for at in range(DAY, DAY + 3 * DAY_SECONDS, 600):
        recording.say(at, 5.0)
    roll_up(recording.database, DAY + 3 * DAY_SECONDS + GRACE_SECONDS)
    with recording.database.begin() as db:
        set_expired(db, Tier.RAW, DAY + 2 * DAY_SECONDS)
        set_expired(db, Tier.HOURLY, DAY + DAY_SECONDS)
    before = _daily(recording.database)
    recording.say(NOON, 5.0)
    assert done(recording.database)[Tier.DAILY] == DAY + DAY_SECONDS
    roll_up(recording.database, DAY + 3 * DAY_SECONDS + GRACE_SECONDS)
    # Of the second day there are hours, of the third neither rows nor hours.
    assert _daily(recording.database) == before[:2]


def test_what_was_half_rolled_up_begins_again(recording: Recording) -> None:
    ids = recording.series_ids(*(key(table=f"t{number}") for number in range(4)))
    for one in ids:
        recording.write_rows(one, [(NOON, 1.0), (NOON + 600, 8.0)])
    with recording.database.begin() as db:
        set_done(db, Tier.HOURLY, NOON)
    rollup = Rollup(recording.database, Tier.HOURLY, batch_series=2)
    rollup.step(NOON + HOUR_SECONDS + GRACE_SECONDS)
    recording.say(NOON + 300, {key(table=f"t{number}"): 2.0 for number in range(4)})
    while rollup.step(NOON + 360):
        pass
    while rollup.step(NOON + HOUR_SECONDS + GRACE_SECONDS):
        pass
    highest = table(recording.database, samples_hourly.c.series_id, samples_hourly.c.max)
    assert highest == [(one, 2.0) for one in ids]


def test_a_clock_that_was_never_set_forgets_nothing(recording: Recording) -> None:
    recording.say(NOON, 1.0)
    recording.say(60, 1.0)
    recording.say(NOON + 60, 1.0)
    assert recording.rows() == [(60, 1.0), (NOON, 1.0)]
    with recording.database.begin() as db:
        for at in (NOON, 60):
            health_scores.put(db, StoredScore(recording.cluster_id, at, 90.0, "A", {}))
        assert health_scores.latest(db, recording.cluster_id, NOON) is not None


def test_a_score_of_before_the_step_is_never_the_latest(recording: Recording) -> None:
    other = Recording(recording.database).cluster_id
    with recording.database.begin() as db:
        for cluster_id in (recording.cluster_id, other):
            for at in (NOON - 60, NOON + 30, NOON + 600):
                health_scores.put(db, StoredScore(cluster_id, at, 10.0, "F", {}))
        health_scores.put(db, StoredScore(recording.cluster_id, NOON, 90.0, "A", {}))
        latest = health_scores.latest(db, recording.cluster_id, NOON + 60)
        assert latest is not None
        assert (latest.at, latest.score) == (NOON, 90.0)
        latest = health_scores.latest(db, recording.cluster_id, NOON - 1)
        assert latest is not None
        assert latest.at == NOON - 60
        latest = health_scores.latest(db, other, NOON + 600)
        assert latest is not None
        assert latest.at == NOON + 600
