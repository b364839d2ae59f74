"""Writing history: what is written, what is left out, and what a restart or a full disk does to it."""

from __future__ import annotations

import math
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clustersight.store.database import Database
from clustersight.store.errors import Full
from clustersight.store.samples import HOLD_SECONDS, HistoryWriter, PanelHistory
from clustersight.store.schema import samples_raw, series
from clustersight.store.series import Key
from tests.history.recording import DAY, METRIC, PANEL, Recording, key

A, B = key(table="a"), key(table="b")


@pytest.fixture
def recording(database: Database) -> Recording:
    return Recording(database)


def test_a_value_that_stays_is_written_once(recording: Recording) -> None:
    assert recording.say(DAY, 5.0) == 1
    assert recording.say(DAY + 30, 5.0) == 0
    assert recording.say(DAY + 60, 6.0) == 1
    assert recording.rows() == [(DAY, 5.0), (DAY + 60, 6.0)]


@pytest.mark.parametrize("spacing", [5, 30, 31, 300, 500, 900, 1200])
def test_a_constant_value_is_repeated_before_readers_let_go(recording: Recording, spacing: int) -> None:
    for at in range(DAY, DAY + 7200, spacing):
        recording.say(at, 5.0)
    times = [at for at, _ in recording.rows()]
    gaps = [b - a for a, b in pairwise(times)]
    # Where a panel runs more seldom than that, each run is a row.
    assert max(gaps) <= max(HOLD_SECONDS, spacing)
    assert min(gaps) >= min(HOLD_SECONDS - 2 * spacing, 900) or spacing >= HOLD_SECONDS / 3


def test_a_failed_run_ends_what_was_known_once(recording: Recording) -> None:
    recording.say(DAY, {A: 1.0, B: 2.0})
    assert recording.say(DAY + 30, None) == 2
    assert recording.say(DAY + 60, None) == 0
    assert recording.say(DAY + 90, {A: 1.0}) == 1
    assert recording.rows(A) == [(DAY, 1.0), (DAY + 30, None), (DAY + 90, 1.0)]
    assert recording.rows(B) == [(DAY, 2.0), (DAY + 30, None)]


def test_a_failed_run_says_nothing_whatever_it_brings(recording: Recording) -> None:
    recording.say(DAY, {A: 1.0})
    recording.visit(DAY + 30, PanelHistory(PANEL, ok=False, values={A: 2.0}))
    assert recording.rows() == [(DAY, 1.0), (DAY + 30, None)]


def test_after_a_pause_nothing_is_taken_for_granted(recording: Recording) -> None:
    """Retention, or another process, may have been at work: here the series itself is gone."""
    recording.say(DAY, {A: 1.0})
    with recording.database.begin() as db:
        db.execute(series.delete())
        db.execute(samples_raw.delete())
    recording.say(DAY + 7200, {A: 1.0})
    assert recording.rows(A) == [(DAY + 7200, 1.0)]


def test_a_series_that_is_gone_ends_and_the_others_go_on(recording: Recording) -> None:
    recording.say(DAY, {A: 1.0, B: 2.0})
    assert recording.say(DAY + 30, {A: 1.0}) == 1
    assert recording.rows(B) == [(DAY, 2.0), (DAY + 30, None)]


