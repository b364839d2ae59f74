"""Panels of the demo, asked of its API at a steady rate and as fast as two cores answer; its workers' memory.

The client is a process on the same cores, as are ClickHouse with its workload and the exporter.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import requests

from benchmarks.asking_process import Order
from benchmarks.figures import Figure
from benchmarks.machine import peak_rss_mib, rss_mib
from benchmarks.place import Place
from benchmarks.progress import say
from clustersight.demo.demo import Demo, Options, running
from clustersight.demo.progress import Progress
from clustersight.settings.listen import Listen

NAME = "api"
# Bounds: issue 3, "Speed and memory".
P99_MS = 15.0
THOUSAND_SECONDS = 1.0
RSS_MIB = 150.0

PER_SECOND = 200.0
CONNECTIONS = 16
SECONDS = 20.0
RUNS = 3
# The plain one, one with history, the largest, and the one of the seed.
PATHS = ("disk", "replication", "errors", "health-score")
FREE = Listen("127.0.0.1", 0)


def measure(place: Place) -> Iterator[Figure]:
    """The demo as users start it."""
    say("api: starting the demo")
    options = Options(listen=FREE, api_listen=FREE, path=place.folder / "demo")
    with running(options, Progress(), threading.Event()) as demo:
        for name in PATHS:
            yield from _steady(demo, f"/panels/{name}")
        yield from _saturated(demo, "/panels/disk")
        _touch_everything(demo)
        yield from _memory(demo)


def _steady(demo: Demo, path: str) -> Iterator[Figure]:
    say(f"api: {path} at {PER_SECOND:g} requests a second, {RUNS} times {SECONDS:g} s")
    _ask(demo, path, PER_SECOND, 2)
    runs = [_ask(demo, path, PER_SECOND, SECONDS) for _ in range(RUNS)]
    yield _figure(f"{path} at {PER_SECOND:g}/s, p50", "ms", [run["p50_ms"] for run in runs])
    yield _figure(f"{path} at {PER_SECOND:g}/s, p99", "ms", [run["p99_ms"] for run in runs], P99_MS)


def _saturated(demo: Demo, path: str) -> Iterator[Figure]:
    say(f"api: {path} as fast as it is answered")
    runs = [_ask(demo, path, 0, SECONDS) for _ in range(RUNS)]
    seconds = [1000 / run["per_second"] for run in runs]
    yield _figure(f"{path} at saturation, 1000 requests", "s", seconds, THOUSAND_SECONDS)
    yield _figure(f"{path} at saturation, requests", "/s", [run["per_second"] for run in runs])


def _ask(demo: Demo, path: str, rate: float, seconds: float) -> dict[str, Any]:
    host, _, port = demo.api_url.rpartition("/")[2].rpartition(":")
    order = Order(host, int(port), f"/api/v1{path}", rate, seconds, CONNECTIONS)
    command = [sys.executable, "-m", "benchmarks.asking_process", json.dumps(asdict(order))]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(answer.stdout)
    if found["failed"]:
        raise RuntimeError(f"{path}: {found['failed']} of {found['answered']} answers were not 200")
    return found


def _touch_everything(demo: Demo) -> None:
    """Each worker has answered every GET of the document, the document itself included."""
    base = f"{demo.api_url}/api/v1"
    document = requests.get(f"{base}/openapi.json", timeout=30).json()
    paths = [path for path, item in document["paths"].items() if "get" in item and "{" not in path]
    for _ in range(10):
        for path in [*paths, "/api/v1/openapi.json"]:
            requests.get(demo.api_url + path, timeout=30)


def _memory(demo: Demo) -> Iterator[Figure]:
    [parent] = [child.pid for child in demo.children if child.name == "the API"]
    workers = [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    yield _figure("memory of a worker after all that", "MiB", [rss_mib(pid) for pid in workers], RSS_MIB)
    yield _figure("memory of a worker, highest", "MiB", [peak_rss_mib(pid) for pid in workers], RSS_MIB)


def _figure(name: str, unit: str, values: list[float], bound: float | None = None) -> Figure:
    return Figure(NAME, name, unit, tuple(values), bound)
