from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clustersight.caps import STICKY_SECONDS, choose, group, mark_sticky
from clustersight.metrics import Metric, Sample

LAG = Metric("lag", "Lag.", ("database", "table"), alarming=300.0)
SIZE = Metric("size", "Bytes.", ("database", "table"))
TOTAL = Metric("tables", "Tables.")
KIND = Metric("queries", "Queries.", ("kind",))


def lags(**seconds: float) -> list[Sample]:
    return [Sample(LAG, ("db", table), value) for table, value in seconds.items()]


def tables(samples: list[Sample], room: int, exported: dict | None = None, now: float = 0.0) -> list[str]:
    _, groups = group(samples)
    mark_sticky(groups, exported or {}, now)
    return [g.key[1][1] for g in choose(groups, room)]


def key(table: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (("database", "table"), ("db", table))


def test_the_worst_stay() -> None:
    assert tables(lags(calm=0, bad=400, late=100), 2) == ["bad", "late"]


def test_size_is_no_severity() -> None:
    big = Sample(SIZE, ("db", "big"), 1e15)

    assert tables([big, *lags(late=10)], 1) == ["late"]


def test_totals_and_bounded_labels_always_stay() -> None:
    always, groups = group([Sample(TOTAL, (), 7.0), Sample(KIND, ("select",), 1.0), *lags(a=1)])

    assert [s.metric.name for s in always] == ["tables", "queries"]
    assert len(groups) == 1


def test_all_samples_of_a_table_stay_or_go_together() -> None:
    samples = [*lags(a=1, b=400), Sample(SIZE, ("db", "a"), 5.0), Sample(SIZE, ("db", "b"), 5.0)]
    _, groups = group(samples)

    (kept,) = choose(groups, 1)

    assert {s.metric.name for s in kept.samples} == {"lag", "size"}


def test_what_was_exported_within_the_hour_stays_before_what_is_merely_late() -> None:
    samples = lags(seen=0, late=100)

    assert tables(samples, 1, {key("seen"): 0.0}, now=STICKY_SECONDS - 1) == ["seen"]
    assert tables(samples, 1, {key("seen"): 0.0}, now=STICKY_SECONDS + 1) == ["late"]


def test_an_alarming_row_is_never_cut_for_one_at_rest() -> None:
    assert tables(lags(seen=0, alarming=301), 1, {key("seen"): 0.0}) == ["alarming"]


@given(st.lists(st.floats(0, 1e6), max_size=60), st.integers(0, 60))
def test_nothing_that_is_cut_is_worse_than_what_stays(values: list[float], room: int) -> None:
    samples = [Sample(LAG, ("db", str(n)), value) for n, value in enumerate(values)]
    _, groups = group(samples)

    kept = choose(groups, room)
    cut = [g for g in groups if g not in kept]

    assert len(kept) == min(room, len(groups))
    assert not kept or not cut or max(g.severity for g in cut) <= min(g.severity for g in kept)
