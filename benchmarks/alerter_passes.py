"""10 000 rules that all fire, every 15 s: what a pass takes, and what a reload does to it, beside Prometheus.

Both run at the same time: Prometheus spreads its groups over the interval, the alerter takes them at once.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import made_up_rules
from benchmarks.figures import Row
from benchmarks.machine import cpu_seconds, peak_rss_mib, rss_mib
from benchmarks.passes import Pass, Passes, config, has_fired, late
from benchmarks.progress import say
from benchmarks.scraping import scrape
from benchmarks.served_page import served
from tests.alerter.feeding import Feeder
from tests.servers.alerter import AlerterProcess
from tests.servers.prometheus import Prometheus
from tests.servers.slack import SlackStub

# Issue 4, "Speed and memory". A pass has Prometheus' own time of this run as its bound.
RSS_MIB = 250.0
MISSED = 0.0
# "Without a pause": the loop turns once a second, and looks at the store before it evaluates.
LATE_SECONDS = 2.0
RULES = 10_000
INTERVAL_SECONDS = 15
PASSES = 4
# So long before a pass is due: it falls into the beginning or the end of the reload.
RELOADED_BEFORE_SECONDS = (1.0, 3.0)
START_SECONDS = 120.0
GROUP_SECONDS = re.compile(rb"^prometheus_rule_group_last_duration_seconds\{.*\} (\S+)$", re.MULTILINE)
GROUP_MISSED = re.compile(rb"^prometheus_rule_group_iterations_missed_total\{.*\} (\S+)$", re.MULTILINE)
OUR_MISSED = re.compile(rb"^clustersight_alerter_iterations_missed_total (\S+)$", re.MULTILINE)


@dataclass(slots=True)
class Seen:
    """Looks at both, once a pass."""

    seconds: list[float] = field(default_factory=list)
    rss: list[float] = field(default_factory=list)
    peer_rss: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Both:
    """What runs."""

    alerter: AlerterProcess
    prometheus: Prometheus
    feeder: Feeder
    rule_files: list[Path]
    chance: random.Random = field(default_factory=lambda: random.Random(4))

    def feed(self) -> None:
        """The exporter's next visit: every value has moved."""
        self.feeder.disks(made_up_rules.usage(RULES, self.chance))

    def look(self, seen: Seen) -> None:
        page = scrape(f"{self.prometheus.url}/metrics", "identity")[1]
        seen.seconds.append(sum(map(float, GROUP_SECONDS.findall(page))))
        seen.rss.append(rss_mib(self.alerter.pid))
        seen.peer_rss.append(rss_mib(self.prometheus.pid))

    def firing(self) -> float:
        """Rules that fire in Prometheus, which spreads its groups over an interval."""
        found = self.prometheus.query('count(ALERTS{alertstate="firing"})')
        return float(found[0]["value"][1]) if found else 0.0

    def missed(self) -> tuple[float, float]:
        ours = OUR_MISSED.findall(scrape(f"{self.alerter.url}/metrics", "identity")[1])
        theirs = GROUP_MISSED.findall(scrape(f"{self.prometheus.url}/metrics", "identity")[1])
        return float(ours[0]), sum(map(float, theirs))


def measure(folder: Path) -> Iterator[Row]:
    with ExitStack() as stack:
        both, started_seconds, first = _start(folder, stack)
        yield f"start until {RULES} rules fire", "s", [started_seconds], None, ()
        yield f"first pass of {RULES} rules, in which all begin to fire", "s", [first], None, ()
        passes = stack.enter_context(Passes(both.alerter))
        yield from _steady(both, passes)
        highest = peak_rss_mib(both.alerter.pid), peak_rss_mib(both.prometheus.pid)
        yield "memory, highest, with the start", "MiB", [highest[0]], RSS_MIB, [highest[1]]
        yield from _reloads(both, passes)
        ours, theirs = both.missed()
        yield "passes missed, reloads included", "", [ours], MISSED, [theirs]
        highest = peak_rss_mib(both.alerter.pid), peak_rss_mib(both.prometheus.pid)
        yield "memory, highest, with the reloads", "MiB", [highest[0]], RSS_MIB, [highest[1]]


