"""What a computed rule key is worth now, of every series of a cluster."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clustersight.history import ClusterName
from clustersight.history.now import rate_values
from clustersight.metric_keys import metric_keys
from clustersight.metrics import Rate
from clustersight.store.database import Database
from clustersight.store.rollups import GRACE_SECONDS, Rollup
from clustersight.store.samples import PanelHistory
from clustersight.store.tiers import DAY_SECONDS, HOUR_SECONDS, Tier
from tests.history.recording import DAY, HOST, Recording, key

NOW = DAY + 30 * HOUR_SECONDS
P95 = key("clickhouse_query_duration_seconds", quantile="0.95")
SHARE = key("clickhouse_query_server_fault_ratio")
DETACHED = {"database": "shop", "table": "orders", "reason_class": "broken"}
ALL_DETACHED = key("clickhouse_detached_parts_all", reason_class="broken")


def rate(name: str) -> Rate:
    found = metric_keys()[name].source
    assert isinstance(found, Rate)
    return found


REJECTED = rate("inserts.rejected_per_min")
ERRORS = rate("errors.per_min")
RESTARTS = rate("server.restarts_1h")
FAILED = rate("queries.failed_pct")
NEW_PARTS = rate("broken_parts.new_24h")
SLOWER = rate("queries.p95_times_usual")
FULL = rate("disk.full_in_hours")


@pytest.fixture
def recording(database: Database) -> Recording:
    return Recording(database)


def values(recording: Recording, wanted: Rate, now: float = NOW) -> dict[tuple[str, ...], float]:
    """By host and the values of the labels."""
    found = rate_values(recording.database, ClusterName(recording.cluster_id, "main"), wanted, now)
    assert all(set(one.labels) == set(wanted.labels) for one in found)
    return {(one.host, *(one.labels[name] for name in wanted.labels)): one.value for one in found}


def value(recording: Recording, wanted: Rate, now: float = NOW) -> float | None:
    """Of the only series, if there is one."""
    found = list(values(recording, wanted, now).values())
    assert len(found) <= 1
    return found[0] if found else None


def count(recording: Recording, *visits: tuple[int, float | None], of: Rate = REJECTED) -> None:
    """Visits at seconds before NOW."""
    for before, counted in visits:
        told = None if counted is None else {key(of.sources[0]): counted}
        recording.say(NOW - before, told)


def test_events_a_minute_of_five_minutes(recording: Recording) -> None:
    count(recording, (330, 100.0), (290, 104.0), (150, 109.0), (0, 119.0))
    assert value(recording, REJECTED) == pytest.approx(19 / 5)
    assert value(recording, REJECTED, NOW + 0.9) == pytest.approx(19 / 5)
    # By then the second one was before the window.
    assert value(recording, REJECTED, NOW + 30) == pytest.approx(15 / 5)


def test_one_sample_is_no_value(recording: Recording) -> None:
    count(recording, (0, 100.0))
    assert value(recording, REJECTED) is None
    count(recording, (-30, 100.0))
    assert value(recording, REJECTED, NOW + 30) == 0.0


def test_a_fall_is_a_restart(recording: Recording) -> None:
    count(recording, (120, 100.0), (90, 105.0), (60, 3.0), (30, 4.0))
    assert value(recording, REJECTED) == pytest.approx(9 / 5)


def test_what_is_older_than_readers_hold_is_no_value(recording: Recording) -> None:
    count(recording, (960, 100.0), (890, 105.0), of=RESTARTS)
    assert value(recording, RESTARTS) == 0.0
    assert value(recording, RESTARTS, NOW + 20) is None


def test_a_node_that_starts_again_and_again_has_a_value_while_it_is_down(recording: Recording) -> None:
    count(recording, *((3000 - 60 * n, 30.0 * (n % 10)) for n in range(40)), (600, None), of=RESTARTS)
    assert value(recording, RESTARTS) == 3.0
    assert value(recording, RESTARTS, NOW + 301) is None


def test_every_series_has_its_own(recording: Recording) -> None:
    some = {key(ERRORS.sources[0], error=name): 5.0 for name in ("A", "B")}
    for host in ("one", "two"):
        recording.say(NOW - 60, some, host=host)
    recording.say(NOW, some | {key(ERRORS.sources[0], error="B"): 15.0}, host="two")
    recording.say(NOW, some)
    Recording(recording.database).say(NOW, some)
    expected = {("one", "A"): 0.0, ("one", "B"): 0.0, ("two", "A"): 0.0, ("two", "B"): 2.0}
    assert values(recording, ERRORS) == pytest.approx(expected)


def test_a_share_needs_enough_queries(recording: Recording) -> None:
    initial, failed = (key(name) for name in FAILED.sources)
    recording.say(NOW - 60, {initial: 100.0, failed: 0.0})
    recording.say(NOW, {initial: 149.0, failed: 10.0})
    assert value(recording, FAILED) is None
    recording.say(NOW + 1, {initial: 150.0, failed: 10.0})
    assert value(recording, FAILED, NOW + 1) == pytest.approx(20)


def detach(recording: Recording, at: int, counted: float | None, host: str = HOST) -> None:
    """A visit of the panel; None: the table has no detached parts."""
    found = {ALL_DETACHED: counted or 0.0}
    if counted is not None:
        found[key(NEW_PARTS.sources[0], **DETACHED)] = counted
    recording.say(at, found, host=host, panel="broken-parts")


def test_detached_parts_that_were_there_a_day_ago_are_not_new(recording: Recording) -> None:
    for at in range(NOW - DAY_SECONDS - 300, NOW + 1, 300):
        detach(recording, at, 3.0 if at < NOW - HOUR_SECONDS else 5.0)
        detach(recording, at, None if at < NOW - HOUR_SECONDS else 2.0, "two")
        detach(recording, at, 7.0, "three")
    found = {host: counted for (host, *_), counted in values(recording, NEW_PARTS).items()}
    assert found == {"one": 2.0, "two": 2.0, "three": 0.0}


def test_detached_parts_that_are_gone_have_no_value(recording: Recording) -> None:
    for at in range(NOW - DAY_SECONDS, NOW, 300):
        detach(recording, at, 3.0)
    detach(recording, NOW, None)
    assert value(recording, NEW_PARTS) is None


def query(recording: Recording, at: int, milliseconds: float, share: float | None = 0.0) -> None:
    found = {P95: milliseconds} | ({} if share is None else {SHARE: share})
    others = {key(P95.metric, quantile=quantile): 9_000_000.0 for quantile in ("0.5", "0.99")}
    recording.visit(at, PanelHistory("queries", ok=True, values=found | others))


def slow(recording: Recording, usual: float, now: float, share: float | None = 0.0) -> float | None:
    for at in range(NOW - 20 * HOUR_SECONDS, NOW, 300):
        query(recording, at, usual)
    query(recording, NOW, now, share)
    return value(recording, SLOWER)


def test_p95_against_its_own_median(recording: Recording) -> None:
    assert slow(recording, 400.0, 1600.0) == pytest.approx(4)


def test_p95_below_a_second_is_not_slow(recording: Recording) -> None:
    assert slow(recording, 10.0, 999.0) is None


def test_p95_of_few_queries_says_nothing(recording: Recording) -> None:
    assert slow(recording, 400.0, 1600.0, share=None) is None


def fill(recording: Recording, first: float, last: float, hours: int = 24) -> None:
    """A disk whose use goes from `first` to `last` percent in a straight line."""
    seconds = hours * HOUR_SECONDS
    for at in range(NOW - seconds, NOW + 1, 300):
        usage = last + (first - last) * (NOW - at) / seconds
        recording.say(at, {key(FULL.sources[0], disk="default"): usage}, panel="disk")


@pytest.mark.parametrize("rolled_up", [False, True])
def test_a_disk_is_full_in_so_many_hours(recording: Recording, rolled_up: bool) -> None:
    fill(recording, 56.0, 80.0)
    rollup = Rollup(recording.database, Tier.HOURLY)
    while rolled_up and rollup.step(NOW + GRACE_SECONDS):
        pass
    assert values(recording, FULL) == {(HOST, "default"): pytest.approx(20, abs=0.3)}


@pytest.mark.parametrize(("first", "last"), [(80.0, 80.0), (90.0, 80.0), (30.0, 59.0)])
def test_a_disk_that_does_not_fill_has_no_end(recording: Recording, first: float, last: float) -> None:
    fill(recording, first, last)
    assert value(recording, FULL) is None


def test_a_disk_of_which_little_is_known_has_no_end(recording: Recording) -> None:
    for before, usage in ((840, 70.0), (420, 75.0), (0, 80.0)):
        recording.say(NOW - before, {key(FULL.sources[0], disk="default"): usage}, panel="disk")
    assert value(recording, FULL) is None


def test_an_unknown_cluster_has_no_values(recording: Recording) -> None:
    other = replace(ClusterName("", "other"), id="cl_000000000000")
    for wanted in (REJECTED, NEW_PARTS, SLOWER, FULL):
        assert rate_values(recording.database, other, wanted, NOW) == []


def test_an_age_is_not_in_the_history(recording: Recording) -> None:
    with pytest.raises(ValueError, match="not computed from history"):
        value(recording, rate("collector.age_intervals"))


def test_every_computed_key_can_be_asked_for(recording: Recording) -> None:
    """Whatever a panel declares next must have a reader."""
    for one in metric_keys().values():
        if isinstance(one.source, Rate) and one.key != "collector.age_intervals":
            assert values(recording, one.source) == {}
