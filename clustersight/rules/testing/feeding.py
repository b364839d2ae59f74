"""What the series of a test mean: which rule keys they are, of which cluster and host."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from clustersight.alerts.keys import AGE_SECONDS, panel_of
from clustersight.alerts.readings import Labels
from clustersight.history.rates import COUNTING
from clustersight.metric_keys import MetricKey, metric_keys
from clustersight.metrics import Metric, Rate
from clustersight.problem import unknown
from clustersight.rules.rule import SQL_PREFIX
from clustersight.rules.testing.cases import InputSeries
from clustersight.rules.testing.notation import Gap, Point

_PLACE = ("cluster", "host")


@dataclass(frozen=True, slots=True)
class Fed:
    """The values of a rule key of one series, in the key's unit; "" where cluster or host is not given."""

    cluster: str
    host: str
    labels: Labels
    key: str
    panel: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter, from which rate keys are computed; `labels` are all of the family."""

    cluster: str
    host: str
    labels: Mapping[str, str]
    family: str
    panel: str
    points: tuple[Point, ...]


@cache
def _families() -> dict[str, Metric]:
    return {one.source.name: one.source for one in metric_keys().values() if isinstance(one.source, Metric)}


@cache
def counting() -> dict[str, tuple[MetricKey, ...]]:
    """The rate keys that count what a family counts, by its name."""
    found: dict[str, list[MetricKey]] = {}
    for one in metric_keys().values():
        if isinstance(one.source, Rate) and one.source.reading in COUNTING:
            for family in one.source.sources:
                found.setdefault(family, []).append(one)
    return {family: tuple(some) for family, some in found.items()}


def feed(one: InputSeries, sql_rules: Collection[str]) -> Iterator[Fed | Counter]:
    """What a series gives; nothing but a problem noted in its document where it can be none."""
    if one.name.startswith(SQL_PREFIX):
        if one.name.removeprefix(SQL_PREFIX) in sql_rules:
            yield _fed(one, one.name, one.labels)
        else:
            one.spot.wrong(f"{one.name!r} is of no SQL rule of rule_files")
    elif one.name in metric_keys():
        known = metric_keys()[one.name]
        if _may_have(one, known.labels, known.source):
            yield _fed(one, known.key, one.labels)
    else:
        yield from _by_prometheus_name(one)


def _by_prometheus_name(one: InputSeries) -> Iterator[Fed | Counter]:
    metric, counted = _families().get(one.name), counting().get(one.name, ())
    if metric is not None and metric.key == AGE_SECONDS:
        one.spot.wrong(f"is a time, and rules look at its age; give {AGE_SECONDS}")
    elif metric is not None and _may_have(one, metric.labels, metric):
        yield from _of_family(one, metric)
    if counted and (metric is not None or _may_have(one, None, counted[0].source)):
        place = (one.labels.get("cluster", ""), one.labels.get("host", ""))
        labels = {name: value for name, value in one.labels.items() if name not in _PLACE}
        yield Counter(*place, labels, one.name, panel_of(counted[0].key), one.points)
    if metric is None and not counted:
        _refuse(one)


def _of_family(one: InputSeries, metric: Metric) -> Iterator[Fed]:
    """In the unit of the key; a family may have one key for each value of its label."""
    key = metric.key_of(tuple(one.labels.get(name, "") for name in metric.labels))
    if key is None:
        values = [value for value, _ in metric.keys]
        one.spot.wrong(unknown(metric.labels[0], one.labels.get(metric.labels[0], ""), values))
        return
    own = {n: v for n, v in one.labels.items() if not metric.keys or n in _PLACE}
    yield _fed(one, key, own, metric.per_base_unit)


def _fed(one: InputSeries, key: str, labels: Mapping[str, str], times: float = 1.0) -> Fed:
    own = tuple(sorted((name, value) for name, value in labels.items() if name not in _PLACE))
    points = tuple(point if isinstance(point, Gap) else point * times for point in one.points)
    return Fed(labels.get("cluster", ""), labels.get("host", ""), own, key, panel_of(key), points)


def _may_have(one: InputSeries, labels: tuple[str, ...] | None, source: Metric | Rate) -> bool:
    """Whether its labels are those of the metric; None: nobody knows which these are."""
    of_cluster = isinstance(source, Metric) and source.cluster_only
    allowed = ("cluster", *(() if of_cluster else ("host",)), *(labels or ()))
    wrong = [label for label in one.labels if labels is not None and label not in allowed]
    for label in wrong:
        one.spot.wrong(unknown("label", label, allowed))
    return not wrong


def _refuse(one: InputSeries) -> None:
    near = difflib.get_close_matches(one.name, [*metric_keys(), *_families(), *counting()], n=2)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    one.spot.wrong(f"{one.name!r} is no metric that a rule can be about; {hint}docs/METRICS.md lists all")
