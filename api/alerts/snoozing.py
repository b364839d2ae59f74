"""A snooze: a silence that is made from an alert, and what the alerts say of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from clustersight.metric_keys import metric_keys
from clustersight.store import alert_changes, alert_events, alerts, silences
from clustersight.store.alert_events import Event, EventKind
from clustersight.store.alerts import StoredAlert
from clustersight.store.database import Connection
from clustersight.store.silences import NewSilence, StoredSilence

NAME_LABEL = "alertname"


class SnoozeScope(StrEnum):
    """What a snooze silences."""

    ALERT = "alert"
    RULE = "rule"


def begin(db: Connection, alert: StoredAlert, scope: SnoozeScope, until: float, now: float) -> StoredSilence:
    """Silence it; what it was snoozed by before is over."""
    for earlier in silences.of_alert(db, alert.id, now):
        end(db, earlier)
    made = silences.create(db, _silence(alert, scope, until, now), now)
    told = [alert.id]
    if scope is SnoozeScope.RULE:
        told = alerts.unresolved_of_rule(db, alert.rule_name)
        alert_changes.snooze(db, until, rule_name=alert.rule_name)
    else:
        alert_changes.snooze(db, until, alert_id=alert.id)
    detail = {"until": until, "scope": scope.value, "silence_id": made.id}
    alert_events.put(db, [Event(one, now, EventKind.SNOOZED, detail) for one in told])
    return made


def end(db: Connection, stored: StoredSilence) -> None:
    """Remove a silence; the alerts that it is the snooze of are snoozed no longer."""
    silence = stored.silence
    silences.delete(db, stored.id)
    if silence.alert_id is None:
        return
    if len(silence.matchers) > 1:
        alert_changes.unsnooze(db, silence.ends_at, alert_id=silence.alert_id)
    else:
        alert_changes.unsnooze(db, silence.ends_at, rule_name=silence.matchers[0]["value"])


def _silence(alert: StoredAlert, scope: SnoozeScope, until: float, now: float) -> NewSilence:
    wanted = {NAME_LABEL: alert.rule_name}
    if scope is SnoozeScope.ALERT:
        wanted |= _labels_of(alert.detail)
    return NewSilence(
        matchers=[{"label": label, "op": "=", "value": value} for label, value in wanted.items()],
        starts_at=now,
        ends_at=until,
        created_by="snooze",
        comment=f"a snooze of the {scope} {alert.id if scope is SnoozeScope.ALERT else alert.rule_name}",
        alert_id=alert.id,
    )


def _labels_of(detail: Mapping[str, Any]) -> dict[str, str]:
    """Every label that tells the alert from others of its rule; one that it lacks is the empty text."""
    key = metric_keys().get(detail["metric_key"])
    lacking = dict.fromkeys(("host", *key.labels) if key is not None else ("host",), "")
    return {"cluster": detail["cluster_name"], **lacking, **detail["labels"]}
