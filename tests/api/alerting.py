"""Alerts, outbox rows and passes in the store, as the alerter writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clustersight.alerts.instance import Instance, Phase
from clustersight.alerts.wording import detail_of
from clustersight.ids import Prefix, new_id
from clustersight.process.leadership import LEASE_SECONDS
from clustersight.rules.rule import Operator, Rule
from clustersight.settings.notify import Severity
from clustersight.store import alert_changes, alert_events, alerts, clusters, leases
from clustersight.store.alert_changes import NewAlert
from clustersight.store.alert_events import Event, EventKind
from clustersight.store.clusters import Description
from clustersight.store.opening import Store

if TYPE_CHECKING:
    from tests.api.conftest import Client

DISK = Rule(
    name="DiskUsage",
    metric_key="disk.usage_pct",
    operator=Operator.ABOVE,
    threshold=85.0,
    severity=Severity.CRITICAL,
    summary="Disk {{ $labels.disk }} is at {{ $value | humanizePercent }}",
    runbook_url="https://runbook.example/disk",
    labels={"team": "data"},
)


def cluster_of(store: Store) -> str:
    """The one cluster; its id."""
    with store.database.begin() as db:
        known = clusters.active(db)
        found = known[0] if known else clusters.create(db, Description("one", "ch1", 1), None, 0.0)
    return found.id


def fired(client: Client, rule: Rule = DISK, *, at: float | None = None, **more: Any) -> str:
    """An alert that fires since `at`, or since a minute; its id."""
    return fire(client.store, client.time.now - 60 if at is None else at, rule, **more)


def fire(
    store: Store,
    at: float,
    rule: Rule = DISK,
    *,
    host: str = "ch1",
    labels: dict[str, str] | None = None,
    channels: tuple[str, ...] = (),
    value: float | None = 91.0,
) -> str:
    """The same in any store."""
    own = tuple(sorted((labels if labels is not None else {"disk": "default"}).items()))
    instance = Instance(cluster_of(store), host, own, Phase.FIRING, at, value)
    detail = detail_of(rule, instance, "one", {"disk": "default"}) | {"channels": list(channels)}
    alert_id = new_id(Prefix.ALERT)
    new = NewAlert(
        id=alert_id,
        rule_id="ru_000000000001",
        rule_name=rule.identity,
        cluster_id=instance.cluster_id,
        fingerprint=alert_id,
        severity=rule.severity.value,
        fired_at=at,
        detail=detail,
    )
    with store.database.begin() as db:
        alert_changes.open_(db, [new])
        alert_events.put(db, [Event(alert_id, at, EventKind.FIRED, {"value": value})])
    return alert_id


def resolved(client: Client, alert_id: str, at: float | None = None) -> None:
    """The alerter resolves it."""
    at = client.time.now if at is None else at
    with client.store.database.begin() as db:
        found = alerts.get(db, alert_id)
        assert found is not None
        alert_changes.resolve(db, {alert_id: {**found.detail, "resolve_reason": "recovered"}}, at)


def events(client: Client, alert_id: str) -> list[tuple[str, dict[str, Any]]]:
    with client.store.database.read() as db:
        return [(one.kind.value, dict(one.detail)) for one in alert_events.of_alert(db, alert_id)]


def lead(client: Client) -> None:
    """An alerter holds the lease."""
    with client.store.database.begin() as db:
        leases.take(db, "alerter", "test", leases.clock(db, client.time.now), LEASE_SECONDS)
