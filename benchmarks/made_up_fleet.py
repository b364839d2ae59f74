"""A page's worth of series: what 40 nodes with 270 tables each would say, with the real panels' families."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from clustersight import self_metrics
from clustersight.metrics import Metric, Sample
from clustersight.panels import compression, parts

CLUSTER = "production"
TABLES = 270
PANELS = ("server", "disk", "errors", "merges", "mutations", "parts", "replication", "queries", "compression")
_OF_NODE = (self_metrics.UP, self_metrics.COLLECTION)
_OF_PANEL = (
    self_metrics.PANEL_UP,
    self_metrics.LAST_SUCCESS,
    self_metrics.DURATION,
    self_metrics.READ_ROWS,
    self_metrics.DROPPED,
)
_SUBJECTS = ("orders", "events_local", "page_views", "sessions_buffer", "clicks_by_campaign", "audit_trail")


@dataclass(frozen=True, slots=True)
class Said:
    """What one panel found on one node; `rows` stand for what the exporter keeps beside the samples."""

    host: str
    panel: str
    samples: tuple[Sample, ...]
    rows: tuple[tuple[str | float, ...], ...] = ()


def say_all(series: int) -> Iterator[Said]:
    """Node after node until there are so many series, and not one more."""
    chance = random.Random(26)  # the same page in every run
    left, node = series, 0
    while left > 0:
        node += 1
        for said in _node(f"ch{node:03}.eu-west.internal", chance):
            kept = said.samples[:left]
            left -= len(kept)
            if kept:
                yield Said(said.host, said.panel, kept, said.rows)


def _node(host: str, chance: random.Random) -> Iterator[Said]:
    own = [Sample(metric, (), _value(chance)) for metric in _OF_NODE]
    own += [Sample(metric, (panel,), _value(chance)) for panel in PANELS for metric in _OF_PANEL]
    yield Said(host, "", tuple(own))
    for panel in (parts.PANEL, compression.PANEL):
        yield _tables(host, panel.name, panel.metrics, chance)


def _tables(host: str, panel: str, metrics: tuple[Metric, ...], chance: random.Random) -> Said:
    wanted = [metric for metric in metrics if metric.labels == ("database", "table")]
    samples: list[Sample] = []
    rows: list[tuple[str | float, ...]] = []
    for number in range(TABLES):
        labels = (f"shop_{number % 17}", f"{_SUBJECTS[number % len(_SUBJECTS)]}_2026_{number:04}")
        values = [_value(chance) for _ in wanted]
        samples += [Sample(metric, labels, value) for metric, value in zip(wanted, values, strict=True)]
        rows.append((*labels, *values))
    return Said(host, panel, tuple(samples), tuple(rows))


def _value(chance: random.Random) -> float:
    """Counts, sizes and ratios, as they come."""
    kind = chance.random()
    if kind < 0.5:
        return float(chance.randrange(400))
    return float(chance.randrange(10**12)) if kind < 0.75 else chance.random()
