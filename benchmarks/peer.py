"""The same loaded server, asked in turns by our exporter's tier 1 and by Debian's sql_exporter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import query_log
from benchmarks.figures import Figure
from benchmarks.machine import cpu_seconds
from benchmarks.place import Place
from benchmarks.postgres_bridge import Bridge, Traffic
from benchmarks.progress import say
from benchmarks.sql_exporter import QUERIES, SqlExporter
from benchmarks.visiting import Visit, tier1_panels, visit, watching
from clustersight.collection import Watch
from tests.servers.embedded import EmbeddedServer
from tests.servers.process import wait_until

NAME = "peer"
ROUNDS = 8
COMMENT = "sql_exporter"
RUN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class PeerRun:
    """One run of sql_exporter's job."""

    traffic: Traffic
    window: query_log.Window
    process_cpu_ms: float
    series: int


def measure(place: Place) -> Iterator[Figure]:
    """Turn by turn, so that whatever else the machine does meets both."""
    server = place.loaded_server()
    say(f"peer: {ROUNDS} rounds of our tier 1 and of Debian's sql_exporter")
    ours: list[Visit] = []
    theirs: list[PeerRun] = []
    with watching(server) as watch, Bridge(server.port, COMMENT).serving() as bridge:
        visit(server, watch, tier1_panels(), tier2=False)  # what is asked once, is asked
        for number in range(ROUNDS):
            ours.append(_our_turn(server, watch))
            theirs.append(
                _their_turn(server, bridge, SqlExporter(place.folder / f"peer{number}", bridge.port))
            )
    query_log.flush(server)
    costs = [query_log.cost(server, one.window) for one in ours]
    peer_costs = [query_log.cost(server, one.window, COMMENT) for one in theirs]

    def figure(name: str, unit: str, values: list[float], peers: list[float]) -> Figure:
        return Figure(NAME, name, unit, tuple(values), None, tuple(peers))

    our_series = [float(sum(len(run.samples) for run in one.collection.runs)) for one in ours]
    yield figure("series of one collection", "", our_series, [float(one.series) for one in theirs])
    yield figure("queries", "", [c.queries for c in costs], [c.queries for c in peer_costs])
    yield figure(
        "duration of a collection",
        "ms",
        [v.milliseconds for v in ours],
        [r.traffic.milliseconds for r in theirs],
    )
    yield figure(
        "ClickHouse's CPU, by query_log", "ms", [c.cpu_ms for c in costs], [c.cpu_ms for c in peer_costs]
    )
    yield figure(
        "CPU of ClickHouse's whole process",
        "ms",
        [v.process_cpu_ms for v in ours],
        [r.process_cpu_ms for r in theirs],
    )


def _our_turn(server: EmbeddedServer, watch: Watch) -> Visit:
    return visit(server, watch, tier1_panels(), tier2=False)


def _their_turn(server: EmbeddedServer, bridge: Bridge, exporter: SqlExporter) -> PeerRun:
    """A run at the start of a process; its own start is not in the figures. Raises on a failed query."""
    bridge.traffic = traffic = Traffic()
    cpu = cpu_seconds(server.pid)
    try:
        with query_log.window() as taken:
            exporter.start()
            wait_until(lambda: traffic.answered >= len(QUERIES), RUN_SECONDS, "sql_exporter has asked all")
        process_cpu_ms = 1000 * (cpu_seconds(server.pid) - cpu)
        if traffic.failures:
            raise RuntimeError(f"sql_exporter's queries fail: {traffic.failures[0]}")
        wait_until(exporter.series, RUN_SECONDS, "sql_exporter serves what it found")
        return PeerRun(traffic, taken, process_cpu_ms, exporter.series())
    finally:
        exporter.stop()
