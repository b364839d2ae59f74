"""What each channel is to be told after a pass: outbox rows, and rows that are not to be sent any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alerter.book import Book, OpenAlert
from clustersight.alerts.notices import notice_of
from clustersight.alerts.planning import Decision, Standing, Told, decide, on_resolve, takes
from clustersight.notify.notice import NoticeKind
from clustersight.settings.notify import ChannelMatch, Severity
from clustersight.store.outbox import NewRow


@dataclass(frozen=True, slots=True)
class Target:
    """A channel as far as planning goes."""

    name: str
    match: ChannelMatch


@dataclass(slots=True)
class Withdrawal:
    """What waits of an alert on a channel is not sent; `by` is the place of its successor in `rows`."""

    alert_id: str
    channel: str
    reason: str
    by: int | None


@dataclass(slots=True)
class Deliveries:
    """`rows` are to be written in this order, then the withdrawals."""

    rows: list[NewRow] = field(default_factory=list)
    withdrawals: list[Withdrawal] = field(default_factory=list)

    def add(self, alert: OpenAlert, channel: str, decision: Decision, row: NewRow | None, why: str) -> None:
        if row is not None:
            self.rows.append(row)
        if decision.withdraw:
            by = len(self.rows) - 1 if row is not None else None
            reason = "replaced by a later message" if row is not None else why
            self.withdrawals.append(Withdrawal(alert.id, channel, reason, by))


_UNTOLD = Told()


@dataclass(slots=True)
class Planner:
    """One pass. `refreshed` brings an alert's text up to date before it is sent; `now` is steady.

    `followers` is how many alerts each rule inhibits, by cluster and the rule's name: its message says so.
    """

    book: Book
    now: float
    wall: float
    refreshed: Callable[[OpenAlert], None]
    followers: Mapping[tuple[str, str], int] = field(default_factory=dict)
    deliveries: Deliveries = field(default_factory=Deliveries)

    def firing(self, alert: OpenAlert, targets: Sequence[Target], cooldown_sec: float) -> None:
        """An alert that is not over: whoever should hear of it now, does. `targets` are all channels."""
        quiet = alert.detail["inhibited_by"] or alert.detail["silenced_by"]
        standing = Standing(alert.severity, alert.acknowledged, bool(quiet), cooldown_sec)
        wanted = set(alert.detail["channels"])
        for target in targets:
            told = self.book.told.get((alert.id, target.name))
            if told is not None:
                told.fall(alert.severity)
            if target.name in wanted:
                self._follow(alert, target.name, decide(standing, told or _UNTOLD, self.now))
            elif told is not None and told.waiting is not None:
                why = "the channel does not take it any more"
                self.deliveries.add(alert, target.name, Decision(withdraw=True), None, why)

    def _follow(self, alert: OpenAlert, channel: str, decision: Decision) -> None:
        row = None
        if decision.kind is not None:
            self.refreshed(alert)
            notice = notice_of(decision.kind, alert.plain(), self._with_followers(alert))
            row = _row(alert, channel, decision.kind, notice)
        if row is not None or decision.withdraw:
            self.deliveries.add(alert, channel, decision, row, _why(alert))

    def _with_followers(self, alert: OpenAlert) -> Mapping[str, Any]:
        number = self.followers.get((alert.cluster_id, alert.rule_name), 0)
        if not number:
            return alert.detail
        said = f"{number} other alert{'s' * (number > 1)} of the cluster follow from this and are not sent."
        return {**alert.detail, "description": f"{alert.detail['description']}\n{said}".strip()}

    def over(self, alert: OpenAlert, channels: Sequence[str]) -> None:
        """An alert that is over: whoever was told that it fires, or was about to be, is told."""
        for channel in channels:
            told = self.book.told.get((alert.id, channel), _UNTOLD)
            decision, untold = on_resolve(told)
            if decision.kind is not None:
                notice = notice_of(
                    decision.kind, alert.plain(), alert.detail, resolved_at=self.wall, untold=untold
                )
                row = _row(alert, channel, decision.kind, notice)
                self.deliveries.add(alert, channel, decision, row, "")


def _why(alert: OpenAlert) -> str:
    if alert.detail["inhibited_by"]:
        return f"inhibited by {alert.detail['inhibited_by']}"
    if alert.detail["silenced_by"]:
        return "silenced"
    return "acknowledged" if alert.acknowledged else "withdrawn"


def _row(alert: OpenAlert, channel: str, kind: NoticeKind, notice: dict[str, object]) -> NewRow:
    return NewRow(alert.id, channel, kind.value, alert.severity.value, notice)


def matching(targets: Sequence[Target], alert: OpenAlert) -> list[Target]:
    """The channels that want to hear of an alert."""
    labels: Mapping[str, str] = alert.detail["labels"]
    cluster = alert.detail["cluster_name"]
    return [one for one in targets if takes(one.match, alert.severity, cluster, labels)]


def remember(book: Book, deliveries: Deliveries, ids: Sequence[int]) -> None:
    """Note in the book what was written; called under its lock."""
    for one in deliveries.withdrawals:
        told = book.told.get((one.alert_id, one.channel))
        if told is not None:
            told.waiting = told.waiting_id = told.waiting_severity = None
    for row, row_id in zip(deliveries.rows, ids, strict=True):
        if row.alert_id is not None:
            told = book.told.setdefault((row.alert_id, row.channel), Told())
            told.waiting, told.waiting_id = NoticeKind(row.kind), row_id
            told.waiting_severity = Severity(row.severity)
