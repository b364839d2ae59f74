"""What is asked of Prometheus: the contract's questions as PromQL (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clustersight.history.contract import Wanted
from clustersight.history.rates import PER
from clustersight.metrics import Metric, Rate, Reading

# The runner's (self_metrics.UP): where it is 1, a series that is absent is one that is not there.
_UP = "clickhouse_up"


def quoted(text: str) -> str:
    """A label value as a string of PromQL."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def just_before(at: int) -> str:
    """The end of a step: a sample of that very second is the next step's, and Prometheus counts in ms."""
    return f"{at - 1}.999"


def selector(
    name: str, cluster: str, host: str | None = None, labels: Mapping[str, str] | None = None
) -> str:
    """The series of a family; matchers are equalities alone."""
    wanted = {"cluster": cluster} | ({} if host is None else {"host": host}) | dict(labels or {})
    return name + "{" + ",".join(f"{label}={quoted(value)}" for label, value in wanted.items()) + "}"


def by(labels: Sequence[str]) -> str:
    """Several Prometheus servers may scrape us, with labels of their own: they are no series of ours."""
    return f"by ({', '.join(('host', *labels))})"


def per_step(wanted: Wanted, seconds: int) -> str:
    """The value of a step of `seconds`, in the base unit of the page, at the end of the step."""
    if isinstance(wanted.metric, Rate):
        return _rate(wanted.metric, wanted, max(wanted.metric.window_seconds, wanted.step))
    of = _selected(wanted, wanted.metric.name)
    # A step without a scrape in it has the value of the last one, unless that has gone stale.
    return f"{_fold(wanted)} {by(wanted.metric.labels)} ({_fold(wanted)}_over_time({of}[{seconds}s]) or {of})"


def peaks(wanted: Wanted) -> str:
    """One number for each series by which the worst are found, whenever it is asked."""
    seconds, at = wanted.end - wanted.times.start, f"@ {just_before(wanted.end)}"
    if isinstance(wanted.metric, Rate):
        source = _selected(wanted, wanted.metric.sources[-1])
        return f"sum {by(wanted.metric.labels)} (increase({source}[{seconds}s] {at}))"
    of = _selected(wanted, wanted.metric.name)
    return f"{_fold(wanted)} {by(wanted.metric.labels)} ({_fold(wanted)}_over_time({of}[{seconds}s] {at}))"


def worst(wanted: Wanted, expr: str) -> str:
    """The expression for the worst series alone, the same ones in every step."""
    on = ", ".join(("host", *wanted.metric.labels))
    chosen = "bottomk" if wanted.lowest else "topk"
    return f"({expr}) and on ({on}) {chosen}({wanted.limit}, {peaks(wanted)})"


def _fold(wanted: Wanted) -> str:
    return "min" if wanted.lowest else "max"


def _selected(wanted: Wanted, name: str) -> str:
    return selector(name, wanted.cluster.name, wanted.host, wanted.labels)


def _rate(rate: Rate, wanted: Wanted, window: int) -> str:
    function = "resets" if rate.reading is Reading.RESETS else "increase"
    first, *second = (
        f"sum {by(rate.labels)} ({function}({_selected(wanted, source)}[{window}s]))"
        for source in rate.sources
    )
    if second:
        enough = f">= {rate.at_least}" if rate.at_least else "> 0"
        return f"clamp_max(100 * {second[0]} / ({first} {enough}), 100)"
    counted = f"({first} >= {rate.at_least})" if rate.at_least else first
    return f"{PER[rate.unit]} / {window} * {counted}" if rate.unit in PER else counted


def increase(metric: Metric, cluster: str, seconds: int) -> str:
    return f"sum {by(metric.labels)} (increase({selector(metric.name, cluster)}[{seconds}s]))"


def median(metric: Metric, cluster: str, seconds: int) -> str:
    of = selector(metric.name, cluster)
    return f"max {by(metric.labels)} (quantile_over_time(0.5, {of}[{seconds}s]))"


def latest(metric: Metric, cluster: str) -> str:
    return f"max {by(metric.labels)} ({selector(metric.name, cluster)})"


def rise(metric: Metric, cluster: str, seconds: int) -> str:
    """Now minus then; minus 0 where the node was up then without the series; else minus its lowest."""
    now, folded = selector(metric.name, cluster), f"max {by(metric.labels)}"
    value, then = f"{folded} ({now})", f"{folded} ({now} offset {seconds}s)"
    was_up = f"{selector(_UP, cluster)} offset {seconds}s == 1"
    lowest = f"{folded} (min_over_time({now}[{seconds}s]))"
    return f"clamp_min({value} - {then} or {value} and on (host) ({was_up}) or {value} - {lowest}, 0)"
