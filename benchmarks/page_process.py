"""A process that serves a large page: the exporter's own, or the same series by prometheus_client.

`python -m benchmarks.page_process ours|peer SERIES`. It says what it did as one line of JSON; then a line
"work" on its input makes the exporter busy, "rest" idle again, and the end of the input ends it.
"""

from __future__ import annotations

import gzip
import itertools
import json
import sys
import threading
import time
from collections.abc import Callable
from wsgiref.types import WSGIApplication

from prometheus_client import CollectorRegistry, Gauge, generate_latest, make_wsgi_app

from benchmarks.made_up_fleet import CLUSTER, Said, say_all
from clustersight.configuration import Configuration
from clustersight.process.serving import Server
from clustersight.settings.model import Settings
from exporter.page import Format, PieceKey
from exporter.process import Exporter, system_clock

BUILDS = 5
# 40 nodes with two large panels and their own samples in 30 s.
PUT_EVERY_SECONDS = 0.25


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


class OurPage:
    """The real exporter without clusters; what nodes say is put on its page by hand."""

    def __init__(self, series: int) -> None:
        self.exporter = Exporter(lambda: Configuration(Settings()), system_clock())
        # Kept, as the exporter keeps the last run of each panel.
        self.said = list(say_all(series))
        self.busy = threading.Event()
        self.stopped = threading.Event()

    def put(self, said: Said) -> None:
        self.exporter.page.put(PieceKey(CLUSTER, said.host, said.panel), said.samples)

    def report(self) -> dict[str, object]:
        puts = [timed(lambda said=said: self.put(said)) for said in self.said]  # type: ignore[misc]
        large = [took for took, said in zip(puts, self.said, strict=True) if said.panel]
        for page_format in Format:  # only what somebody asks for is put together
            self.exporter.page.latest(page_format)
        builds = []
        for said in self.said[:BUILDS]:
            self.put(said)
            builds.append(timed(self.exporter.page.build))
        return {"put_ms": large, "build_ms": builds, "series": self.exporter.page.series}

    def turn(self) -> None:
        """Tick as the exporter does; while it is busy, nodes say something new all the time."""
        turns = itertools.cycle(self.said)
        while not self.stopped.wait(PUT_EVERY_SECONDS):
            if self.busy.is_set():
                self.put(next(turns))
            self.exporter.ticker.step()


class PeerPage:
    """The same series as prometheus_client's gauges, the way its documentation shows."""

    def __init__(self, series: int) -> None:
        self.registry = CollectorRegistry()
        gauges: dict[str, Gauge] = {}
        for said in say_all(series):
            for metric, labels, value in said.samples:
                names = ("cluster", "host", *metric.labels)
                gauge = gauges.get(metric.name)
                if gauge is None:
                    gauge = gauges[metric.name] = Gauge(
                        metric.name, metric.help, names, registry=self.registry
                    )
                gauge.labels(CLUSTER, said.host, *labels).set(value)

    def report(self) -> dict[str, object]:
        builds = [timed(lambda: gzip.compress(generate_latest(self.registry))) for _ in range(2)]
        return {"build_ms": builds}


def serve(app: WSGIApplication) -> str:
    server = Server("127.0.0.1", 0, app, lambda: None)
    server.start()
    return f"http://127.0.0.1:{server.server_port}/metrics"


def tell(report: dict[str, object]) -> None:
    print(json.dumps(report), flush=True)


def run_ours(series: int) -> None:
    ours = OurPage(series)
    report = ours.report()
    turning = threading.Thread(target=ours.turn)
    turning.start()
    tell(report | {"url": serve(ours.exporter.app())})
    for line in sys.stdin:
        ours.busy.set() if line.strip() == "work" else ours.busy.clear()
    ours.stopped.set()
    turning.join()


def run_peer(series: int) -> None:
    peer = PeerPage(series)
    tell(peer.report() | {"url": serve(make_wsgi_app(peer.registry))})
    sys.stdin.read()


if __name__ == "__main__":
    {"ours": run_ours, "peer": run_peer}[sys.argv[1]](int(sys.argv[2]))
