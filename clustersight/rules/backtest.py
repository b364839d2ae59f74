"""Rules over the history: which alerts they would have raised, when and for how long."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clustersight.alerts.keys import panel_of
from clustersight.alerts.leading import AlertKey
from clustersight.history import MOST_POINTS, ClusterName, History, SeriesPoints, Wanted
from clustersight.history.rates import drawn
from clustersight.metric_keys import MetricKey, metric_keys
from clustersight.metrics import Metric
from clustersight.rules.rule import Rule
from clustersight.rules.testing.feeding import Fed
from clustersight.rules.testing.life import Life
from clustersight.rules.testing.notation import Gap
from clustersight.rules.testing.sight import TestSight

# Every series counts here, while a picture shows some.
_ALL_SERIES = 1_000_000
# Where the lowest value in a step is what fires.
_FALLING = ("<", "<=")


@dataclass(slots=True)
class Episode:
    """A rule that fired, from `began` to before `ended` (epoch seconds); None: until the end and beyond."""

    rule: str
    severity: str
    cluster: str
    host: str
    labels: Mapping[str, str]
    began: int
    ended: int | None = None


@dataclass(slots=True)
class Replay:
    """`episodes` of each rule by itself; `alerts` counts a rule and the one that raises it as one alert."""

    episodes: list[Episode] = field(default_factory=list)
    alerts: int = 0


def not_replayable(rules: Iterable[Rule]) -> dict[str, str]:
    """Why the history cannot tell whether a rule fired, by its name."""
    reasons = {rule.name: _reason(rule) for rule in rules}
    return {name: reason for name, reason in reasons.items() if reason}


def _reason(rule: Rule) -> str:
    key = metric_keys().get(rule.metric_key)
    if rule.sql is not None or key is None:
        return "its values (sql) are not in the history"
    if isinstance(key.source, Metric) and not key.source.history:
        return f"{key.key} is not in the history"
    return "" if drawn(key.source) else f"{key.key} is known for the present only"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is replayed, in epoch seconds; `begin` is a multiple of `step`."""

    begin: int
    end: int
    step: int

    @property
    def parts(self) -> list[Stretch]:
        """What the history answers at once."""
        length = (MOST_POINTS - 1) * self.step
        begins = range(self.begin, self.end, length)
        return [Stretch(begin, min(begin + length, self.end), self.step) for begin in begins]


def replay(
    rules: Collection[Rule],
    history: History,
    clusters: Sequence[ClusterName],
    stretch: Stretch,
    done: Callable[[], None] = lambda: None,
) -> Replay:
    """Evaluate rules that can be replayed; `done` is called after each part.

    Raises StoreError and HistoryUnavailable.
    """
    told, life = _Telling(), None
    for part in stretch.parts:
        series = [fed for cluster in clusters for fed in _fed(rules, history, cluster, part)]
        sight = TestSight(series, stretch.step, part.begin)
        if life is None:
            life = Life(rules, sight, stretch.step)
        life.look(sight)
        for now in range(part.begin, part.end, stretch.step):
            life.step(now)
            told.note(life, now)
        done()
    return told.replay


class _Telling:
    """Turns what fires after each pass into episodes."""

    def __init__(self) -> None:
        self.replay = Replay()
        self._open: dict[tuple[str, str], Episode] = {}
        self._alerts: set[AlertKey] = set()

    def note(self, life: Life, now: int) -> None:
        """What fires after a pass."""
        firing = {(rule.name, key): (rule, instance) for rule, key, instance in life.firing()}
        for place in [place for place in self._open if place not in firing]:
            self._open.pop(place).ended = now
        for place, (rule, one) in firing.items():
            if place not in self._open:
                episode = Episode(
                    rule.name, rule.severity.value, one.cluster_id, one.host, dict(one.labels), now
                )
                self._open[place] = episode
                self.replay.episodes.append(episode)
        self.replay.alerts += len(life.open.keys() - self._alerts)
        self._alerts = set(life.open)


def _fed(rules: Collection[Rule], history: History, cluster: ClusterName, part: Stretch) -> Iterator[Fed]:
    """The values of every key that the rules look at."""
    rising = {rule.metric_key for rule in rules if rule.operator not in _FALLING}
    for name in dict.fromkeys(rule.metric_key for rule in rules):
        key = metric_keys()[name]
        wanted = Wanted(
            cluster=cluster,
            metric=key.source,
            start=part.begin,
            end=part.end,
            step=part.step,
            labels=_chosen(key),
            limit=_ALL_SERIES,
            lowest=name not in rising,
        )
        for one in history.range(wanted).series:
            yield _of_series(key, cluster, one)


def _chosen(key: MetricKey) -> Mapping[str, str]:
    """The label that tells the keys of one family apart."""
    source = key.source
    if not isinstance(source, Metric) or not source.keys:
        return {}
    return {source.labels[0]: next(value for value, name in source.keys if name == key.key)}


def _of_series(key: MetricKey, cluster: ClusterName, one: SeriesPoints) -> Fed:
    labels = tuple(sorted((name, value) for name, value in one.labels.items() if name in key.labels))
    points = tuple(Gap.MISSING if value is None else value for _, value in one.points)
    return Fed(cluster.name, one.host, labels, key.key, panel_of(key.key), points)
