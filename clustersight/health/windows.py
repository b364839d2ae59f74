"""What the score needs of the past, as a list for whoever can read history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from clustersight.health import families

QUARTER_SECONDS = 900
HOUR_SECONDS = 3600
DAY_SECONDS = 86400


class Reading(StrEnum):
    """What to make of a series within a window that ends now.

    INCREASE: how much a counter rose, resets handled.
    RISE: how much a gauge is above what it was at the start of the window. A series that did not
    exist then counts as 0, provided that the window's `witness` of that host did. Where the history
    is shorter than the window, its start is where the witness begins.
    RESETS: how often the value fell.
    MEAN, MEDIAN: of the times at which it was known.
    """

    INCREASE = "increase"
    RISE = "rise"
    RESETS = "resets"
    MEAN = "mean"
    MEDIAN = "median"


@dataclass(frozen=True, slots=True)
class Window:
    """One question to history: all hosts, all series of the family that carry `labels`."""

    family: str
    reading: Reading
    seconds: int
    labels: tuple[tuple[str, str], ...] = ()
    witness: str = ""


ERRORS = Window(families.ERRORS, Reading.INCREASE, QUARTER_SECONDS)
REFUSED = Window(families.REFUSED, Reading.INCREASE, QUARTER_SECONDS)
DELAYED = Window(families.DELAYED_INSERTS, Reading.INCREASE, QUARTER_SECONDS)
REJECTED = Window(families.REJECTED_INSERTS, Reading.INCREASE, QUARTER_SECONDS)
QUERIES = Window(families.INITIAL_QUERIES, Reading.INCREASE, QUARTER_SECONDS)
FAULTS = Window(families.FAULT_RATIO, Reading.MEAN, QUARTER_SECONDS)
RESTARTS = Window(families.UPTIME, Reading.RESETS, HOUR_SECONDS)
BROKEN_PARTS = Window(families.DETACHED, Reading.RISE, DAY_SECONDS, witness=families.ALL_DETACHED)
P95 = Window(families.DURATION, Reading.MEDIAN, DAY_SECONDS, (("quantile", "0.95"),))

WANTED = (ERRORS, REFUSED, DELAYED, REJECTED, QUERIES, FAULTS, RESTARTS, BROKEN_PARTS, P95)


@dataclass(frozen=True, slots=True)
class Change:
    """The answer for one series, in the unit of its rule key (a counter: events); also where it is 0.

    No Change at all for a series means that its history is not there.
    """

    host: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Windows:
    """The answers to WANTED; a window that is not in it is unknown."""

    changes: Mapping[Window, Sequence[Change]] = field(default_factory=dict)

    def of(self, window: Window) -> Sequence[Change]:
        return self.changes.get(window, ())
