"""How the value behind an alert went: from one hour before it fired until it was over, or now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from api.context import Context
from api.live.following import Following
from api.live.rooms import Crowded, Rooms
from api.panels.past import Past
from clustersight.history import Answer, ClusterName, HistoryUnavailable, Point, Wanted, step_for
from clustersight.metric_keys import MetricKey, metric_keys
from clustersight.metrics import Rate
from clustersight.rules.rule import Operator
from clustersight.store.alerts import StoredAlert

BEFORE_SECONDS = 3600
# A Prometheus that hangs must leave threads for all that does not ask it.
MOST_WAITING = 3
_SLOW = "the history is slow, and others wait for it already"
_FALLING = (Operator.BELOW, Operator.AT_MOST)


@dataclass(frozen=True, slots=True)
class Course:
    """Points, none where nothing is known; `problem` says why the history could not be asked."""

    points: Sequence[Point] = ()
    problem: str | None = None


def course_of(context: Context, alert: StoredAlert) -> Course:
    """The history of an alert's series, in the unit of its metric key. Raises StoreError."""
    wanted = _wanted(alert, context.now, context.of(Following).collection.interval_sec)
    if wanted is None:
        return Course()
    try:
        found = _asked(context, wanted).series
    except (HistoryUnavailable, Crowded) as error:
        return Course(problem=str(error) or _SLOW)
    return Course(found[0].points if found else ())


def _asked(context: Context, wanted: Wanted) -> Answer:
    history = context.settings.history
    is_own = history.prometheus_url is None
    with nullcontext() if is_own else context.of(Rooms).room(("history", "alerts"), MOST_WAITING):
        return context.of(Past).history(history).range(wanted)


def _wanted(alert: StoredAlert, now: float, least: int) -> Wanted | None:
    """What to ask for; None for a SQL rule, and for an alert that is of no series: there were no data."""
    key = metric_keys().get(alert.detail["metric_key"])
    labels = None if key is None else _labels(key, alert.detail["labels"])
    if key is None or labels is None:
        return None
    start = int(alert.fired_at) - BEFORE_SECONDS
    end = max(int(now if alert.resolved_at is None else alert.resolved_at), start + 1)
    return Wanted(
        cluster=ClusterName(alert.cluster_id, alert.detail["cluster_name"]),
        metric=key.source,
        start=start,
        end=end,
        step=step_for(end - start, least),
        host=alert.detail["host"],
        labels=labels,
        limit=1,
        lowest=alert.detail["operator"] in _FALLING,
    )


def _labels(key: MetricKey, labels: Mapping[str, str]) -> dict[str, str] | None:
    """Those of the key's series; None where the alert lacks one."""
    if not set(key.labels) <= labels.keys():
        return None
    return _chosen(key) | {name: labels[name] for name in key.labels}


def _chosen(key: MetricKey) -> dict[str, str]:
    """Of a family whose label values have keys of their own: the label that this key stands for."""
    if isinstance(key.source, Rate):
        return {}
    return dict(
        zip(key.source.labels, (value for value, name in key.source.keys if name == key.key), strict=False)
    )
