"""What a pass writes: states, alerts, events and what is to be sent, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alerter import planner
from alerter.book import Book, OpenAlert
from alerter.changes import States, Transitions, transitions
from alerter.planner import Planner, Target, Withdrawal
from alerter.quiet import Silences, lingering, silenced_by, sources_of
from alerter.sight import Sight
from alerter.steady import SteadyClock
from clustersight.alerts.evaluate import Evaluation, Reason
from clustersight.alerts.inhibition import Place
from clustersight.alerts.keys import linger_seconds
from clustersight.alerts.leading import AlertKey, Lead, leads
from clustersight.alerts.wording import Detail, detail_of
from clustersight.ids import Prefix, new_id
from clustersight.rules.rule import Rule
from clustersight.store import alert_changes, alert_events, alerts, outbox, rule_states, silences
from clustersight.store.alert_changes import NewAlert
from clustersight.store.alert_events import Event, EventKind
from clustersight.store.database import Connection
from clustersight.store.outbox import Superseded

# How often an open alert's value and text are brought up to date in the store.
REFRESH_SECONDS = 60.0
# A silence that has ended by the wall clock may still run on the steady one.
_KEEP_SECONDS = 8 * 86400.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What a pass works with."""

    clock: SteadyClock
    sight: Sight
    silences: Silences
    rules: Mapping[str, Rule]
    targets: Sequence[Target]
    book: Book


