"""What can be asked of the history, wherever it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from clustersight.metrics import Metric, Rate

# What a picture can show (spec/api.md, "Panels").
MOST_POINTS = 500
MOST_SERIES = 50
# Steps that people read well; each is part of an hour, or of days.
_STEPS = (5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_HOUR, _DAY = 3600, 86400

Point = tuple[int, float | None]


class HistoryUnavailable(Exception):
    """The history cannot be asked now; the text is one line for a person, without secrets."""


@dataclass(frozen=True, slots=True)
class ClusterName:
    """A cluster by its id, as the store knows it, and by its name, which is the label in Prometheus."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A range of one metric, from `start` to before `end` (epoch seconds), a point every `step` seconds.

    `host` and `labels` narrow it. Where there are more than `limit` series the worst stay: those with
    the highest peak, or with `lowest` those with the lowest low; points are then the lowest too.
    """

    cluster: ClusterName
    metric: Metric | Rate
    start: int
    end: int
    step: int
    host: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    limit: int = MOST_SERIES
    lowest: bool = False

    def __post_init__(self) -> None:
        if self.step < 1 or self.end <= self.start or len(self.times) > MOST_POINTS:
            raise ValueError(f"{self.start}..{self.end} by {self.step} s is not 1 to {MOST_POINTS} points")

    @property
    def times(self) -> range:
        """The time of each point: it stands for what follows, until the next one."""
        return range(self.start // self.step * self.step, self.end, self.step)


@dataclass(frozen=True, slots=True)
class SeriesPoints:
    """One series in the unit of the rule key: a point for each of `Wanted.times`; None: nothing known."""

    host: str
    labels: Mapping[str, str]
    points: Sequence[Point]


class Answer(NamedTuple):
    """Series, the worst first, and how many there would be without the limit."""

    series: list[SeriesPoints]
    total: int


class Reading(NamedTuple):
    """One number of one series, in the unit of the rule key; `metric` is the Prometheus name."""

    host: str
    metric: str
    labels: Mapping[str, str]
    value: float


class History(Protocol):
    """Each method raises HistoryUnavailable (or StoreError) where there is no answer.

    Only rates that count events (rates.COUNTING) have a range; of the others there is a value now (now.py).
    Series of which nothing is known in the time asked for are absent from every answer.
    """

    def range(self, wanted: Wanted) -> Answer:
        """Points of a metric, or of a rate: its events over its window, or over the step if longer."""

    def increase(
        self, cluster: ClusterName, metrics: Sequence[Metric], seconds: int, until: int
    ) -> list[Reading]:
        """By how much counters rose in the `seconds` before `until`; a fall is a restart from 0.

        A series needs two samples.
        """

    def rise(
        self, cluster: ClusterName, metrics: Sequence[Metric], seconds: int, until: int
    ) -> list[Reading]:
        """By how much gauges are now above what they were then, never negative.

        One that appeared since, while its panel ran on that host, was 0 then.
        """

    def median(self, cluster: ClusterName, metric: Metric, seconds: int, until: int) -> list[Reading]:
        """The median over time of each series, in the `seconds` before `until`."""

    def latest(self, cluster: ClusterName, metrics: Sequence[Metric], until: int) -> list[Reading]:
        """The last value of each series that is not older than readers hold on to one: 15 minutes."""


def step_for(seconds: int, least: int = 5) -> int:
    """The step of a range of this length: at most 500 points, and whole rows of the tier that answers it.

    `least` is the collection interval, below which nothing is known.
    """
    if seconds > 21 * _DAY:
        least = max(least, _DAY)
    elif seconds > _DAY:
        least = max(least, _HOUR)
    # One point more than steps: a range seldom starts where a step does.
    needed = max(least, -(-seconds // (MOST_POINTS - 1)))
    return next((step for step in _STEPS if step >= needed), -(-needed // _DAY) * _DAY)