def test_a_panel_that_did_not_run_keeps_what_it_said(recording: Recording) -> None:
    recording.say(DAY, {A: 1.0})
    assert recording.visit(DAY + 30, PanelHistory("merges", ok=True, values={B: 1.0})) == 1
    assert recording.rows(A) == [(DAY, 1.0)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_unknown(recording: Recording, value: float) -> None:
    recording.say(DAY, {A: 1.0, B: value})
    recording.say(DAY + 30, {A: value, B: value})
    assert recording.rows() == [(DAY, 1.0), (DAY + 30, None)]


def test_hosts_and_the_cluster_itself_are_apart(recording: Recording) -> None:
    for host in ("one", "two", ""):
        recording.say(DAY, 1.0, host=host)
    recording.say(DAY + 30, None, host="two")
    assert recording.rows() == [(DAY, 1.0)] * 3 + [(DAY + 30, None)]


def test_the_second_of_two_in_one_second_counts(recording: Recording) -> None:
    recording.say(DAY, {A: 1.0, B: 1.0})
    recording.say(DAY, {A: 2.0})
    assert recording.rows(A) == [(DAY, 2.0)]
    assert recording.rows(B) == [(DAY, None)]


def test_a_clock_that_steps_back_goes_on(recording: Recording) -> None:
    recording.say(DAY + 600, 1.0)
    recording.say(DAY + 10, 1.0)
    recording.say(DAY + 600, 2.0)
    assert recording.rows() == [(DAY + 10, 1.0), (DAY + 600, 2.0)]
    recording.say(DAY - 86_400, 1.0)
    assert recording.rows() == [(DAY - 86_400, 1.0)]


def test_a_restart_neither_repeats_nor_forgets(recording: Recording) -> None:
    recording.say(DAY, {A: 1.0, B: 2.0})
    recording.writer = HistoryWriter()
    assert recording.say(DAY + 30, {A: 1.0}) == 1
    assert recording.rows() == [(DAY, 1.0), (DAY, 2.0), (DAY + 30, None)]


def test_after_a_long_restart_every_series_says_where_it_is(recording: Recording) -> None:
    recording.say(DAY, {A: 1.0, B: 2.0})
    recording.writer = HistoryWriter()
    assert recording.say(DAY + 7200, {A: 1.0}) == 1
    assert recording.rows(A) == [(DAY, 1.0), (DAY + 7200, 1.0)]
    assert recording.rows(B) == [(DAY, 2.0)]


def test_what_was_not_committed_is_written_again(recording: Recording) -> None:
    recording.say(DAY, {A: 1.0})
    with suppress(Full), recording.database.begin() as db:
        recording.writer.write(
            db, recording.cluster_id, "one", DAY + 30, [PanelHistory(PANEL, True, {A: 2.0, B: 3.0})]
        )
        raise Full("no space left")
    assert recording.rows() == [(DAY, 1.0)]
    assert recording.say(DAY + 60, {A: 2.0, B: 3.0}) == 2
    assert recording.rows(B) == [(DAY + 60, 3.0)]


def test_another_writer_is_noticed_after_forgetting(recording: Recording) -> None:
    recording.say(DAY, {A: 1.0})
    own, recording.writer = recording.writer, HistoryWriter()
    recording.say(DAY + 30, {A: 2.0})
    recording.writer = own
    recording.writer.forget()
    assert recording.say(DAY + 60, {A: 1.0}) == 1
    assert recording.rows(A) == [(DAY, 1.0), (DAY + 30, 2.0), (DAY + 60, 1.0)]


def test_a_family_that_moves_to_another_panel_stays_one_series(recording: Recording) -> None:
    recording.say(DAY, {A: 1.0})
    recording.visit(DAY + 30, PanelHistory("other", ok=True, values={A: 1.0}))
    recording.visit(DAY + 60, PanelHistory("other", ok=True, values={A: 1.0}), PanelHistory(PANEL, ok=True))
    assert [value for _, value in recording.rows(A)] == [1.0, 1.0]


def test_thousands_of_new_series_at_once(recording: Recording) -> None:
    many = {key(METRIC, table=f"t{number}"): float(number) for number in range(5000)}
    assert recording.say(DAY, many) == 5000
    assert recording.say(DAY + 30, many) == 0
    assert recording.rows(key(METRIC, table="t4711")) == [(DAY, 4711.0)]


_RUNS = st.lists(
    st.tuples(
        st.integers(1, 1500),
        st.one_of(st.none(), st.dictionaries(st.sampled_from([A, B]), st.sampled_from([0.0, 1.0]))),
        st.booleans(),
    ),
    max_size=30,
)


@given(runs=_RUNS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_readers_see_every_run(
    sqlite_database: Database, runs: list[tuple[int, dict[Key, float] | None, bool]]
) -> None:
    """Whatever is left out, at the time of each run the rows say what it said, restarts or not."""
    recording = Recording(sqlite_database)
    said, at = [], DAY
    for seconds, values, restart in runs:
        at += seconds
        if restart:
            recording.writer = HistoryWriter()
        recording.say(at, values)
        said.append((at, values or {}))
    for one in (A, B):
        rows = recording.rows(one)
        for time, known in said:
            held = [value for written, value in rows if time - HOLD_SECONDS < written <= time]
            assert (held[-1] if held else None) == known.get(one)
