"""History from our own store: what was written comes back, whichever tier it lies in by now."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clustersight.history import ClusterName, SeriesPoints, StoredHistory, Wanted
from clustersight.metrics import Kind, Metric, Rate, Reading, Unit, per_minute
from clustersight.store.database import Database
from clustersight.store.retention import Retention, expire
from clustersight.store.rollups import Rollup
from clustersight.store.samples import HOLD_SECONDS, PanelHistory
from clustersight.store.schema import rollups, samples_daily, samples_hourly, samples_raw, series
from clustersight.store.series import Key
from clustersight.store.tiers import DAY_SECONDS, HOUR_SECONDS, Tier
from tests.history.recording import DAY, METRIC, Recording, key

PARTS = Metric(METRIC, "", ("database", "table"))
ERRORS = Metric("clickhouse_errors_total", "", ("error",), kind=Kind.COUNTER)
INITIAL = Metric("clickhouse_initial_queries_total", "", kind=Kind.COUNTER)
FAILED = Metric("clickhouse_failed_initial_queries_total", "", kind=Kind.COUNTER)
UPTIME = Metric("clickhouse_uptime_seconds", "")
PER_MINUTE = per_minute("errors.per_min", ERRORS.name, "", ("error",))
TOTAL_PER_MINUTE = per_minute("errors.all_per_min", ERRORS.name, "")
FAILED_PCT = Rate("queries.failed_pct", Unit.PERCENT, "", (INITIAL.name, FAILED.name), "…", at_least=50)
RESTARTED = Rate(
    "server.restarted",
    Unit.COUNT,
    "",
    (UPTIME.name,),
    "resets(clickhouse_uptime_seconds[10m])",
    reading=Reading.RESETS,
    window_seconds=600,
)


class Place:
    """A recording and the history read from it."""

    def __init__(self, database: Database) -> None:
        self.recording = Recording(database)
        self.history = StoredHistory(database)
        self.cluster = ClusterName(self.recording.cluster_id, "main")

    def wanted(self, metric: Metric | Rate, start: int, end: int, step: int, **options: object) -> Wanted:
        return Wanted(self.cluster, metric, start, end, step, **options)  # type: ignore[arg-type]

    def points(self, metric: Metric | Rate, start: int, end: int, step: int) -> list[float | None]:
        """Of the only series."""
        [one] = self.history.range(self.wanted(metric, start, end, step)).series
        return [value for _, value in one.points]

    def tidy(self, now: int, retention: Retention | None = None) -> None:
        for tier in (Tier.HOURLY, Tier.DAILY):
            rollup = Rollup(self.recording.database, tier)
            while rollup.step(now):
                pass
        for _ in expire(self.recording.database, now, retention) if retention else ():
            pass


@pytest.fixture
def place(database: Database) -> Place:
    return Place(database)


def parts(table: str, database: str = "shop") -> Key:
    return key(METRIC, database=database, table=table)


def test_a_point_is_the_highest_of_its_step(place: Place) -> None:
    for at, value in ((0, 1.0), (30, 7.0), (60, 2.0), (90, 2.0), (120, 3.0)):
        place.recording.say(DAY + at, {parts("t"): value})
    assert place.points(PARTS, DAY, DAY + 180, 60) == [7.0, 2.0, 3.0]


def test_a_point_may_be_the_lowest(place: Place) -> None:
    for at, value in ((0, 1.0), (30, 7.0), (60, 9.0)):
        place.recording.say(DAY + at, {parts("t"): value})
    [one] = place.history.range(place.wanted(PARTS, DAY, DAY + 120, 60, lowest=True)).series
    assert one.points == [(DAY, 1.0), (DAY + 60, 9.0)]


def test_an_outage_is_a_gap_and_never_a_flat_line(place: Place) -> None:
    place.recording.say(DAY, {parts("t"): 1.0})
    place.recording.say(DAY + 3600, {parts("t"): 1.0})
    place.recording.say(DAY + 4200, None)
    known = [value is not None for value in place.points(PARTS, DAY, DAY + 7200, 300)]
    assert known == [True] * 3 + [False] * 9 + [True] * 2 + [False] * 10


def test_what_held_before_the_range_is_in_it(place: Place) -> None:
    place.recording.say(DAY, {parts("t"): 1.0})
    assert place.points(PARTS, DAY + 600, DAY + 1200, 300) == [1.0, None]


def test_series_come_with_host_and_labels_the_worst_first(place: Place) -> None:
    place.recording.say(DAY, {parts("a"): 3.0, parts("b"): 9.0})
    place.recording.say(DAY, {parts("a"): 5.0}, host="two")
    answer = place.history.range(place.wanted(PARTS, DAY, DAY + 60, 60))
    assert answer.total == 3
    assert answer.series == [
        SeriesPoints("one", {"database": "shop", "table": "b"}, [(DAY, 9.0)]),
        SeriesPoints("two", {"database": "shop", "table": "a"}, [(DAY, 5.0)]),
        SeriesPoints("one", {"database": "shop", "table": "a"}, [(DAY, 3.0)]),
    ]


def test_host_and_labels_narrow(place: Place) -> None:
    values = {parts("a"): 3.0, parts("b"): 9.0, parts("a", "other"): 1.0}
    for host in ("one", "two"):
        place.recording.say(DAY, values, host=host)
    narrow = place.wanted(PARTS, DAY, DAY + 60, 60, host="two", labels={"table": "a"})
    found = place.history.range(narrow).series
    assert [(one.host, one.labels["database"]) for one in found] == [("two", "shop"), ("two", "other")]
    assert place.history.range(replace(narrow, labels={"table": "c"})) == ([], 0)


@pytest.mark.parametrize("name", ["50%_off", 'quo"te', "back\\slash", "a/b", "späti", "A", ""])
def test_a_label_is_itself_whatever_it_holds(place: Place, name: str) -> None:
    others = {parts(other): 1.0 for other in ("50xyoff", "a", "other", "50%_of", 'x"y', "b")}
    place.recording.say(DAY, others | {parts(name): 7.0})
    wanted = place.wanted(PARTS, DAY, DAY + 60, 60, labels={"table": name})
    [one] = place.history.range(wanted).series
    assert (one.labels, one.points) == ({"database": "shop", "table": name}, [(DAY, 7.0)])


def test_an_hour_whose_rows_are_gone_is_there_although_the_range_cuts_it(place: Place) -> None:
    for at in range(DAY, DAY + 3 * DAY_SECONDS, 600):
        place.recording.say(at, {parts("t"): float(at % 3600)})
    place.tidy(DAY + 3 * DAY_SECONDS + 200, Retention(1, 30, 365))
    assert place.points(PARTS, DAY + 1800, DAY + 3600, 600) == [3000.0] * 3


def test_another_cluster_is_not_seen(place: Place) -> None:
    Recording(place.recording.database).say(DAY, {parts("a"): 3.0})
    assert place.history.range(place.wanted(PARTS, DAY, DAY + 60, 60)) == ([], 0)


@pytest.mark.parametrize("rolled_up", [False, True])
@pytest.mark.parametrize("lowest", [False, True])
def test_of_many_series_the_worst_stay(place: Place, rolled_up: bool, lowest: bool) -> None:
    worst = {3: 8000.0, 1700: 9000.0}
    values = {parts(f"t{number:04}"): 100.0 + number / 100 for number in range(2000)}
    place.recording.say(DAY, values)
    peaks = {parts(f"t{number:04}"): value for number, value in worst.items()}
    place.recording.say(DAY + 600, values | peaks)
    place.recording.say(DAY + 660, values)
    if rolled_up:
        place.tidy(DAY + 2 * HOUR_SECONDS)
    wanted = place.wanted(PARTS, DAY, DAY + HOUR_SECONDS, 60, limit=2, lowest=lowest)
    answer = place.history.range(wanted)
    assert answer.total == 2000
    expected = ["t0000", "t0001"] if lowest else ["t1700", "t0003"]
    assert [one.labels["table"] for one in answer.series] == expected


def test_series_without_a_value_in_the_range_do_not_count(place: Place) -> None:
    place.recording.say(DAY, {parts(f"t{number}"): 1.0 for number in range(10)})
    place.recording.say(DAY + 60, {parts("t1"): 1.0, parts("t2"): 2.0})
    answer = place.history.range(place.wanted(PARTS, DAY + 120, DAY + 180, 60, limit=1))
    assert (answer.total, len(answer.series)) == (2, 1)


def errors(**totals: float) -> PanelHistory:
    values = {key(ERRORS.name, error=name): total for name, total in totals.items()}
    return PanelHistory("errors", ok=True, values=values)


def test_a_rate_is_what_its_window_counted(place: Place) -> None:
    for number in range(41):
        place.recording.visit(DAY + 30 * number, errors(NETWORK=float(1000 + 2 * number)))
    points = place.points(PER_MINUTE, DAY, DAY + 1200, 60)
    # Four a minute; while less than the window is known, what was counted in it.
    assert points[0] == pytest.approx(2 / 5)
    assert points[5:] == [pytest.approx(4.0)] * 15


def test_the_first_point_of_a_rate_knows_what_was_before_the_range(place: Place) -> None:
    for number in range(41):
        place.recording.visit(DAY + 30 * number, errors(NETWORK=float(1000 + 2 * number)))
    assert place.points(PER_MINUTE, DAY + 600, DAY + 720, 60) == [pytest.approx(4.0)] * 2


def test_the_last_step_of_a_rate_ends_with_the_range(place: Place) -> None:
    for number in range(121):
        place.recording.visit(DAY + 30 * number, errors(NETWORK=float(2 * number)))
    assert place.points(PER_MINUTE, DAY + 1800, DAY + 3000, 900) == [pytest.approx(4.0)] * 2


def test_a_rate_survives_a_restart_of_the_server(place: Place) -> None:
    for number, total in enumerate([100, 110, 3, 5]):
        place.recording.visit(DAY + 30 * number, errors(NETWORK=float(total)))
    assert place.points(PER_MINUTE, DAY, DAY + 120, 120) == [pytest.approx((10 + 3 + 2) / 5)]


def test_an_outage_of_ours_is_no_peak_of_a_rate(place: Place) -> None:
    place.recording.visit(DAY, errors(NETWORK=100.0))
    for at in range(DAY + 7200, DAY + 9000, 30):
        place.recording.visit(at, errors(NETWORK=900.0))
    points = place.points(PER_MINUTE, DAY, DAY + 9000, 300)
    assert {value for value in points if value is not None} == {0.0}
    assert points[6:24] == [None] * 18


def test_labels_that_a_rate_lacks_are_summed_up(place: Place) -> None:
    for number in range(11):
        place.recording.visit(DAY + 30 * number, errors(A=float(number), B=float(2 * number)))
    [one] = place.history.range(place.wanted(TOTAL_PER_MINUTE, DAY, DAY + 300, 300)).series
    assert (one.labels, one.points) == ({}, [(DAY, pytest.approx(27 / 5))])


def test_the_busiest_of_many_counters_stay(place: Place) -> None:
    for number in range(4):
        place.recording.visit(DAY + 30 * number, errors(A=1e9, B=5.0 * number, C=1e6 + number))
    answer = place.history.range(place.wanted(PER_MINUTE, DAY, DAY + 120, 120, limit=2))
    assert answer.total == 3
    assert [one.labels["error"] for one in answer.series] == ["B", "C"]


@pytest.mark.parametrize(("queries", "failed", "expected"), [(40, 4, None), (100, 20, 20.0), (60, 90, 100.0)])
def test_a_share_needs_enough(place: Place, queries: int, failed: int, expected: float | None) -> None:
    for number in range(2):
        values = {key(INITIAL.name): 1000.0 + number * queries, key(FAILED.name): 7.0 + number * failed}
        place.recording.visit(DAY + 60 * number, PanelHistory("queries", ok=True, values=values))
    found = place.history.range(place.wanted(FAILED_PCT, DAY, DAY + 300, 300)).series
    assert [value for one in found for _, value in one.points] == ([] if expected is None else [expected])


def test_restarts_are_counted(place: Place) -> None:
    for at, uptime in ((0, 500), (30, 530), (60, 5), (90, 35), (120, 2)):
        values = {key(UPTIME.name): float(uptime)}
        place.recording.visit(DAY + at, PanelHistory("server", ok=True, values=values))
    assert place.points(RESTARTED, DAY, DAY + 180, 60) == [0.0, 1.0, 2.0]


def test_an_increase_is_by_host_and_labels(place: Place) -> None:
    for number in range(3):
        place.recording.visit(DAY + 30 * number, errors(A=5.0 + number, B=7.0))
        place.recording.visit(DAY + 30 * number, errors(A=50.0 - 10 * number), host="two")
    place.recording.visit(DAY + 60, errors(A=1.0), host="three")
    found = place.history.increase(place.cluster, [ERRORS], 900, DAY + 60)
    assert {(one.host, one.labels["error"]): one.value for one in found} == {
        ("one", "A"): 2.0, ("one", "B"): 0.0, ("two", "A"): 70.0,
    }  # fmt: skip
    assert place.history.increase(place.cluster, [ERRORS], 30, DAY + 60)[0].value == 1.0
    assert place.history.increase(place.cluster, [FAILED], 900, DAY + 60) == []


def test_a_rise_is_against_the_windows_start(place: Place) -> None:
    for at, one, two in ((0, 5.0, 9.0), (600, 7.0, 4.0), (1200, 8.0, 4.0)):
        place.recording.say(DAY + at, {parts("a"): one, parts("b"): two})
    found = place.history.rise(place.cluster, [PARTS], 900, DAY + 1200)
    assert {one.labels["table"]: one.value for one in found} == {"a": 3.0, "b": 0.0}


def test_what_appeared_in_the_window_rose_from_0(place: Place) -> None:
    place.recording.say(DAY, {parts("a"): 5.0})
    place.recording.say(DAY + 600, {parts("a"): 5.0, parts("new"): 3.0})
    # Another host is watched only since then: nobody knows what was new there.
    place.recording.say(DAY + 600, {parts("a"): 4.0}, host="two")
    found = place.history.rise(place.cluster, [PARTS], 600, DAY + 600)
    assert {(one.host, one.labels["table"]): one.value for one in found} == {
        ("one", "a"): 0.0, ("one", "new"): 3.0, ("two", "a"): 0.0,
    }  # fmt: skip


def test_what_was_there_after_an_outage_is_not_new(place: Place) -> None:
    place.recording.say(DAY, {parts("a"): 5.0})
    for at in (7200, 7800):
        place.recording.say(DAY + at, {parts("a"): 5.0, parts("b"): 8.0 + at / 7800})
    found = place.history.rise(place.cluster, [PARTS], 3600, DAY + 7800)
    assert {one.labels["table"]: one.value for one in found} == {"a": 0.0, "b": pytest.approx(1 / 13)}


def test_the_median_is_over_time(place: Place) -> None:
    for at, value in ((0, 100.0), (300, 7.0), (1200, 7.5), (1260, 90.0), (1300, None)):
        place.recording.say(DAY + at, None if value is None else {parts("a"): value})
    [one] = place.history.median(place.cluster, PARTS, DAY_SECONDS, DAY + 2000)
    assert (one.host, one.labels, one.value) == ("one", {"database": "shop", "table": "a"}, 7.0)


def test_the_latest_is_not_older_than_15_minutes(place: Place) -> None:
    place.recording.say(DAY, {parts("a"): 1.0, parts("b"): 1.0})
    place.recording.say(DAY + 60, {parts("a"): 2.0})
    assert [(r.labels["table"], r.value) for r in place.history.latest(place.cluster, [PARTS], DAY + 60)] == [
        ("a", 2.0)
    ]
    assert place.history.latest(place.cluster, [PARTS], DAY + 60 + HOLD_SECONDS) == []


_STEPS = st.lists(
    st.tuples(st.integers(20, 4000), st.none() | st.integers(0, 9).map(float)), min_size=1, max_size=60
)


@given(steps=_STEPS, now_hours=st.integers(0, 50), step=st.sampled_from([3600, 7200, 86_400]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_seams_neither_double_nor_leave_a_gap(
    sqlite_database: Database, steps: list[tuple[int, float | None]], now_hours: int, step: int
) -> None:
    """However far rolling up and forgetting have come, the picture by hours is the same."""
    place = _emptied(sqlite_database)
    at, known = DAY, {}
    for number, (seconds, value) in enumerate(steps, 1):
        place.recording.say(at, None if value is None else {parts("t"): value})
        ends = min(seconds, HOLD_SECONDS) if number < len(steps) else HOLD_SECONDS
        known |= {} if value is None else dict.fromkeys(range(at, at + ends), value)
        at += seconds
    end = DAY + 3 * DAY_SECONDS
    tiers_say = [place.history.range(place.wanted(PARTS, DAY - DAY_SECONDS, end, step))]
    place.tidy(DAY + now_hours * HOUR_SECONDS)
    tiers_say.append(place.history.range(place.wanted(PARTS, DAY - DAY_SECONDS, end, step)))
    place.tidy(DAY + now_hours * HOUR_SECONDS, Retention(1, 2, 90))
    tiers_say.append(place.history.range(place.wanted(PARTS, DAY - DAY_SECONDS, end, step)))
    expected = {
        time: max(values)
        for time in range(DAY - DAY_SECONDS, end, step)
        if (values := [known[second] for second in range(time, time + step) if second in known])
    }
    for answer in tiers_say:
        found = [point for one in answer.series for point in one.points if point[1] is not None]
        assert dict(found) == expected


def _emptied(database: Database) -> Place:
    with database.begin() as db:
        for table in (rollups, series, samples_raw, samples_hourly, samples_daily):
            db.execute(table.delete())
    return Place(database)


@given(gains=st.lists(st.integers(0, 5), min_size=10, max_size=100), now_hours=st.integers(0, 17))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_counted_twice_or_lost_at_a_seam(
    sqlite_database: Database, gains: list[int], now_hours: int
) -> None:
    place = _emptied(sqlite_database)
    total, at = 0, DAY
    for gained in gains:
        place.recording.visit(at, errors(A=float(total)))
        total, at = total + gained, at + 600
    last = at - 600
    counted = sum(gains[:-1])
    for seconds in (last - DAY + 1, last - DAY + 86_400):
        assert [r.value for r in place.history.increase(place.cluster, [ERRORS], seconds, last)] == [counted]
        place.tidy(DAY + now_hours * HOUR_SECONDS)
        assert [r.value for r in place.history.increase(place.cluster, [ERRORS], seconds, last)] == [counted]
    rates = place.history.range(place.wanted(PER_MINUTE, DAY, DAY + 20 * DAY_SECONDS, 3 * 3600)).series
    points = [value for one in rates for _, value in one.points if value is not None]
    assert sum(points) * 180 == pytest.approx(counted)
