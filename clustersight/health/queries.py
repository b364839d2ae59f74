"""Queries and inserts that fail, are slow or are turned away."""

from __future__ import annotations

from collections.abc import Iterator

from clustersight.health import families as f
from clustersight.health.deduction import Deduction, largest, number
from clustersight.health.node import Found, NodeState
from clustersight.health.part import Part
from clustersight.health.picture import Input, Picture
from clustersight.health.windows import (
    DELAYED,
    FAULTS,
    P95,
    QUARTER_SECONDS,
    QUERIES,
    REFUSED,
    REJECTED,
    Change,
    Window,
)

# A share of fewer queries, or how long they took, says nothing.
NEEDED_QUERIES = 50
QUARTER_MINUTES = QUARTER_SECONDS / 60
PANEL = "queries"
INPUTS = (
    Input("failures", PANEL, (f.RUNNING,), (FAULTS,), told_by_refusal=True),
    Input("p95", PANEL, (f.RUNNING,), (P95, QUERIES), told_by_refusal=True),
    Input("running queries", PANEL, (f.RUNNING,), told_by_refusal=True),
    Input("refused queries", "errors", (f.REFUSED,), (REFUSED,), told_by_refusal=True),
    Input("delayed and rejected inserts", "parts", (f.TABLES,), (DELAYED, REJECTED), told_by_refusal=True),
)


def deductions(picture: Picture) -> Iterator[Deduction | None]:
    yield largest(*_failures(picture))
    yield largest(*_slow(picture))
    yield largest(
        *_risen(picture, REFUSED, "queries_refused_15m", "queries were refused", "queries.refused_per_min"),
        *(_refuses_us(picture, node) for node in picture.reachable),
        picture.worst(
            "queries_running_pct", f.RUNNING_RATIO, lambda pct: f"{number(pct)} % of the allowed queries run"
        ),
    )
    yield largest(
        *_risen(
            picture, REJECTED, "inserts_rejected_15m", "inserts were refused", "inserts.rejected_per_min"
        ),
        *_risen(
            picture, DELAYED, "inserts_delayed_15m", "inserts were slowed down", "inserts.delayed_per_min"
        ),
    )


def _counts(picture: Picture) -> dict[str, float]:
    """Queries of the last 15 minutes by host."""
    return {host: sum(c.value for c in found) for host, found in picture.by_host(QUERIES).items()}


def _failures(picture: Picture) -> Iterator[Deduction]:
    """The panel gives a share only of 50 queries or more: where their count is unknown, it is known so."""
    counts = _counts(picture)
    for change in picture.changes(FAULTS):
        points = picture.lines["server_fault_pct"].at(change.value)
        if points > 0 and counts.get(change.host, NEEDED_QUERIES) >= NEEDED_QUERIES:
            reason = f"{number(change.value)} % of the queries failed by the server's fault within 15 minutes"
            yield Deduction(points, reason, "queries.server_fault_pct", {"host": change.host}, change.value)


def _slow(picture: Picture) -> Iterator[Deduction]:
    counts = _counts(picture)
    usual = {change.host: change.value for change in picture.changes(P95)}
    for one in picture.found(f.DURATION):
        host = one.labels["host"]
        if one.labels["quantile"] != "0.95" or counts.get(host, 0) < NEEDED_QUERIES:
            continue
        median = usual.get(host)
        points = picture.lines["p95_ratio"].at(one.value / median) if median else 0.0
        if points > 0:
            yield _of_p95(points, one, usual[host])


def _of_p95(points: float, one: Found, median: float) -> Deduction:
    times = number(one.value / median)
    reason = f"the p95 of {number(one.value)} ms is {times} times its 24 h median of {number(median)} ms"
    return Deduction(points, reason, one.key, one.labels, one.value)


def _risen(picture: Picture, window: Window, line: str, what: str, key: str) -> Iterator[Deduction]:
    """Of counters without labels; `value` is per minute, as the key is."""
    for change in picture.changes(window):
        points = picture.lines[line].at(change.value)
        if points > 0:
            yield _of_counter(points, change, what, key)


def _of_counter(points: float, change: Change, what: str, key: str) -> Deduction:
    reason = f"{number(change.value)} {what} within 15 minutes"
    return Deduction(points, reason, key, {"host": change.host}, change.value / QUARTER_MINUTES)


def _refuses_us(picture: Picture, node: NodeState) -> Deduction | None:
    """Who refuses the monitor's queries refuses others' too, and its counters cannot be read."""
    if not node.refuses:
        return None
    points = picture.lines["queries_refused_15m"].at(1)
    labels = {"host": node.host, "panel": node.refuses}
    return Deduction(points, f"{node.host} refuses queries, ours too", "collector.ok", labels, 0.0)


PART = Part("queries", "Queries", INPUTS, deductions)
