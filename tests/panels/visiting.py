"""Visits one real server with chosen panels, as the exporter does."""

from __future__ import annotations

import time
from collections.abc import Callable

from clustersight.clickhouse.connection import Address
from clustersight.clickhouse.session import Session
from clustersight.clickhouse.topology import alone
from clustersight.collect import collect
from clustersight.collection import Clock, Collection, PanelRun, Plan, Watch
from clustersight.panels.panel import Panel

CLOCK = Clock(time.time, time.monotonic)


def watching(address: Address) -> Watch:
    """A watch that keeps its memory between visits, as the exporter's does."""
    return Watch(alone("test", address).nodes[0], Session(address), Session(address))


def visit(address: Address, *panels: Panel, **plan: object) -> Collection:
    """One visit, all of it. Fields of Plan can be given by name."""
    watch = watching(address)
    try:
        return collect(watch, Plan(panels, **plan), CLOCK)  # type: ignore[arg-type]
    finally:
        watch.close()


def run(address: Address, panel: Panel, **plan: object) -> PanelRun:
    """One panel on one server."""
    return visit(address, panel, **plan).runs[0]


def values(panel_run: PanelRun) -> dict[tuple[str, ...], float]:
    """{(metric name, label values…): value}, for short assertions."""
    return {(s.metric.name, *s.labels): s.value for s in panel_run.samples}


def run_until(
    address: Address, panel: Panel, holds: Callable[[PanelRun], bool], timeout_seconds: float = 30
) -> PanelRun:
    """Visit until a condition holds; the last run when time is up, for the assertion to fail on."""
    ends = time.monotonic() + timeout_seconds
    while True:
        last = run(address, panel)
        if holds(last) or time.monotonic() > ends:
            return last
        time.sleep(0.2)
