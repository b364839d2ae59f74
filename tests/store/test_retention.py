"""Forgetting: what the settings say, in small steps, and nothing that has not been rolled up."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clustersight.store import health_scores
from clustersight.store.database import Database
from clustersight.store.errors import Unavailable
from clustersight.store.health_scores import StoredScore
from clustersight.store.housekeeping import Housekeeping
from clustersight.store.retention import MOST_ROWS, Retention, expire
from clustersight.store.samples import HOLD_SECONDS
from clustersight.store.schema import health_scores as scores
from clustersight.store.schema import rollups, samples_daily, samples_hourly, samples_raw, series
from clustersight.store.tiers import DAY_SECONDS, HOUR_SECONDS, Reach, Tier, reaches, set_done
from tests.history.recording import DAY, Recording, key, table

SHORT = Retention(raw_days=1, hourly_days=3, daily_days=9)
A, B = key(table="a"), key(table="b")


@pytest.fixture
def recording(database: Database) -> Recording:
    return Recording(database)


def keep_house(database: Database, now: int, retention: Retention = SHORT) -> int:
    """Returns the number of steps."""
    housekeeping, steps = Housekeeping(database), 0
    while housekeeping.step(now, retention):
        steps += 1
    return steps


def fill(recording: Recording, days: int) -> int:
    """A value every ten minutes; returns the end."""
    end = DAY + days * DAY_SECONDS
    [one] = recording.series_ids(A)
    recording.write_rows(one, [(at, float(at % 3600)) for at in range(DAY, end, 600)])
    return end


def first(database: Database, name: str) -> int:
    at = {"raw": samples_raw.c.at, "hourly": samples_hourly.c.at, "daily": samples_daily.c.at}[name]
    return int(table(database, at)[0][0])


def test_each_tier_ends_where_its_setting_says(recording: Recording) -> None:
    end = fill(recording, 12)
    keep_house(recording.database, end + 200)
    # What holds a value into the first hour that stays, stays too.
    assert first(recording.database, "raw") == end - DAY_SECONDS - HOLD_SECONDS + 300
    assert first(recording.database, "hourly") == end - 3 * DAY_SECONDS
    assert first(recording.database, "daily") == end - 9 * DAY_SECONDS


def test_readers_are_told_before(recording: Recording) -> None:
    end = fill(recording, 12)
    keep_house(recording.database, end + 200)
    with recording.database.read() as db:
        found = reaches(db)
    assert found == {
        Tier.RAW: Reach(0, end - DAY_SECONDS),
        Tier.HOURLY: Reach(end, end - 3 * DAY_SECONDS),
        Tier.DAILY: Reach(end, end - 9 * DAY_SECONDS),
    }


def test_what_is_not_rolled_up_stays(recording: Recording) -> None:
    end = fill(recording, 12)
    for _ in expire(recording.database, end, SHORT):
        pass
    assert first(recording.database, "raw") == DAY
    with recording.database.begin() as db:
        set_done(db, Tier.HOURLY, DAY + DAY_SECONDS)
    for _ in expire(recording.database, end, SHORT):
        pass
    assert first(recording.database, "raw") == DAY + DAY_SECONDS - HOLD_SECONDS + 300


def test_it_does_as_much_as_one_transaction_may(recording: Recording) -> None:
    [one, two] = recording.series_ids(A, B)
    recording.write_rows(one, [(at, 1.0) for at in range(DAY, DAY + 2 * MOST_ROWS + 500)])
    recording.write_rows(two, [(at, 1.0) for at in range(DAY, DAY + 500)])
    with recording.database.begin() as db:
        set_done(db, Tier.HOURLY, DAY + 10 * DAY_SECONDS)
    steps = expire(recording.database, DAY + 8 * DAY_SECONDS, SHORT)
    left = [len(table(recording.database, samples_raw.c.at)) for _ in steps]
    assert left[-1] == 0
    assert max(a - b for a, b in pairwise(left)) <= MOST_ROWS


def test_a_series_of_which_nothing_is_left_goes(recording: Recording) -> None:
    recording.say(DAY, {A: 1.0, B: 1.0})
    recording.say(DAY + 30, {A: 1.0})
    recording.say(DAY + 10 * DAY_SECONDS, {A: 1.0})
    keep_house(recording.database, DAY + 10 * DAY_SECONDS + 3 * HOUR_SECONDS)
    assert table(recording.database, series.c.labels_json) == [(A.labels_json,)]
    # It may come back, also with a writer that knew it.
    recording.say(DAY + 10 * DAY_SECONDS + 4 * HOUR_SECONDS, {A: 1.0, B: 2.0})
    assert recording.rows(B) == [(DAY + 10 * DAY_SECONDS + 4 * HOUR_SECONDS, 2.0)]


def test_a_new_series_without_rows_stays(recording: Recording) -> None:
    recording.series_ids(A)
    keep_house(recording.database, DAY + 3 * HOUR_SECONDS)
    assert table(recording.database, series.c.labels_json) == [(A.labels_json,)]


def test_scores_are_thinned_as_samples_are(recording: Recording) -> None:
    end = DAY + 12 * DAY_SECONDS
    with recording.database.begin() as db:
        for at in range(DAY, end, 900):
            health_scores.put(db, StoredScore(recording.cluster_id, at, 90.0, "A", {}))
    keep_house(recording.database, end)
    times = [at for (at,) in table(recording.database, scores.c.at)]
    by_day = [
        sum(DAY + day * DAY_SECONDS <= at < DAY + (day + 1) * DAY_SECONDS for at in times)
        for day in range(12)
    ]
    assert by_day == [0, 0, 0, 1, 1, 1, 1, 1, 1, 24, 24, 96]
    assert (DAY + 3 * DAY_SECONDS + 85_500) in times  # the last one of its day


def test_a_pass_is_made_each_hour_and_when_settings_change(recording: Recording) -> None:
    end = fill(recording, 4)
    housekeeping = Housekeeping(recording.database)
    while housekeeping.step(end + 200, Retention(3, 30, 365)):
        pass
    assert not housekeeping.step(end + 300, Retention(3, 30, 365))
    assert housekeeping.step(end + 300, SHORT)
    while housekeeping.step(end + 300, SHORT):
        pass
    assert first(recording.database, "raw") >= end - DAY_SECONDS - HOLD_SECONDS
    assert housekeeping.step(end + HOUR_SECONDS, SHORT)


def test_longer_retention_brings_nothing_back(recording: Recording) -> None:
    end = fill(recording, 4)
    keep_house(recording.database, end + 200)
    keep_house(recording.database, end + 300, Retention(90, 400, 3650))
    with recording.database.read() as db:
        assert reaches(db)[Tier.RAW].expired_until == end - DAY_SECONDS


def test_a_clock_that_was_days_ahead_does_not_hide_what_comes(recording: Recording) -> None:
    end = fill(recording, 4)
    keep_house(recording.database, end + 4 * DAY_SECONDS)
    keep_house(recording.database, end + 200)
    with recording.database.read() as db:
        assert reaches(db)[Tier.RAW].expired_until <= end + 200


@given(days=st.lists(st.integers(-6, 6), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_the_clock_steps_the_work_ends(sqlite_database: Database, days: list[int]) -> None:
    with sqlite_database.begin() as db:
        for before in (rollups, series, samples_raw, samples_hourly, samples_daily):
            db.execute(before.delete())
    recording = Recording(sqlite_database)
    now = fill(recording, 2) + 200
    for number, step in enumerate([0, *days]):
        now += step * DAY_SECONDS
        recording.say(now, {B: float(number)})
        housekeeping = Housekeeping(sqlite_database)
        # Two batches an hour of the whole time would do.
        assert any(not housekeeping.step(now, SHORT) for _ in range(30 * 48))
    with sqlite_database.read() as db:
        assert reaches(db)[Tier.RAW].expired_until <= now


def test_an_error_begins_the_pass_again(recording: Recording) -> None:
    end = fill(recording, 12)
    housekeeping = Housekeeping(recording.database)
    while len(table(recording.database, samples_daily.c.at)) < 12:
        housekeeping.step(end + 200, SHORT)
    housekeeping.step(end + 200, SHORT)
    housekeeping._pass = iter_broken()
    with pytest.raises(Unavailable):
        housekeeping.step(end + 200, SHORT)
    while housekeeping.step(end + 200, SHORT):
        pass
    assert first(recording.database, "raw") > DAY


def iter_broken() -> Iterator[None]:
    raise Unavailable("the disk is full")
    yield
