"""Rolling up: every hour and day says what a plain reckoning of the rows says, whatever interrupts it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clustersight.store.database import Database
from clustersight.store.rollups import GRACE_SECONDS, HOURS, Rollup
from clustersight.store.samples import HOLD_SECONDS
from clustersight.store.schema import samples_daily, samples_hourly, samples_raw, series
from clustersight.store.tiers import DAY_SECONDS, HOUR_SECONDS, Tier, reaches, set_done, set_expired
from tests.history.recording import DAY, Recording, key, table

Rows = Sequence[tuple[int, float | None]]
HOUR = samples_hourly.c
_COLUMNS = ("series_id", "at", "min", "max", "sum", "count", "last")


def by_second(rows: Rows, start: int, end: int) -> dict[int, float]:
    """The value that is known in each second."""
    found = {}
    for number, (at, value) in enumerate(rows):
        until = rows[number + 1][0] if number + 1 < len(rows) else end
        for second in range(max(at, start), min(until, at + HOLD_SECONDS, end)):
            if value is not None:
                found[second] = value
    return found


def summed(known: dict[int, float], start: int, seconds: int) -> tuple[float, ...] | None:
    """What a row of a tier must say: at, min, max, sum, count, last."""
    values = [known[second] for second in range(start, start + seconds) if second in known]
    if not values:
        return None
    return (start, min(values), max(values), math.fsum(values), len(values), values[-1])


def roll_up(database: Database, now: int, *, batch_series: int = 500) -> None:
    for tier in (Tier.HOURLY, Tier.DAILY):
        rollup = Rollup(database, tier, batch_series=batch_series)
        while rollup.step(now):
            pass


def hours(database: Database, series_id: int) -> list[tuple[float, ...]]:
    found = table(database, *(HOUR[name] for name in _COLUMNS))
    return [row[1:] for row in found if row[0] == series_id]


@pytest.fixture
def recording(database: Database) -> Recording:
    return Recording(database)


def test_an_hour_is_weighed_by_time(recording: Recording) -> None:
    [one] = recording.series_ids(key())
    recording.write_rows(one, [(DAY, 1.0), (DAY + 600, 10.0), (DAY + 900, None), (DAY + 3000, 2.0)])
    roll_up(recording.database, DAY + HOUR_SECONDS + GRACE_SECONDS)
    assert hours(recording.database, one) == [(DAY, 1.0, 10.0, 600 + 3000 + 1200, 1500, 2.0)]


def test_a_value_is_carried_into_the_next_hour_for_15_minutes(recording: Recording) -> None:
    [one] = recording.series_ids(key())
    recording.write_rows(one, [(DAY + 3500, 7.0)])
    roll_up(recording.database, DAY + 4 * HOUR_SECONDS)
    assert hours(recording.database, one) == [
        (DAY, 7.0, 7.0, 700.0, 100, 7.0),
        (DAY + 3600, 7.0, 7.0, 5600.0, 800, 7.0),
    ]


def test_an_hour_that_may_still_get_rows_is_not_rolled_up(recording: Recording) -> None:
    recording.say(DAY, 1.0)
    rollup = Rollup(recording.database, Tier.HOURLY)
    assert not rollup.step(DAY + HOUR_SECONDS + GRACE_SECONDS - 1)
    assert rollup.step(DAY + HOUR_SECONDS + GRACE_SECONDS)


def test_an_empty_store_has_nothing_to_do(database: Database) -> None:
    assert not Rollup(database, Tier.HOURLY).step(DAY)
    assert not Rollup(database, Tier.DAILY).step(DAY)


def test_a_late_start_catches_up(recording: Recording) -> None:
    for at in range(DAY, DAY + 3 * DAY_SECONDS, 600):
        recording.say(at, float(at % 7200))
    roll_up(recording.database, DAY + 3 * DAY_SECONDS + GRACE_SECONDS)
    assert len(table(recording.database, HOUR.at)) == 72
    assert [row[0] for row in table(recording.database, samples_daily.c.at)] == [
        DAY + day * DAY_SECONDS for day in range(3)
    ]


def test_what_was_interrupted_is_done_again(recording: Recording) -> None:
    ids = recording.series_ids(*(key(table=f"t{number}") for number in range(7)))
    for one in ids:
        recording.write_rows(one, [(DAY + one, float(one)), (DAY + 1000, 5.0), (DAY + 5000, 1.0)])
    broken_off = Rollup(recording.database, Tier.HOURLY, batch_series=2)
    now = DAY + 3 * HOUR_SECONDS
    for _ in range(3):
        broken_off.step(now)
    roll_up(recording.database, now, batch_series=3)
    other = Rollup(recording.database, Tier.HOURLY)
    assert not other.step(now)
    for one in ids:
        rows = [(DAY + one, float(one)), (DAY + 1000, 5.0), (DAY + 5000, 1.0)]
        known = by_second(rows, DAY, now)
        assert hours(recording.database, one) == [
            summed(known, start, HOUR_SECONDS) for start in (DAY, DAY + 3600)
        ]


def test_doing_it_twice_changes_nothing(recording: Recording) -> None:
    [one] = recording.series_ids(key())
    recording.write_rows(one, [(DAY, 1.0), (DAY + 3000, 3.0)])
    roll_up(recording.database, DAY + 2 * HOUR_SECONDS)
    before = hours(recording.database, one)
    with recording.database.begin() as db:
        set_done(db, Tier.HOURLY, 0)
    roll_up(recording.database, DAY + 2 * HOUR_SECONDS)
    assert hours(recording.database, one) == before


def test_a_clock_that_was_years_ahead_does_not_end_rolling_up(recording: Recording) -> None:
    recording.say(DAY, 1.0)
    with recording.database.begin() as db:
        set_done(db, Tier.HOURLY, DAY + 400 * DAY_SECONDS)
    roll_up(recording.database, DAY + 2 * HOUR_SECONDS)
    assert [row[0] for row in table(recording.database, HOUR.at)] == [DAY]
    with recording.database.read() as db:
        assert reaches(db)[Tier.HOURLY].done_until == DAY + HOUR_SECONDS


def test_hours_of_which_rows_are_gone_are_not_made_anew(recording: Recording) -> None:
    [one] = recording.series_ids(key())
    recording.write_rows(one, [(DAY + 3500, 1.0), (DAY + 3700, 2.0)])
    with recording.database.begin() as db:
        set_expired(db, Tier.RAW, DAY + HOUR_SECONDS)
    roll_up(recording.database, DAY + 3 * HOUR_SECONDS)
    assert [row[0] for row in hours(recording.database, one)] == [DAY + HOUR_SECONDS]


def test_a_batch_reads_the_hour_alone(sqlite_database: Database) -> None:
    """SQLite would read a range of ids with all its days (PostgreSQL plans by statistics)."""
    bounds = {"after": 0, "until": 9, "start": DAY, "end": DAY + 3600, "hold": HOLD_SECONDS}
    with sqlite_database.read() as db:
        plan = [row[3] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {HOURS.text}", bounds)]
    assert any("SEARCH r USING PRIMARY KEY (series_id=? AND at>? AND at<?)" in line for line in plan), plan


def test_an_hour_without_rows_is_done_without_writing_each_batch(recording: Recording) -> None:
    recording.series_ids(*(key(table=f"t{number}") for number in range(9)))
    rollup = Rollup(recording.database, Tier.HOURLY, batch_series=2)
    written: list[str] = []
    rollup._write = lambda rows, done_until: written.append(str(done_until))  # type: ignore[method-assign]
    for _ in range(5):
        rollup.step(DAY + 2 * HOUR_SECONDS)
    assert written == [str(DAY + HOUR_SECONDS)]


_STEPS = st.lists(
    st.tuples(st.integers(1, 2500), st.one_of(st.none(), st.integers(-3, 9).map(float))),
    min_size=1,
    max_size=40,
)


@given(steps=st.lists(_STEPS, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_sum_up_to_a_plain_reckoning(
    sqlite_database: Database, steps: list[list[tuple[int, float | None]]]
) -> None:
    recording = Recording(sqlite_database)
    with sqlite_database.begin() as db:
        for before in (series, samples_raw, samples_hourly, samples_daily):
            db.execute(before.delete())
        for tier in (Tier.HOURLY, Tier.DAILY):
            set_done(db, tier, DAY)
    ids = recording.series_ids(*(key(table=f"t{number}") for number in range(len(steps))))
    histories = [_history(some) for some in steps]
    for one, rows in zip(ids, histories, strict=True):
        recording.write_rows(one, rows)
    end = DAY + DAY_SECONDS
    roll_up(sqlite_database, end + GRACE_SECONDS, batch_series=2)
    daily = table(sqlite_database, *(samples_daily.c[name] for name in _COLUMNS))
    for one, rows in zip(ids, histories, strict=True):
        known = by_second(rows, DAY, end)
        expected = [summed(known, start, HOUR_SECONDS) for start in range(DAY, end, HOUR_SECONDS)]
        assert hours(sqlite_database, one) == [row for row in expected if row]
        day = summed(known, DAY, DAY_SECONDS)
        assert [row[1:] for row in daily if row[0] == one] == ([day] if day else [])


def _history(steps: Rows) -> Rows:
    times = accumulate((seconds for seconds, _ in steps), initial=DAY - 1000)
    return [(at, value) for at, (_, value) in zip(list(times)[1:], steps, strict=True)]