def _start(folder: Path, stack: ExitStack) -> tuple[Both, float, float]:
    say(f"alerter: {RULES} rules every {INTERVAL_SECONDS} s, Prometheus with the same")
    rules, every = folder / "rules", f"{INTERVAL_SECONDS}s"
    files = made_up_rules.write_rules(rules, RULES, every)
    feeder = Feeder(folder / "state")
    stack.callback(feeder.close)
    stub = stack.enter_context(SlackStub())
    settings = config(folder / "state", rules, stub, INTERVAL_SECONDS)
    alerter = AlerterProcess(folder / "alerter", settings)
    stack.callback(alerter.stop)
    prometheus = _prometheus(folder, rules, stack)
    both = Both(alerter, prometheus, feeder, files)
    both.feed()
    prometheus.start()
    began = time.monotonic()
    alerter.start()
    alerter.wait_for(lambda: has_fired(alerter, RULES), "all rules fire", START_SECONDS)
    started_seconds = time.monotonic() - began
    first = alerter.get("/-/status").json()["last_evaluation_seconds"]
    return both, started_seconds, first


def _prometheus(folder: Path, rules: Path, stack: ExitStack) -> Prometheus:
    file = folder / "exported.yml"
    file.write_text(made_up_rules.regrouped(made_up_rules.exported(rules)))
    body = made_up_rules.page(made_up_rules.usage(RULES, random.Random(5)))
    target = stack.enter_context(served(body))
    every = f"{INTERVAL_SECONDS}s"
    settings: dict[str, Any] = {
        "global": {"scrape_interval": every, "evaluation_interval": every},
        "rule_files": [str(file)],
        "scrape_configs": [
            {"job_name": "disks", "honor_labels": True, "static_configs": [{"targets": [target]}]}
        ],
    }
    prometheus = Prometheus(folder / "prometheus", settings)
    stack.callback(prometheus.stop)
    return prometheus


def _steady(both: Both, passes: Passes) -> Iterator[Row]:
    say(f"alerter: {PASSES} passes")
    deadline = time.monotonic() + START_SECONDS
    while both.firing() < RULES:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{both.firing()} of {RULES} rules fire in Prometheus")
        passes.wait(1, 2 * INTERVAL_SECONDS, both.feed)
    seen = Seen()
    cpu = cpu_seconds(both.alerter.pid), cpu_seconds(both.prometheus.pid)

    def each() -> None:
        both.look(seen)
        both.feed()

    taken = passes.wait(PASSES, 2 * INTERVAL_SECONDS, each)
    ours = (cpu_seconds(both.alerter.pid) - cpu[0]) / PASSES
    theirs = (cpu_seconds(both.prometheus.pid) - cpu[1]) / PASSES
    their_median = median(seen.seconds)
    yield f"pass of {RULES} rules", "s", [one.seconds for one in taken], their_median, seen.seconds
    yield "CPU of an interval, deliveries included", "s", [ours], None, [theirs]
    yield "a pass that began late, at most", "s", [late(taken, INTERVAL_SECONDS)], None, ()
    yield f"memory with {RULES} rules firing", "MiB", seen.rss, RSS_MIB, seen.peer_rss


def _reloads(both: Both, passes: Passes) -> Iterator[Row]:
    say(f"alerter: {len(RELOADED_BEFORE_SECONDS)} reloads, each about when a pass is due")
    ours: list[float] = []
    first = len(passes.seen) - 1
    for before in RELOADED_BEFORE_SECONDS:
        due = passes.seen[-1].began + INTERVAL_SECONDS
        time.sleep(max(0.0, due - before - time.time()))
        _reload(both, ours)
        passes.wait(1, 2 * INTERVAL_SECONDS, both.feed)
    theirs: list[float] = []
    for _ in RELOADED_BEFORE_SECONDS:
        began = time.monotonic()
        both.prometheus.reload()
        theirs.append(time.monotonic() - began)
    around: list[Pass] = passes.seen[first:]
    yield f"reload of {RULES} rules", "s", ours, None, theirs
    yield (
        "a pass that began late by a reload, at most",
        "s",
        [late(around, INTERVAL_SECONDS)],
        LATE_SECONDS,
        (),
    )
    yield "pass while reloading", "s", [one.seconds for one in around[1:]], None, ()


def _reload(both: Both, took: list[float]) -> None:
    """With one rule changed; in a thread, since the next pass comes meanwhile."""
    before = both.alerter.get("/-/status").json()["hash"]
    made_up_rules.change_threshold(both.rule_files[0])

    def run() -> None:
        began = time.monotonic()
        both.alerter.reload().raise_for_status()
        took.append(time.monotonic() - began)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    both.alerter.wait_for(
        lambda: both.alerter.get("/-/status").json()["hash"] != before, "the new rule holds"
    )
