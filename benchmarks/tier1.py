"""Visits to a server with 2000 tables and 10 000 parts: queries, time, and the server's own CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from benchmarks import query_log
from benchmarks.figures import Figure
from benchmarks.place import Place
from benchmarks.progress import say
from benchmarks.scraping import scrape
from benchmarks.visiting import Visit, tier1_panels, visit, watching
from clustersight.panels import ALL
from tests.servers.embedded import EmbeddedServer
from tests.servers.exporter import ExporterProcess

NAME = "tier1"
# Bounds: issue 2, "Speed and memory".
QUERIES = 12.0
SECONDS = 1.0

TIER1_VISITS = 15
TIER2_VISITS = 5
SCRAPES = 100


def measure(place: Place) -> Iterator[Figure]:
    """The first visit, which asks what the server can; then many of tier 1, some of tier 2, scrapes."""
    server = place.loaded_server()
    say(f"tier1: {TIER1_VISITS} visits of tier 1, {TIER2_VISITS} of both tiers")
    panels = tier1_panels()
    with watching(server) as watch:
        first = visit(server, watch, ALL, tier2=True)
        ones = [visit(server, watch, panels, tier2=False) for _ in range(TIER1_VISITS)]
        twos = [visit(server, watch, ALL, tier2=True) for _ in range(TIER2_VISITS)]
    query_log.flush(server)

    def figure(name: str, unit: str, values: Any, bound: float | None = None) -> Figure:
        return Figure(NAME, name, unit, tuple(values), bound)

    one_costs, two_costs = ([query_log.cost(server, v.window) for v in visits] for visits in (ones, twos))
    yield figure("making 2000 tables and 10 000 parts", "s", [place.loading_seconds])
    yield figure("queries of a tier 1 visit, counted by the exporter", "", [v.queries for v in ones], QUERIES)
    yield figure("queries of a tier 1 visit, in query_log", "", [c.queries for c in one_costs], QUERIES)
    yield figure("queries of a tier 2 visit, in query_log", "", [c.queries for c in two_costs])
    yield figure(
        "queries of the first visit, in query_log", "", [query_log.cost(server, first.window).queries]
    )
    yield figure("duration of a tier 1 visit", "s", [v.milliseconds / 1000 for v in ones], SECONDS)
    yield figure("duration of a tier 2 visit", "s", [v.milliseconds / 1000 for v in twos])
    yield figure("duration of the first visit", "s", [first.milliseconds / 1000])
    yield figure("ClickHouse's CPU for a tier 1 visit, by query_log", "ms", [c.cpu_ms for c in one_costs])
    yield figure("ClickHouse's CPU for a tier 2 visit, by query_log", "ms", [c.cpu_ms for c in two_costs])
    yield figure("CPU of its whole process in a tier 1 visit", "ms", [v.process_cpu_ms for v in ones])
    yield from _panels(ones, "tier 1")
    known = {panel.name for panel in panels}
    yield from _panels(twos, "tier 2", known)
    yield figure(
        f"queries while the page is scraped {SCRAPES} times", "", [_asked_by_scrapes(place, server)], 0
    )


def _panels(visits: Sequence[Visit], tier: str, leave_out: set[str] = set()) -> Iterator[Figure]:  # noqa: B006 - read only
    """Each panel's milliseconds, the slowest first. A status other than ok stands beside the name."""
    taken: dict[str, list[float]] = {}
    for one in visits:
        for run in one.collection.runs:
            status = "" if run.status == "ok" else f", {run.status}"
            name = f"panel {run.panel.name}, {tier}{status}"
            if run.panel.name not in leave_out:
                taken.setdefault(name, []).append(1000 * run.duration_seconds)
    for name, values in sorted(taken.items(), key=lambda entry: -median(entry[1])):
        yield Figure(NAME, name, "ms", tuple(values))


def _asked_by_scrapes(place: Place, server: EmbeddedServer) -> int:
    """Queries in the server's log while a real exporter, its visits over for an hour, is scraped."""
    say(f"tier1: {SCRAPES} scrapes of an exporter between its visits")
    config = {
        "clusters": [{"name": "bench", "host": "127.0.0.1", "port": server.port, "protocol": "http"}],
        "collection": {"interval_sec": 3600},
    }
    exporter = ExporterProcess(place.folder / "exporter-at-rest", config)
    try:
        exporter.start()
        exporter.wait_collected()
        with query_log.window() as scraped:
            for _ in range(SCRAPES):
                scrape(f"{exporter.url}/metrics", "gzip")
    finally:
        exporter.stop()
    query_log.flush(server)
    return query_log.cost(server, scraped).queries
