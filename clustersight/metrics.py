"""The catalogue type: what a metric is, and one measured value of it.

Prometheus names use base units (seconds, bytes, ratio 0..1); rule keys use the units that people
speak (percent, milliseconds). The contract is spec/metrics.md; `docs/METRICS.md` is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

# Labels whose values come from users' schemas: their number has no bound, so their rows are capped.
UNBOUNDED_LABELS = frozenset({"database", "table", "dictionary", "view"})


class Kind(StrEnum):
    """The Prometheus type of a family."""

    GAUGE = "gauge"
    COUNTER = "counter"
    SUMMARY = "summary"
    HISTOGRAM = "histogram"


class Unit(StrEnum):
    """The unit of a rule key, as a person would say it."""

    NONE = ""
    BOOL = "0 or 1"
    COUNT = "count"
    BYTES = "bytes"
    SECONDS = "seconds"
    MILLISECONDS = "ms"
    PERCENT = "%"
    HOURS = "hours"
    PER_MINUTE = "per minute"
    PER_SECOND = "per second"


class Reading(StrEnum):
    """What a reader makes of a rate's first source, within the window that ends now.

    INCREASE: how much a counter rose; with a second source that one's share of it in percent. RESETS: how
    often the value fell. RISE: by how much a gauge is above what it was when the window began, never below
    0; a series that appeared since, while its panel ran, was 0 then. TIMES_USUAL: the value as a multiple of
    its own median. FULL_IN_HOURS: when a share of 100 % reaches that by a straight line through the window;
    none if it does not grow. AGE_INTERVALS: a time's age in units of the second source; only who has the
    snapshots can tell, history holds no such times.
    """

    INCREASE = "increase"
    RESETS = "resets"
    RISE = "rise"
    TIMES_USUAL = "times_usual"
    FULL_IN_HOURS = "full_in_hours"
    AGE_INTERVALS = "age_intervals"


# How often a key's unit goes into the base unit of the page: 85 % is a ratio of 0.85.
_PER_BASE_UNIT = {Unit.PERCENT: 100.0, Unit.MILLISECONDS: 1000.0, Unit.PER_MINUTE: 60.0}


# Compared by identity: a panel declares a family once, and samples are grouped by it in hot loops.
@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """One Prometheus family, declared as data by the panel that emits it.

    `labels` come after `cluster` and `host`, which every family has (`cluster_only` drops `host`).
    `key` and `unit` name it in rules; no key means that rules cannot use it directly.
    `alarming` is the value (base unit) at which someone should look: caps keep the rows nearest to
    it. None means that the value says nothing about severity, such as a size.
    `history` marks what is worth remembering; `panel` is filled in by the panel.
    `keys` stands in for `key` where each value of the only label has a key of its own.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: Kind = Kind.GAUGE
    key: str | None = None
    keys: tuple[tuple[str, str], ...] = ()
    unit: Unit = Unit.NONE
    alarming: float | None = None
    history: bool = False
    cluster_only: bool = False

    @property
    def per_base_unit(self) -> float:
        """What the page's value is multiplied with to be in the unit of the rule key."""
        return _PER_BASE_UNIT.get(self.unit, 1.0)

    @property
    def bounded(self) -> bool:
        """Whether the number of its series does not grow with the users' schemas."""
        return UNBOUNDED_LABELS.isdisjoint(self.labels)

    def key_of(self, labels: tuple[str, ...]) -> str | None:
        """The rule key of a series with these label values: one for the family, or one for each value."""
        return dict(self.keys).get(labels[0]) if self.keys else self.key

    def severity(self, value: float) -> float:
        """0 at rest, 1 where it alarms, more beyond."""
        return 0.0 if self.alarming is None else max(0.0, value / self.alarming)


@dataclass(frozen=True, slots=True)
class Rate:
    """A rule key that is computed by its reader from history, as `reading` says.

    `sources` are family names. Of counters, labels that are not in `labels` are summed up. Of others `where`
    chooses the series of the first source by label, and there is no value while the second source has none.
    There is none either with fewer than `at_least` events of the first source in the window, or below that
    value of it (in the unit of its key): a share of next to nothing says nothing.
    `expr` is the same in PromQL, for people who evaluate rules in Prometheus.
    """

    key: str
    unit: Unit
    help: str
    sources: tuple[str, ...]
    expr: str
    labels: tuple[str, ...] = ()
    window_seconds: int = 300
    at_least: int = 0
    reading: Reading = Reading.INCREASE
    where: tuple[tuple[str, str], ...] = ()


class Sample(NamedTuple):
    """One value of a metric; `labels` are the values of `metric.labels`, in that order."""

    metric: Metric
    labels: tuple[str, ...]
    value: float

    @property
    def severity(self) -> float:
        return self.metric.severity(self.value)


def per_minute(key: str, source: str, help_: str, labels: tuple[str, ...] = ()) -> Rate:
    """The usual rate key: events a minute over five minutes."""
    return Rate(key, Unit.PER_MINUTE, help_, (source,), f"60 * rate({source}[5m])", labels)
