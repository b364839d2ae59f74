"""Every metric of every panel and of the runner in one list, and docs/METRICS.md made from it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from clustersight.alerter_metrics import ALERTER
from clustersight.metrics import Metric, Rate
from clustersight.panels import ALL
from clustersight.panels.panel import Panel
from clustersight.scores import HEALTH
from clustersight.self_metrics import API, EXPORTER, RUNNER, RUNNER_RATES

_HEAD = """\
# Metrics

Made from the catalogue by `make generate`; a test compares it. Every ClickHouse series carries
`cluster` and `host`, except those marked *cluster only*; `shard` and `replica` stand on
`clickhouse_info` (join with `group_left`). Rule keys have the unit that people speak: percent where
Prometheus has a ratio, milliseconds where it has seconds.
"""
_TABLE = "\n| Prometheus name | type | labels | rule key | its unit | meaning |\n|---|---|---|---|---|---|\n"
_RATES = "\n| rule key | unit | labels | PromQL | meaning |\n|---|---|---|---|---|\n"


def metrics() -> tuple[Metric, ...]:
    """Every declared family: the panels' and the runner's."""
    own = (*EXPORTER, *ALERTER, *API)
    return (*(metric for panel in ALL for metric in panel.metrics), *RUNNER, *HEALTH, *own)


def rates() -> tuple[Rate, ...]:
    """Every rule key that is computed by its reader."""
    return (*(rate for panel in ALL for rate in panel.rates), *RUNNER_RATES)


def document() -> str:
    """The text of docs/METRICS.md."""
    runner = "\n## The runner\n\nOf every node and panel, by the exporter itself.\n" + _metric_table(RUNNER)
    runner += _rate_table(RUNNER_RATES)
    score = "\n## The health score\n\nOf every cluster.\n" + _metric_table(HEALTH)
    own = "\n## The exporter itself\n\nWithout `cluster` and `host`; beside the usual `process_*`.\n"
    own += _metric_table(EXPORTER)
    own += "\n## The alerter itself\n\nBeside `clustersight_build_info` and `process_*`.\n"
    own += _metric_table(ALERTER)
    own += (
        "\n## The API itself\n\nBeside `clustersight_build_info`, reloads, and `process_*` of each worker.\n"
    )
    own += _metric_table(API)
    return _HEAD + "".join(_section(panel) for panel in ALL) + runner + score + own


def _section(panel: Panel) -> str:
    tables = ", ".join(f"`system.{name}`" for name in panel.tables) or "none"
    text = f"\n## {panel.name}\n\n{panel.about} Tier {int(panel.tier)}, per {panel.scope}; reads: {tables}.\n"
    text += _metric_table(panel.metrics)
    return text + _rate_table(panel.rates)


def _rate_table(rates: Sequence[Rate]) -> str:
    return _RATES + "".join(_rate_rows(rates)) if rates else ""


def _metric_table(metrics: Iterable[Metric]) -> str:
    return _TABLE + "".join(_metric_rows(metrics))


def _metric_rows(metrics: Iterable[Metric]) -> Iterator[str]:
    for m in metrics:
        labels = ", ".join(f"`{label}`" for label in m.labels) + ("*cluster only*" if m.cluster_only else "")
        key = ", ".join(f"`{key}`" for key in _keys(m)) or "-"
        yield f"| `{m.name}` | {m.kind} | {labels or '-'} | {key} | {m.unit or '-'} | {_cell(m.help)} |\n"


def _keys(metric: Metric) -> tuple[str, ...]:
    return ((metric.key,) if metric.key else ()) + tuple(key for _, key in metric.keys)


def _rate_rows(rates: Iterable[Rate]) -> Iterator[str]:
    for r in rates:
        labels = ", ".join(f"`{label}`" for label in r.labels) or "-"
        yield f"| `{r.key}` | {r.unit} | {labels} | `{_cell(r.expr)}` | {_cell(r.help)} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
