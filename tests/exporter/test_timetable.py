from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.timetable import next_due, phase, tier2_due

moments = st.floats(0, 1e7)
intervals = st.floats(5, 3600)
phases = st.floats(0, 1, exclude_max=True)


@given(moments, intervals, phases)
def test_the_next_slot_is_within_one_interval(now: float, interval: float, target_phase: float) -> None:
    due = next_due(now, interval, target_phase)

    assert now < due + 1e-6
    assert due - now <= interval * (1 + 1e-9) + 1e-6


@given(moments, phases)
def test_slots_keep_their_rhythm_however_long_a_visit_took(now: float, target_phase: float) -> None:
    due = next_due(now, 30.0, target_phase)

    assert abs(next_due(due + 7.0, 30.0, target_phase) - due - 30.0) < 1e-6


def test_nodes_of_one_cluster_are_spread_over_the_interval() -> None:
    slots = {int(phase(f"production/ch{n}.internal:9000") * 10) for n in range(100)}

    assert slots == set(range(10))


def test_the_phase_survives_a_restart() -> None:
    assert phase("production/ch1:9000") == phase("production/ch1:9000") != phase("production/ch2:9000")


def test_the_slow_panels_belong_to_the_first_visit_and_to_every_tenth() -> None:
    due = [n for n in range(1, 25) if tier2_due(30.0 * n, 0.0, 30.0, 10)]

    assert tier2_due(0.0, None, 30.0, 10)
    assert due[0] == 10
