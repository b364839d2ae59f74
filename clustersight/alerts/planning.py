"""What a channel is to be told of an alert now (pure): spec/rules.md, "Delivery"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clustersight.notify.notice import NoticeKind
from clustersight.settings.notify import ChannelMatch, Severity

_RANK = {Severity.WARNING: 0, Severity.CRITICAL: 1}


def rank(severity: Severity) -> int:
    """The more severe, the higher."""
    return _RANK[severity]


@dataclass(slots=True)
class Told:
    """What a channel knows of an alert, and what waits for it.

    `severity` is that of the last confirmed delivery at `at` (steady seconds), None before the first one;
    `waiting` is the kind of the row that is pending, beside its id and severity. `given_up`: the last
    row ended dead at `at`, so that the next try waits for the cooldown too.
    """

    severity: Severity | None = None
    at: float = 0.0
    waiting: NoticeKind | None = None
    waiting_id: int | None = None
    waiting_severity: Severity | None = None
    given_up: bool = False

    def fall(self, severity: Severity) -> None:
        """The alert is less severe now: if it rises again, that is told again."""
        if self.severity is not None and rank(self.severity) > rank(severity):
            self.severity = severity


@dataclass(frozen=True, slots=True)
class Standing:
    """An unresolved alert as far as delivery goes. `quiet`: inhibited, silenced or snoozed."""

    severity: Severity
    acknowledged: bool
    quiet: bool
    cooldown_sec: float


@dataclass(frozen=True, slots=True)
class Decision:
    """A row to be written, if any; `withdraw`: what waits must not be sent any more."""

    kind: NoticeKind | None = None
    withdraw: bool = False


_NOTHING = Decision()
_WITHDRAW = Decision(withdraw=True)


def decide(standing: Standing, told: Told, now: float) -> Decision:
    """For an alert that fires. A rise in severity is never held back by cooldown or acknowledgement."""
    rank = _RANK[standing.severity]
    if standing.quiet:
        return _WITHDRAW if told.waiting is not None else _NOTHING
    if told.waiting is not None:
        return _while_waiting(standing, told, rank)
    if told.severity is None:
        again = told.given_up and now - told.at < standing.cooldown_sec
        return _NOTHING if standing.acknowledged or again else Decision(NoticeKind.FIRING)
    if rank > _RANK[told.severity]:
        return Decision(NoticeKind.RISE)
    if standing.acknowledged or now - told.at < standing.cooldown_sec:
        return _NOTHING
    return Decision(NoticeKind.REPEAT)


def _while_waiting(standing: Standing, told: Told, rank: int) -> Decision:
    """A row that is not sent yet says what was true when it was written."""
    risen = told.waiting_severity is not None and rank > _RANK[told.waiting_severity]
    if risen:
        return Decision(NoticeKind.FIRING if told.severity is None else NoticeKind.RISE, withdraw=True)
    return _WITHDRAW if standing.acknowledged and told.waiting is not NoticeKind.RISE else _NOTHING


def on_resolve(told: Told) -> tuple[Decision, bool]:
    """For an alert that is over, also while it is silenced; the flag: nobody was told that it fired."""
    if told.severity is None and told.waiting is None:
        return _NOTHING, False
    return Decision(NoticeKind.RESOLVED, withdraw=told.waiting is not None), told.severity is None


def takes(match: ChannelMatch, severity: Severity, cluster: str, labels: Mapping[str, str]) -> bool:
    """Whether a channel wants to hear of an alert; an empty condition takes all."""
    if match.severity and severity not in match.severity:
        return False
    if match.cluster and cluster not in match.cluster:
        return False
    return all(labels.get(name) == value for name, value in match.labels.items())
