"""What the alerter knows of rules' states, alerts and deliveries: as in the store, at hand."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from alerter.steady import SteadyClock
from clustersight.alerts.inhibition import LINGER_SECONDS, Place, place_of
from clustersight.alerts.instance import Instance
from clustersight.alerts.leading import AlertKey
from clustersight.alerts.planning import Told
from clustersight.alerts.wording import Detail
from clustersight.notify.notice import NoticeKind
from clustersight.settings.notify import Severity
from clustersight.store import alerts, outbox, passes, rule_states
from clustersight.store.alerts import StoredAlert
from clustersight.store.database import Connection
from clustersight.store.outbox import StoredRow


@dataclass(slots=True)
class OpenAlert:
    """An unresolved alert. `fired_at` is wall seconds, `written_at` steady ones."""

    id: str
    rule_name: str
    cluster_id: str
    fingerprint: str
    severity: Severity
    fired_at: float
    detail: Detail
    acknowledged: bool = False
    written_at: float = 0.0

    @property
    def place(self) -> Place:
        return place_of(self.cluster_id, self.detail["host"], self.detail["labels"])

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
    """`told` is shared with the senders, under `lock`; the rest is the engine's alone.

    `lingering` are places of alerts that ended less than LINGER_SECONDS ago, with when (steady).
    """

    instances: dict[str, dict[str, Instance]] = field(default_factory=dict)
    alerts: dict[AlertKey, OpenAlert] = field(default_factory=dict)
    told: dict[tuple[str, str], Told] = field(default_factory=dict)
    lingering: list[tuple[str, Place, float]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)


def load(db: Connection, clock: SteadyClock) -> Book:
    """Everything that a predecessor left, with the ages that it had when that one last looked.

    The time in between counts for no `for`: nobody knows what was true meanwhile, and a step of the clock
    in it must not fire anything. Raises StoreError.
    """
    book = Book()
    last = max((one.steady for one in passes.latest(db)), default=None)
    moved = 0.0 if last is None else clock.now() - last
    for (rule_id, key), plain in rule_states.every(db).items():
        instance = Instance.of_plain(plain).moved(moved)
        instance = replace(instance, since=min(instance.since, clock.now()))
        book.instances.setdefault(rule_id, {})[key] = instance
    for stored in alerts.open_ones(db):
        book.alerts[stored.rule_name, stored.fingerprint] = _open(stored)
    for row in outbox.of_unresolved(db):
        tell(book, row, clock)
    since = clock.wall() - LINGER_SECONDS
    book.lingering = [_lingering(one, clock) for one in alerts.resolved_since(db, since)]
    return book


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


def _lingering(stored: StoredAlert, clock: SteadyClock) -> tuple[str, Place, float]:
    place = place_of(stored.cluster_id, stored.detail["host"], stored.detail["labels"])
    return stored.rule_name, place, clock.of_past(stored.resolved_at or stored.fired_at)


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
    elif row.state == outbox.DEAD and told.severity is None:
        told.given_up, told.at = True, clock.of_past(row.ended_at or row.created_at)


def ended(
    book: Book, rows: Iterable[tuple[int, str | None, Severity]], channel: str, now: float, *, good: bool
) -> None:
    """A sender's rows are delivered, or dead: id, alert and severity of each; `now` is steady."""
    with book.lock:
        for row_id, alert_id, severity in rows:
            if alert_id is None:
                continue
            # An escalation may be the first that a channel hears of an alert.
            told = book.told.setdefault((alert_id, channel), Told())
            if told.waiting_id is not None and told.waiting_id <= row_id:
                told.waiting = told.waiting_severity = told.waiting_id = None
            if good:
                told.severity, told.at, told.given_up = severity, now, False
            else:
                told.given_up, told.at = told.severity is None, now
