"""Lint rules that look at one query; most are those of grafana/dashboard-linter."""

from __future__ import annotations

from collections.abc import Iterator

import promql_parser

from clustersight.metrics import Kind
from grafana.lint.expressions import RATE_INTERVAL, Selected, selectors
from grafana.queries import families, places

# Of other people: Prometheus' client and Prometheus itself.
KNOWN = frozenset({"process_resident_memory_bytes", "process_cpu_seconds_total", "up", "ALERTS"})
_RATES = ("rate", "irate", "increase")
_QUANTILE_AGGREGATES = ("sum", "avg")


def target_promql(expr: str, _: frozenset[str]) -> Iterator[str]:
    """A query parses."""
    try:
        list(selectors(expr))
    except ValueError as error:
        yield f"is no PromQL: {error}"


def target_catalogue(expr: str, _: frozenset[str]) -> Iterator[str]:
    """A query names families that exist."""
    for one in _parsed(expr):
        if one.name not in families() and one.name not in KNOWN:
            yield f"names {one.name or 'no family'}, which is not in the catalogue"


def target_rate_interval(expr: str, _: frozenset[str]) -> Iterator[str]:
    """rate() looks over $__rate_interval, which knows how often Prometheus scrapes."""
    for one in _parsed(expr):
        if one.functions[-1:] in (["rate"], ["irate"]) and one.window not in ("", RATE_INTERVAL):
            yield f"{one.functions[-1]}({one.name}) must look over $__rate_interval"


def target_cluster(expr: str, variables: frozenset[str]) -> Iterator[str]:
    """What belongs to a cluster is asked of the chosen ones."""
    yield from _unmatched(expr, "cluster", variables)


def target_host(expr: str, variables: frozenset[str]) -> Iterator[str]:
    """What belongs to a node is asked of the chosen ones, where the dashboard has that choice."""
    yield from _unmatched(expr, "host", variables)


def _unmatched(expr: str, label: str, variables: frozenset[str]) -> Iterator[str]:
    for one in _parsed(expr):
        has = one.name in families() and label in places(families()[one.name])
        if has and label in variables and one.matched.get(label) != f"${label}":
            yield f'{one.name} needs {label}=~"${label}"'


def target_counter_agg(expr: str, _: frozenset[str]) -> Iterator[str]:
    """Counters are of use as rates only; they begin anew at each restart."""
    for one in _parsed(expr):
        counts = one.name.endswith("_total") or _is_counter(one)
        if counts and not (one.window and one.functions[-1:] and one.functions[-1] in _RATES):
            yield f"the counter {one.name} needs rate, irate or increase"


def _is_counter(one: Selected) -> bool:
    metric = families().get(one.name)
    return metric is not None and metric.kind in (Kind.COUNTER, Kind.HISTOGRAM)


def target_quantile_agg(expr: str, _: frozenset[str]) -> Iterator[str]:
    """Quantiles are not added up, and no mean is made of them: that says nothing."""
    for one in _parsed(expr):
        metric = families().get(one.name)
        if metric is None or metric.kind is not Kind.SUMMARY:
            continue
        found = [
            str(node.op) for node in one.around if hasattr(node, "op") and not _drops_quantile(node, one)
        ]
        yield from (f"{op} of the quantiles {one.name}" for op in found if op in _QUANTILE_AGGREGATES)


def _drops_quantile(node: promql_parser.Expr, one: Selected) -> bool:
    """Of one quantile, `sum without (quantile)` adds nothing up: it takes the label away."""
    by = node.modifier if isinstance(node, promql_parser.AggregateExpr) else None
    if by is None or by.type != promql_parser.AggModifierType.Without:
        return False
    return "quantile" in one.matched and list(by.labels) == ["quantile"]


def _parsed(expr: str) -> list[Selected]:
    """Nothing for what does not parse: that is another rule's."""
    try:
        return list(selectors(expr))
    except ValueError:
        return []
