"""Visits to one server, as the exporter makes them, with what each cost the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.machine import cpu_seconds
from benchmarks.query_log import Window, window
from clustersight.clickhouse.connection import Address, Wire
from clustersight.clickhouse.session import Session
from clustersight.clickhouse.topology import alone
from clustersight.collect import collect
from clustersight.collection import Collection, Plan, Watch
from clustersight.panels import ALL
from clustersight.panels.panel import Panel, Tier
from exporter.process import system_clock
from tests.servers.embedded import EmbeddedServer

# A loaded server on a busy machine must not run into the deadline: its duration is what is asked for.
DEADLINE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Visit:
    """One collection; `process_cpu_ms` is all that the server's process did meanwhile."""

    collection: Collection
    window: Window
    process_cpu_ms: float

    @property
    def queries(self) -> int:
        """As the exporter counts them: the greeting, and those of its panels."""
        return 1 + sum(run.queries for run in self.collection.runs)

    @property
    def milliseconds(self) -> float:
        return 1000 * self.collection.duration_seconds


def tier1_panels() -> list[Panel]:
    return [panel for panel in ALL if panel.tier is Tier.ONE]


@contextmanager
def watching(server: EmbeddedServer) -> Iterator[Watch]:
    """A watch that keeps its connections and memory between visits, as the exporter's does."""
    address = Address("127.0.0.1", server.port, Wire.HTTP)
    watch = Watch(alone("bench", address).nodes[0], Session(address), Session(address))
    try:
        yield watch
    finally:
        watch.close()


def visit(server: EmbeddedServer, watch: Watch, panels: Sequence[Panel], *, tier2: bool) -> Visit:
    """One visit. Raises RuntimeError when the server did not answer."""
    plan = Plan(panels, tier2_due=tier2, deadline_seconds=DEADLINE_SECONDS)
    cpu = cpu_seconds(server.pid)
    with window() as taken:
        collection = collect(watch, plan, system_clock())
    if not collection.up:
        raise RuntimeError(f"the server did not answer: {collection.error}")
    return Visit(collection, taken, 1000 * (cpu_seconds(server.pid) - cpu))
