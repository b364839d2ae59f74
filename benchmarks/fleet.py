"""60 targets, 10 of them frozen: how old what the exporter says of the other 50 gets, and what it takes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

from benchmarks.figures import Figure
from benchmarks.forwarder import Forwarder, forwarding
from benchmarks.machine import cpu_seconds, peak_rss_mib, rss_mib
from benchmarks.place import Place
from benchmarks.progress import say
from benchmarks.scraping import scrape
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.exporter import ExporterProcess
from tests.servers.misbehaving import SilentPeer

NAME = "fleet"
INTERVAL_SECONDS = 10
INTERVALS = 3
# Bounds: issue 2, "Speed and memory".
AGE_SECONDS = INTERVAL_SECONDS + 5.0
RSS_MIB = 200.0

FRESH = 50
# Half never answered, half freeze while the exporter is connected to them.
NEVER_ANSWERED = 5
FREEZING = 5
LOOK_EVERY_SECONDS = 0.5
READY_SECONDS = 120.0
LAST_SUCCESS = re.compile(
    rb"^clustersight_panel_last_success_timestamp_seconds"
    rb'\{cluster="(fresh-[^"]+)",[^}]*panel="server"\} (\S+)$',
    re.MULTILINE,
)
DURATION = re.compile(
    rb'^clustersight_collection_duration_seconds\{cluster="fresh-\d+-(http|native)",[^}]*\} (\S+)$',
    re.MULTILINE,
)
UP = re.compile(rb'^clickhouse_up\{cluster="frozen-[^"]+",[^}]*\} 1$', re.MULTILINE)


@dataclass(slots=True)
class Seen:
    """What many looks at the page and the process found; ages in seconds."""

    ages: list[float] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)
    scrape_ms: list[float] = field(default_factory=list)
    visits: dict[str, list[float]] = field(default_factory=dict)
    cpu_share: float = 0.0
    frozen_still_up: int = 0


def measure(place: Place) -> Iterator[Figure]:
    """An exporter as a process, with two real servers behind 55 forwarders, and 5 silent peers."""
    say(f"fleet: {FRESH + FREEZING + NEVER_ANSWERED} targets, every {INTERVAL_SECONDS} s")
    with ExitStack() as stack:
        wires = _servers(place, stack)
        targets = [wires[number % len(wires)] for number in range(FRESH + FREEZING)]
        forwarders = stack.enter_context(forwarding([port for _, port in targets]))
        silent = [stack.enter_context(SilentPeer()).port for _ in range(NEVER_ANSWERED)]
        clusters = _clusters([wire for wire, _ in targets], forwarders, silent)
        exporter = ExporterProcess(place.folder / "fleet-exporter", _config(clusters))
        stack.callback(exporter.stop)
        exporter.start()
        began = time.monotonic()
        exporter.wait_collected(READY_SECONDS)
        ready_seconds = time.monotonic() - began
        say("fleet: ready; one interval for the crowd of first visits to spread")
        starting = _look(exporter, 1)
        say(f"fleet: {FREEZING} more targets freeze, then {INTERVALS} intervals")
        for one in forwarders[FRESH:]:
            one.freeze()
        seen = _look(exporter, INTERVALS)
        peak = peak_rss_mib(exporter.pid)

    def figure(name: str, unit: str, values: Any, bound: float | None = None) -> Figure:
        return Figure(NAME, name, unit, tuple(values), bound)

    yield figure("first visits of 60 targets", "s", [ready_seconds])
    yield figure("age of the 50 fresh targets in the interval after that", "s", starting.ages)
    yield figure("age of the 50 fresh targets, 10 being frozen", "s", seen.ages)
    yield figure("the same, 99th percentile", "s", [quantiles(seen.ages, n=100)[-1]])
    yield figure("the same, highest", "s", [max(seen.ages)], AGE_SECONDS)
    yield figure("frozen targets that are still up at the end", "", [seen.frozen_still_up])
    for wire, durations in sorted(seen.visits.items()):
        yield figure(f"visit to a fresh target by {wire}", "s", durations)
    yield figure("memory", "MiB", seen.rss_mib, RSS_MIB)
    yield figure("memory, highest", "MiB", [peak], RSS_MIB)
    yield figure("share of one core", "%", [100 * seen.cpu_share])
    yield figure("scrape, gzip", "ms", seen.scrape_ms)


def _servers(place: Place, stack: ExitStack) -> list[tuple[str, int]]:
    """(protocol, port) of a new and of an old server: half of the fleet each."""
    embedded = EmbeddedServer(place.folder / "fleet-embedded")
    old = ClickHouse18(place.folder / "fleet-clickhouse18")
    for server in (embedded, old):
        stack.callback(server.stop)
        server.launch()
    embedded.wait_ready()
    old.wait_ready()
    return [("http", embedded.port), ("native", old.port)]


def _clusters(
    wires: Sequence[str], forwarders: Sequence[Forwarder], silent: Sequence[int]
) -> list[dict[str, Any]]:
    ports = [one.port for one in forwarders] + list(silent)
    spoken = [*wires, *["http"] * len(silent)]
    return [
        {
            "name": f"{'fresh' if number < FRESH else 'frozen'}-{number}-{wire}",
            "host": "127.0.0.1",
            "port": port,
            "protocol": wire,
        }
        for number, (port, wire) in enumerate(zip(ports, spoken, strict=True))
    ]


def _config(clusters: list[dict[str, Any]]) -> dict[str, Any]:
    return {"clusters": clusters, "collection": {"interval_sec": INTERVAL_SECONDS}}


def _look(exporter: ExporterProcess, intervals: int) -> Seen:
    """Scrape again and again for some intervals."""
    seen = Seen()
    cpu, began = cpu_seconds(exporter.pid), time.monotonic()
    while time.monotonic() - began < intervals * INTERVAL_SECONDS:
        time.sleep(LOOK_EVERY_SECONDS)
        page = scrape(f"{exporter.url}/metrics", "identity")[1]
        successes = LAST_SUCCESS.findall(page)
        if len(successes) != FRESH:
            raise RuntimeError(f"{len(successes)} of {FRESH} fresh targets are on the page")
        seen.ages += [time.time() - float(at) for _, at in successes]
        for wire, seconds in DURATION.findall(page):
            seen.visits.setdefault(wire.decode(), []).append(float(seconds))
        seen.rss_mib.append(rss_mib(exporter.pid))
        seen.scrape_ms.append(scrape(f"{exporter.url}/metrics", "gzip")[0])
    seen.cpu_share = (cpu_seconds(exporter.pid) - cpu) / (time.monotonic() - began)
    seen.frozen_still_up = len(UP.findall(page))
    return seen