class Writing:
    """One transaction of a pass; the book is changed in adopt(), when it is committed."""

    def __init__(self, scene: Scene, states: States, evaluated: Mapping[str, Evaluation]) -> None:
        self._scene = scene
        self._book = scene.book
        self._states = states
        self._evaluated = evaluated
        self._now = scene.clock.now()
        self._wall = scene.clock.wall()
        self._events: list[Event] = []
        self._changed: dict[str, OpenAlert] = {}
        self._opened: list[OpenAlert] = []
        self._planner = Planner(scene.book, self._now, self._wall, self._refresh)
        self._over: dict[str, Detail] = {}
        self._ids: list[int] = []
        self._after: dict[AlertKey, OpenAlert] = {}
        self._leads = leads(scene.rules, states.instances)
        self._lingering: list[tuple[str, Place, float]] = []

    def write(self, db: Connection) -> int:
        """Write everything; returns the number of rows for channels."""
        rule_states.put(db, {k: one.plain() for k, one in self._states.changed.items()}, self._wall)
        rule_states.delete(db, self._states.gone)
        moved = transitions(self._book, self._leads, self._reasons())
        self._people_did(db)
        self._open(moved)
        self._change(moved)
        self._hush()
        self._plan()
        self._end(moved)
        self._write(db)
        return len(self._planner.deliveries.rows)

    # -- what people did -------------------------------------------------------------------------------

    def _people_did(self, db: Connection) -> None:
        """Who is acknowledged is decided in the store, by the API; silences are followed there too."""
        states = alerts.statuses(db)
        self._after = {
            key: replace(
                alert, detail=dict(alert.detail), acknowledged=states.get(alert.id) == "acknowledged"
            )
            for key, alert in self._book.alerts.items()
        }
        self._scene.silences.follow(silences.unended(db, self._wall - _KEEP_SECONDS))

    # -- transitions -----------------------------------------------------------------------------------

    def _reasons(self) -> Callable[[OpenAlert], tuple[str, float | None]]:
        """Why no rule holds an alert any more, and what its sample says."""
        by_place: dict[tuple[str, str], tuple[str, float | None]] = {}
        for (rule_id, key), reason in self._states.reasons.items():
            rule, found = self._scene.rules.get(rule_id), self._evaluated.get(rule_id)
            if rule is not None:
                by_place[rule.identity, key] = reason, found.values.get(key) if found else None
        return lambda alert: by_place.get((alert.rule_name, alert.fingerprint), (Reason.RULE_REMOVED, None))

    def _open(self, moved: Transitions) -> None:
        for key, lead in moved.opened:
            _rule_id, rule, instance = lead
            alert = OpenAlert(
                id=new_id(Prefix.ALERT),
                rule_name=rule.identity,
                cluster_id=instance.cluster_id,
                fingerprint=key[1],
                severity=rule.severity,
                fired_at=self._wall,
                detail=self._detail(lead),
                written_at=self._now,
                rule=rule,
            )
            self._after[key] = alert
            self._opened.append(alert)
            self._note(alert, EventKind.FIRED, {"value": instance.value, "severity": alert.severity.value})

    def _change(self, moved: Transitions) -> None:
        for before, lead, kind in moved.changed:
            alert = self._after[before.rule_name, before.fingerprint]
            alert.severity = lead[1].severity
            self._refresh(alert)
            self._note(alert, kind, {"severity": alert.severity.value, "value": lead[2].value})

    def _detail(self, lead: Lead, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What is said of an alert; while its panel shows no row, the row from `before` stays."""
        _rule_id, rule, instance = lead
        sight = self._scene.sight
        found = sight.evidence(instance.cluster_id, rule.metric_key, instance.host, dict(instance.labels))
        evidence = found if found is not None else before
        name = sight.clusters.get(instance.cluster_id, instance.cluster_id)
        return detail_of(rule, instance, name, evidence)

    def _refresh(self, alert: OpenAlert) -> None:
        """Bring an alert's value and text up to date, once a pass."""
        lead = self._leads.get((alert.rule_name, alert.fingerprint))
        if lead is None or alert.written_at == self._now:
            return
        kept = {name: alert.detail[name] for name in ("inhibited_by", "silenced_by", "channels")}
        alert.detail = {**self._detail(lead, alert.detail["evidence"]), **kept}
        alert.written_at, alert.rule = self._now, lead[1]
        self._changed[alert.id] = alert

    def _note(self, alert: OpenAlert, kind: EventKind, detail: Mapping[str, Any]) -> None:
        self._events.append(Event(alert.id, self._wall, kind, detail))

    # -- what is not sent ------------------------------------------------------------------------------

    def _hush(self) -> None:
        """Note of every alert what inhibits and what silences it, and that it does so no longer."""
        self._lingering = lingering(self._book, self._now)
        sources = sources_of(self._book, self._lingering, self._leads, self._scene.rules.values())
        holding = self._scene.silences.holding()
        for key, alert in self._after.items():
            lead = self._leads.get(key)
            if lead is None:
                continue  # it is over: what kept it silent stays to be seen
            inhibited = None
            if lead[1].inhibited_by:
                inhibited = sources.inhibitor(lead[1].inhibited_by, alert.place)
            self._set(alert, "inhibited_by", inhibited, EventKind.INHIBITED, EventKind.UNINHIBITED)
            silence = silenced_by(holding, alert) if holding else None
            self._set(alert, "silenced_by", silence, EventKind.SILENCED, EventKind.UNSILENCED)

    def _set(self, alert: OpenAlert, name: str, value: str | None, on: EventKind, off: EventKind) -> None:
        before = alert.detail[name]
        if before == value:
            return
        alert.detail[name] = value
        if (before is None) is not (value is None):
            self._note(alert, off if value is None else on, {"by": value or before})
        self._changed[alert.id] = alert

    # -- deliveries ------------------------------------------------------------------------------------

    def _plan(self) -> None:
        self._planner.followers = Counter(
            (alert.cluster_id, alert.detail["inhibited_by"])
            for alert in self._after.values()
            if alert.detail["inhibited_by"]
        )
        for key, alert in self._after.items():
            lead = self._leads.get(key)
            if lead is None:
                continue
            self._stale_text(alert, lead)
            names = [one.name for one in planner.matching(self._scene.targets, alert)]
            if alert.detail["channels"] != names:
                alert.detail["channels"] = names
                self._changed[alert.id] = alert
            self._planner.firing(alert, self._scene.targets, lead[1].cooldown_sec)

    def _stale_text(self, alert: OpenAlert, lead: Lead) -> None:
        old = self._now - alert.written_at >= REFRESH_SECONDS
        # A rule that was edited is another object; so is every rule after a restart.
        if alert.rule is not lead[1] or (old and lead[2].value != alert.detail["value"]):
            self._refresh(alert)

    def _end(self, moved: Transitions) -> None:
        channels = [target.name for target in self._scene.targets]
        for over in moved.ended:
            key = (over.alert.rule_name, over.alert.fingerprint)
            alert = self._after.pop(key)
            alert.detail["resolve_reason"] = over.reason
            if over.value is not None:
                alert.detail["value"] = over.value
            self._over[alert.id] = alert.detail
            until = self._now + linger_seconds(alert.detail["metric_key"])
            self._lingering += [(name, place, until) for name, place in alert.inhibits()]
            self._note(alert, EventKind.RESOLVED, {"reason": over.reason, "value": over.value})
            self._planner.over(alert, channels)

    # -- the transaction -------------------------------------------------------------------------------

    def _write(self, db: Connection) -> None:
        alert_changes.resolve(db, self._over, self._wall)
        alert_changes.open_(db, [self._new(alert) for alert in self._opened])
        fresh = {alert.id for alert in self._opened}
        changed = {
            alert.id: (alert.severity.value, alert.detail)
            for alert in self._changed.values()
            if alert.id not in self._over and alert.id not in fresh
        }
        alert_changes.change(db, changed)
        alert_events.put(db, self._events)
        self._ids = outbox.put(db, self._planner.deliveries.rows, self._wall)
        outbox.supersede(
            db, [self._superseded(one) for one in self._planner.deliveries.withdrawals], self._wall
        )

    def _superseded(self, one: Withdrawal) -> Superseded:
        by = self._ids[one.by] if one.by is not None else None
        return Superseded(one.alert_id, one.channel, one.reason, by)

    def _new(self, alert: OpenAlert) -> NewAlert:
        lead = self._leads[alert.rule_name, alert.fingerprint]
        return NewAlert(
            id=alert.id,
            rule_id=lead[0],
            rule_name=alert.rule_name,
            cluster_id=alert.cluster_id,
            fingerprint=alert.fingerprint,
            severity=alert.severity.value,
            fired_at=alert.fired_at,
            detail=alert.detail,
        )

    @property
    def told(self) -> tuple[list[Event], dict[str, tuple[str, Detail]]]:
        """What happened, and to which alerts: for the log."""
        if not self._events:
            return [], {}
        over = {one.id: (one.rule_name, one.detail) for one in self._book.alerts.values()}
        now = {one.id: (one.rule_name, one.detail) for one in self._after.values()}
        return self._events, over | now

    def adopt(self) -> None:
        """It is committed: the book says so too."""
        book = self._book
        book.instances = self._states.instances
        book.alerts = self._after
        book.lingering = self._lingering
        planner.remember(book, self._planner.deliveries, self._ids)
        alive = {alert.id for alert in self._after.values()}
        for key in [key for key in book.told if key[0] not in alive]:
            del book.told[key]
