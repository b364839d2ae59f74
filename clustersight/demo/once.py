"""`clustersight demo --once`: the demo checks itself, for scripts and for the curious."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clustersight.demo import demo
from clustersight.demo.child import POLL_SECONDS, Stopped
from clustersight.demo.demo import Demo, Options
from clustersight.demo.drill import Act, Drill
from clustersight.demo.faults import Check, Fault, check, faults
from clustersight.demo.progress import Progress
from clustersight.demo.series import Series, parse
from clustersight.panels import ALL
from clustersight.panels.panel import Panel
from clustersight.table import table

# The heaviest part is a collection every 5 s; on a busy machine everything takes several times as long.
DEADLINE_SECONDS = 60.0
HEADERS = ("panel", "status", "series", "rows read", "ms")
# Panels that have nothing to read here, with the reason; any other panel has to be ok.
MAY_BE_UNSUPPORTED: Mapping[str, str] = {
    "keeper-nodes": "no Keeper is configured; give --zookeeper",
    "ddl-queue": "ClickHouse as an engine runs no DDL ON CLUSTER",
}


@dataclass(frozen=True, slots=True)
class PanelLine:
    """How a panel's last run ended; the status is empty while it has not run."""

    name: str
    status: str
    series: int
    read_rows: int | None
    milliseconds: float | None

    @property
    def ok(self) -> bool:
        return self.status == "ok" or (self.status == "unsupported" and self.name in MAY_BE_UNSUPPORTED)

    @property
    def cells(self) -> tuple[str, ...]:
        rows = "-" if self.read_rows is None else str(self.read_rows)
        duration = "-" if self.milliseconds is None else f"{self.milliseconds:.1f}"
        return self.name, self.status or "not run", str(self.series), rows, duration


@dataclass(frozen=True, slots=True)
class Report:
    """What the page said in the end, and how the alert lived; `seconds` is the whole time from the start.

    `api` says what the API told of the score; it is empty while it told nothing.
    """

    panels: tuple[PanelLine, ...]
    checks: tuple[Check, ...]
    api: str = ""
    acts: tuple[Act, ...] = ()
    seconds: float = 0.0

    @property
    def collected(self) -> bool:
        """Whether everything is there but the alert."""
        return bool(self.api) and all(line.ok for line in self.panels) and all(c.ok for c in self.checks)

    @property
    def ok(self) -> bool:
        return self.collected and bool(self.acts) and all(act.ok for act in self.acts)

    @property
    def text(self) -> str:
        """For a person."""
        lines = [table(HEADERS, [line.cells for line in self.panels]), ""]
        lines += [one.text for one in self.checks]
        lines += [
            f"-       {line.name} is unsupported: {MAY_BE_UNSUPPORTED[line.name]}"
            for line in self.panels
            if line.ok and line.status != "ok"
        ]
        failed = [line.name for line in self.panels if not line.ok]
        lines += [f"FAILED  panels: {', '.join(failed)}"] if failed else ["ok      panels"]
        lines += [f"ok      the API: {self.api}" if self.api else "FAILED  the API: it tells no health score"]
        lines += [act.text for act in self.acts]
        return "\n".join(lines)

    @property
    def data(self) -> dict[str, Any]:
        """For a script: plain values for JSON."""
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
            "api": self.api,
            "panels": [
                {
                    "panel": line.name,
                    "status": line.status,
                    "series": line.series,
                    "read_rows": line.read_rows,
                    "milliseconds": line.milliseconds,
                    "ok": line.ok,
                }
                for line in self.panels
            ],
            "checks": [
                {"name": one.fault.name, "selector": one.fault.selector, "series": one.series, "ok": one.ok}
                for one in self.checks
            ],
            "alert": [{"name": act.name, "told": act.told, "ok": act.ok} for act in self.acts],
        }


def once(options: Options, progress: Progress, deadline_seconds: float = DEADLINE_SECONDS) -> Report | None:
    """Start, collect, check, stop; None if it was asked to stop before. Raises DemoError."""
    started = time.monotonic()
    expected = faults(zookeeper=bool(options.zookeeper))
    looking = f"{len(ALL)} panels are collected, {len(expected)} faults looked for"
    with demo.stop_signals() as stopped:
        try:
            with demo.running(options, progress, stopped) as running:
                with progress.stage(looking):
                    report = awaited(running, expected, stopped, deadline_seconds)
                with progress.stage("an alert fires, is acknowledged, and its fix is run"):
                    acts = Drill(running, stopped, deadline_seconds).run()
        except Stopped:
            return None
    return replace(report, acts=acts, seconds=time.monotonic() - started)


def awaited(
    running: Demo, expected: Sequence[Fault], stopped: threading.Event, deadline_seconds: float
) -> Report:
    """The first report in which all is well, else the last one in time. Raises Stopped, DemoError."""
    ends = time.monotonic() + deadline_seconds
    seen: dict[str, Check] = {}
    while True:
        for child in running.children:
            child.check()
        report = remembering(seen, report_of(list(parse(running.page())), expected))
        report = replace(report, api=told_by(running.ask("/panels/health-score")))
        if report.collected or time.monotonic() > ends:
            return report
        if stopped.wait(POLL_SECONDS * 5):
            raise Stopped


def remembering(seen: dict[str, Check], report: Report) -> Report:
    """The report with every fault that was on any page so far: merges and slow queries come and go."""
    seen.update({one.fault.name: one for one in report.checks if one.ok})
    checks = tuple(seen.get(one.fault.name, one) for one in report.checks)
    return replace(report, checks=checks)


def told_by(score: Mapping[str, Any] | None) -> str:
    """The score with its components, in a line; empty while there is none."""
    if not score or score["overall_score"] is None:
        return ""
    parts = [
        f"{name} {part['score']:g}" for name, part in score["components"].items() if part["score"] is not None
    ]
    return f"health score {score['overall_score']:g} ({score['grade']}): {', '.join(parts)}"


def report_of(page: Sequence[Series], expected: Sequence[Fault]) -> Report:
    """Read the panels' states and the faults from one page."""
    counts = Counter(series.name for series in page)
    lines = tuple(panel_line(panel, page, counts) for panel in ALL)
    return Report(lines, tuple(check(expected, page)))


def panel_line(panel: Panel, page: Sequence[Series], counts: Mapping[str, int]) -> PanelLine:
    """`counts` says how many series of each name the page has."""
    own = {s.name: s for s in page if s.labels.get("panel") == panel.name}
    status = own.get("clustersight_panel_status")
    rows = own.get("clustersight_panel_read_rows")
    duration = own.get("clustersight_panel_duration_seconds")
    return PanelLine(
        name=panel.name,
        status=status.labels["status"] if status else "",
        series=sum(counts.get(metric.name, 0) for metric in panel.metrics),
        read_rows=int(rows.value) if rows else None,
        milliseconds=round(duration.value * 1000, 1) if duration else None,
    )
