"""A file of tests as data; times in seconds since the test's begin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from clustersight.notify.notice import NoticeKind
from clustersight.rules.places import Spot
from clustersight.rules.testing.notation import Point

# promtool's.
DEFAULT_INTERVAL_SECONDS = 60


@dataclass(frozen=True, slots=True)
class InputSeries:
    """A series as it stands in the file; its name is a rule key or a Prometheus name."""

    name: str
    labels: Mapping[str, str]
    points: tuple[Point, ...]
    spot: Spot


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """`labels` are all of them but alertname; of annotations only those that are named are compared."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AlertCheck:
    """What fires under a name at a time, and nothing else under this name."""

    eval_time: int
    alertname: str
    expected: tuple[ExpectedAlert, ...]
    spot: Spot


@dataclass(frozen=True, slots=True)
class ExpectedNotice:
    """A message of an alert; without `labels` it may be of any."""

    eval_time: int
    alertname: str
    kind: NoticeKind
    labels: Mapping[str, str] | None
    spot: Spot


class Deed(StrEnum):
    """What a person does with an alert."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"


@dataclass(frozen=True, slots=True)
class Action:
    """A person's deed at a time, on the alerts of a name that have these labels; a snooze lasts `for_sec`."""

    time: int
    deed: Deed
    alertname: str
    for_sec: int
    labels: Mapping[str, str]
    spot: Spot


@dataclass(frozen=True, slots=True)
class Case:
    """One test. `interval` lies between two values of a series.

    `notices`, where there are some or an empty list, are all messages of the whole test; None: not looked at.
    """

    name: str
    interval: int
    evaluation_interval: int
    series: tuple[InputSeries, ...]
    checks: tuple[AlertCheck, ...]
    notices: tuple[ExpectedNotice, ...] | None
    actions: tuple[Action, ...]
    spot: Spot

    @property
    def last_time(self) -> int:
        """When there is nothing more to look at."""
        checks = [one.eval_time for one in self.checks]
        notices = [one.eval_time for one in self.notices or ()]
        return max([*checks, *notices, *(one.time for one in self.actions)], default=0)

    def named(self) -> Iterator[tuple[str, Spot]]:
        """The alertnames that it says, with where."""
        yield from ((one.alertname, one.spot) for one in self.checks)
        yield from ((one.alertname, one.spot) for one in self.notices or ())
        yield from ((one.alertname, one.spot) for one in self.actions)


@dataclass(frozen=True, slots=True)
class TestFile:
    """A file; `rule_files` are patterns with their places, empty: the built-in rules."""

    __test__ = False

    path: Path
    rule_files: tuple[tuple[str, Spot], ...]
    cases: tuple[Case, ...]
