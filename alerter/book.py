"""What the alerter knows of rules' states, alerts and deliveries: as in the store, at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from alerter.steady import SteadyClock
from clustersight.alerts.inhibition import MOST_LINGER_SECONDS, Place, place_of
from clustersight.alerts.instance import Instance
from clustersight.alerts.keys import linger_seconds, speaks_of_cluster
from clustersight.alerts.leading import AlertKey
from clustersight.alerts.planning import Told
from clustersight.alerts.wording import Detail
from clustersight.notify.notice import NoticeKind
from clustersight.rules.rule import Rule
from clustersight.settings.notify import Severity
from clustersight.store import alerts, outbox, passes, rule_states
from clustersight.store.alerts import StoredAlert
from clustersight.store.database import Connection
from clustersight.store.outbox import StoredRow

# Two readings of one clock.
_FUTURE_SECONDS = 5.0


@dataclass(slots=True)
class OpenAlert:
    """An unresolved alert. `fired_at` is wall seconds, `written_at` steady ones.

    `rule` is the one whose text it has; None after a restart.
    """

    id: str
    rule_name: str
    cluster_id: str
    fingerprint: str
    severity: Severity
    fired_at: float
    detail: Detail
    acknowledged: bool = False
    written_at: float = 0.0
    rule: Rule | None = None

    @property
    def place(self) -> Place:
        return place_of(self.cluster_id, self.detail["host"], self.detail["labels"])

    def inhibits(self) -> list[tuple[str, Place]]:
        """As whom and where it inhibits others."""
        return inhibits(self.rule_name, self.cluster_id, self.detail)

    def plain(self) -> dict[str, object]:
        """What a notice says of it beside its detail."""
        return {
            "id": self.id,
            "rule_name": self.rule_name,
            "severity": self.severity,
            "fired_at": self.fired_at,
        }


@dataclass(slots=True)
class Book:
    """`told` is shared with the senders, under the engine's lock; the rest is the engine's alone.

    `lingering` are places of alerts that are over and inhibit others until a time (steady).
    """

    instances: dict[str, dict[str, Instance]] = field(default_factory=dict)
    alerts: dict[AlertKey, OpenAlert] = field(default_factory=dict)
    told: dict[tuple[str, str], Told] = field(default_factory=dict)
    lingering: list[tuple[str, Place, float]] = field(default_factory=list)


def load(db: Connection, clock: SteadyClock) -> Book:
    """Everything that a predecessor left, with the ages that it had when that one last looked.

    The time in between counts for no `for`: nobody knows what was true meanwhile, and a step of the clock
    in it must not fire anything. Raises StoreError.
    """
    book = Book()
    last = _last_pass([one.steady for one in passes.latest(db)], clock.now())
    moved = 0.0 if last is None else clock.now() - last
    for (rule_id, key), plain in rule_states.every(db).items():
        instance = Instance.of_plain(plain).moved(moved)
        instance = replace(instance, since=min(instance.since, clock.now()))
        book.instances.setdefault(rule_id, {})[key] = instance
    for stored in alerts.open_ones(db):
        book.alerts[stored.rule_name, stored.fingerprint] = _open(stored)
    for row in outbox.of_unresolved(db):
        tell(book, row, clock)
    _lower(book)
    since = clock.wall() - MOST_LINGER_SECONDS
    book.lingering = [part for one in alerts.resolved_since(db, since) for part in _lingering(one, clock)]
    return book


def _last_pass(steady: list[float], now: float) -> float | None:
    """When the last pass was. One in the future was before the clock was set back; one after it counts."""
    past = [at for at in steady if at <= now + _FUTURE_SECONDS]
    return max(past or steady, default=None)


def _lower(book: Book) -> None:
    """A severity that fell since it was told is told again when it rises."""
    now = {alert.id: alert.severity for alert in book.alerts.values()}
    for (alert_id, _), told in book.told.items():
        told.fall(now.get(alert_id, Severity.CRITICAL))


def _open(stored: StoredAlert) -> OpenAlert:
    return OpenAlert(
        id=stored.id,
        rule_name=stored.rule_name,
        cluster_id=stored.cluster_id,
        fingerprint=stored.fingerprint,
        severity=Severity(stored.severity),
        fired_at=stored.fired_at,
        detail=dict(stored.detail),
        acknowledged=stored.status == "acknowledged",
    )


def inhibits(rule_name: str, cluster_id: str, detail: Mapping[str, Any]) -> list[tuple[str, Place]]:
    """An alert is known by its rule's name and by that of the one that leads; what speaks of a whole
    cluster, whichever node was asked, inhibits on all of them."""
    host = "" if speaks_of_cluster(detail["metric_key"]) else detail["host"]
    place = place_of(cluster_id, host, detail["labels"])
    return [(name, place) for name in sorted({rule_name, detail["rule"]})]


def _lingering(stored: StoredAlert, clock: SteadyClock) -> Iterator[tuple[str, Place, float]]:
    until = clock.of_past(stored.resolved_at or stored.fired_at)
    until += linger_seconds(stored.detail["metric_key"])
    for name, place in inhibits(stored.rule_name, stored.cluster_id, stored.detail):
        yield name, place, until


def tell(book: Book, row: StoredRow, clock: SteadyClock) -> None:
    """Take over what an outbox row says of what a channel knows; rows come in the order of their ids."""
    if row.alert_id is None:
        return
    told = book.told.setdefault((row.alert_id, row.channel), Told())
    kind = NoticeKind(row.kind)
    if row.state == outbox.PENDING:
        if kind is not NoticeKind.ESCALATED:
            told.waiting, told.waiting_severity, told.waiting_id = kind, Severity(row.severity), row.id
    elif row.state == outbox.DELIVERED:
        told.severity, told.at = Severity(row.severity), clock.of_past(row.ended_at or row.created_at)
    elif row.state == outbox.DEAD and told.severity is None and kind is not NoticeKind.ESCALATED:
        told.given_up, told.at = True, clock.of_past(row.ended_at or row.created_at)


def ended(
    book: Book, rows: Iterable[tuple[int, str | None, Severity]], channel: str, now: float, *, good: bool
) -> None:
    """A sender's rows are delivered, or dead: id, alert and severity of each; `now` is steady.

    Called under the engine's lock.
    """
    for row_id, alert_id, severity in rows:
        if alert_id is None:
            continue
        # An escalation may be the first that a channel hears of an alert; what waited before it still does.
        told = book.told.setdefault((alert_id, channel), Told())
        waited = told.waiting_id == row_id
        if waited:
            told.waiting = told.waiting_severity = told.waiting_id = None
        if good:
            told.severity, told.at, told.given_up = severity, now, False
        elif waited:
            told.given_up, told.at = told.severity is None, now


def forget_channels(book: Book, keep: Iterable[str]) -> None:
    """What channels knew that are not configured any more: if one comes back, it is told anew."""
    names = set(keep)
    for key in [key for key in book.told if key[1] not in names]:
        del book.told[key]
