"""A page of 100 000 series, scraped over loopback from a process of its own; peer: prometheus_client."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Figure
from benchmarks.machine import peak_rss_mib, rss_mib
from benchmarks.place import Place
from benchmarks.progress import say
from benchmarks.scraping import PROMETHEUS, TEXT, scrape, scrapes

NAME = "page"
# Bounds: issue 2, "Speed and memory".
SERIES = 100_000
GZIP_MS = 10.0
PLAIN_MS = 25.0
RSS_MIB = 300.0

SCRAPES = 60
# A scrape of the peer takes seconds.
PEER_SCRAPES = 3
# Every second the page is put together anew; scrapes spread over several of them meet it.
BUSY_SCRAPES = 40
BUSY_PAUSE_SECONDS = 0.2
# Each must find another page than the one before, as scrapes every 15 s do.
PROMETHEUS_SCRAPES = 5
PROMETHEUS_PAUSE_SECONDS = 1.5
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class PageProcess:
    """A running `benchmarks.page_process` and what it said of itself."""

    process: subprocess.Popen[str]
    report: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.report["url"])

    def order(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()


@contextmanager
def page_process(kind: str) -> Iterator[PageProcess]:
    """Start one, wait until it serves, end it."""
    command = [sys.executable, "-m", "benchmarks.page_process", kind, str(SERIES)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"{' '.join(command)} ended with {process.wait()}")
            yield PageProcess(process, json.loads(line))
            process.stdin.close()
            process.wait(STOP_SECONDS)
        finally:
            process.kill()


def measure(_: Place) -> Iterator[Figure]:
    """Ours at rest, ours while nodes are collected, then the peer's."""
    say(f"page: {SERIES} series of the exporter's page")
    with page_process("ours") as ours:
        gzipped, plain = (scrapes(ours.url, kind, SCRAPES) for kind in ("gzip", "identity"))
        sizes = [len(scrape(ours.url, kind)[1]) / 1e6 for kind in ("gzip", "identity")]
        busy = _while_busy(ours, TEXT, BUSY_SCRAPES, BUSY_PAUSE_SECONDS)
        prometheus = _while_busy(ours, PROMETHEUS, PROMETHEUS_SCRAPES, PROMETHEUS_PAUSE_SECONDS)
        rss, peak = rss_mib(ours.process.pid), peak_rss_mib(ours.process.pid)
        report = ours.report
    say(f"page: the same {SERIES} series by prometheus_client")
    with page_process("peer") as peer:
        peer_gzipped, peer_plain = (scrapes(peer.url, kind, PEER_SCRAPES) for kind in ("gzip", "identity"))
        peer_rss, peer_peak = rss_mib(peer.process.pid), peak_rss_mib(peer.process.pid)
        peer_report = peer.report

    def figure(name: str, unit: str, values: Any, bound: float | None = None, peers: Any = ()) -> Figure:
        return Figure(NAME, name, unit, tuple(values), bound, tuple(peers))

    yield figure("series on the page", "", [report["series"]])
    yield figure("scrape, gzip", "ms", gzipped, GZIP_MS, peer_gzipped)
    yield figure("scrape, plain", "ms", plain, PLAIN_MS, peer_plain)
    yield figure("scrape, gzip, while the page is rebuilt each second", "ms", busy)
    yield figure("the same, asked as Prometheus 2.42 asks", "ms", prometheus, GZIP_MS)
    yield figure("size, gzip", "MB", sizes[:1])
    yield figure("size, plain", "MB", sizes[1:])
    yield figure(
        "putting the page together, both forms", "ms", report["build_ms"], None, peer_report["build_ms"]
    )
    yield figure("rendering one panel of 270 tables", "ms", report["put_ms"])
    yield figure("memory, after a while of rebuilding", "MiB", [rss], RSS_MIB, [peer_rss])
    yield figure("memory, highest", "MiB", [peak], RSS_MIB, [peer_peak])


def _while_busy(ours: PageProcess, accept: str, times: int, pause_seconds: float) -> list[float]:
    ours.order("work")
    taken = []
    for _ in range(times):
        time.sleep(pause_seconds)
        taken.append(scrape(ours.url, "gzip", accept)[0])
    ours.order("rest")
    return taken
