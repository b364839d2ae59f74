"""Alerts in the store as the alerter writes them, and how the API shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from clustersight.panels import errors
from clustersight.rules.rule import Operator
from clustersight.settings.notify import Severity
from clustersight.store import outbox
from clustersight.store.outbox import NewRow, Superseded
from clustersight.times import iso
from tests.api.alerting import DISK, cluster_of, fired, resolved
from tests.api.answers import bad, envelope, good, meta
from tests.history.recording import Recording, key

if TYPE_CHECKING:
    from tests.api.conftest import Client

UNKNOWN = "al_000000000000"
MILD = replace(DISK, name="Mild", severity=Severity.WARNING)
Clients = Callable[..., "Client"]


def test_without_alerts_there_are_none(client: Client) -> None:
    assert good(client.get("/alerts")) == []
    assert good(client.get("/alerts/history")) == []
    assert good(client.get("/alerts/summary")) == {"count": 0, "by_severity": {"warning": 0, "critical": 0}}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("POST", "/acknowledge"), ("POST", "/escalate")],
)
def test_an_unknown_alert_is_not_found(client: Client, method: str, path: str) -> None:
    bad(client.ask(method, f"/api/v1/alerts/{UNKNOWN}{path}"), 404, "not_found")


def test_an_unknown_alert_cannot_be_snoozed(client: Client) -> None:
    bad(client.post(f"/alerts/{UNKNOWN}/snooze", {"duration_minutes": 60}), 404, "not_found")
    bad(client.post(f"/alerts/{UNKNOWN}/snooze", {"duration_minutes": 0}), 422, "validation_error")


def ids(client: Client, path: str) -> list[str]:
    return [alert["id"] for alert in good(client.get(path))]


def test_the_list_has_the_unresolved_and_with_a_status_those_of_it(client: Client) -> None:
    now = client.time.now
    old, new = fired(client, at=now - 30 * 86400), fired(client, MILD, at=now - 10)
    over = fired(client, at=now - 40 * 86400)
    resolved(client, over, now - 39 * 86400)

    assert ids(client, "/alerts") == [new, old]
    assert ids(client, "/alerts?status=active") == [new, old]
    assert ids(client, "/alerts?status=resolved") == [over]
    assert ids(client, "/alerts?status=acknowledged") == []
    assert ids(client, "/alerts?severity=warning") == [new]
    assert ids(client, f"/alerts?cluster_id={cluster_of(client.store)}") == [new, old]
    page = client.get("/alerts?limit=1&offset=1")
    assert [one["id"] for one in good(page)] == [old]
    assert meta(page) == {"total": 2, "limit": 1, "offset": 1, "has_more": False}
    bad(client.get("/alerts?cluster_id=cl_000000000000"), 404, "not_found")
    bad(client.get("/alerts?hours=1"), 422, "validation_error")


def test_history_has_what_was_unresolved_in_the_window(client: Client) -> None:
    now = client.time.now
    first, second, third = (fired(client, at=now - age) for age in (30 * 86400, 7200, 9000))
    resolved(client, second, now - 1800)
    resolved(client, third, now - 7200)

    assert ids(client, "/alerts/history?hours=1") == [second, first]
    assert ids(client, "/alerts/history?hours=24") == [second, third, first]
    assert ids(client, "/alerts/history?status=active") == [first]
    assert ids(client, "/alerts/history?severity=warning") == []
    assert ids(client, "/alerts/history?hours=24&limit=1&offset=1") == [third]
    bad(client.get("/alerts/history?cluster_id=cl_000000000000"), 404, "not_found")
    bad(client.get("/alerts/history?hours=169"), 422, "validation_error")


def test_the_summary_counts_the_unresolved(client: Client) -> None:
    fired(client)
    seen = fired(client, MILD)
    good(client.post(f"/alerts/{seen}/acknowledge"))
    resolved(client, fired(client))

    expected = {"count": 2, "by_severity": {"warning": 1, "critical": 1}}
    assert good(client.get("/alerts/summary")) == expected
    assert good(client.get(f"/alerts/summary?cluster_id={cluster_of(client.store)}")) == expected


def test_an_alert_is_shown_as_the_alerter_wrote_it(client: Client) -> None:
    alert_id = fired(client, channels=("slack",))

    [listed] = good(client.get("/alerts"))
    found = good(client.get(f"/alerts/{alert_id}"))

    assert listed == {
        "id": alert_id,
        "rule_id": "ru_000000000001",
        "rule_name": "DiskUsage",
        "cluster_id": cluster_of(client.store),
        "cluster_name": "one",
        "host": "ch1",
        "metric_key": "disk.usage_pct",
        "labels": {"team": "data", "cluster": "one", "host": "ch1", "disk": "default"},
        "severity": "critical",
        "status": "active",
        "value": 91.0,
        "threshold": 85.0,
        "operator": ">",
        "summary": "Disk default is at 91%",
        "description": "",
        "runbook_url": "https://runbook.example/disk",
        "fix_command": None,
        "evidence": {"disk": "default"},
        "fired_at": "2026-03-22T13:59:00Z",
        "acknowledged_at": None,
        "acknowledged_by": None,
        "resolved_at": None,
        "resolve_reason": None,
        "snoozed_until": None,
        "escalated_at": None,
        "inhibited_by": None,
        "silenced_by": None,
        "channels": ["slack"],
        "delivery": "channels",
        "version": 1,
    }
    assert {key: found[key] for key in listed} == listed
    assert found["events"] == [{"at": "2026-03-22T13:59:00Z", "kind": "fired", "detail": {"value": 91.0}}]
    assert found["deliveries"] == found["metric_history"] == []
    assert envelope(client.get(f"/alerts/{alert_id}"))["meta"] == {"history_problem": None}


def test_an_alert_that_no_channel_takes_says_so(client: Client) -> None:
    fired(client)

    assert good(client.get("/alerts"))[0]["delivery"] == "none"


def test_a_resolved_alert_says_when_and_why(client: Client) -> None:
    alert_id = fired(client)
    resolved(client, alert_id)

    found = good(client.get(f"/alerts/{alert_id}"))

    assert (found["status"], found["resolve_reason"]) == ("resolved", "recovered")
    assert found["resolved_at"] == iso(client.time.now)


def test_every_delivery_is_shown_with_how_it_ended(client: Client) -> None:
    alert_id, now = fired(client), client.time.now
    row = NewRow(alert_id, "slack", "firing", "critical", {})
    with client.store.database.begin() as db:
        first, second, third = outbox.put(db, [row, row, row], now)
        outbox.supersede(db, [Superseded(alert_id, "slack", "replaced by a later message", third)], now)
        outbox.delivered(db, [third], now + 5)
        [fourth] = outbox.put(db, [replace(row, kind="repeat")], now)
        outbox.dead(db, [fourth], "HTTP 400: invalid_payload", now + 6)

    found = good(client.get(f"/alerts/{alert_id}"))["deliveries"]

    def shown(*keys: str) -> list[tuple[Any, ...]]:
        return [tuple(one[key] for key in keys) for one in found]

    assert shown("id", "state", "superseded_by") == [
        (first, "superseded", third),
        (second, "superseded", third),
        (third, "delivered", None),
        (fourth, "dead", None),
    ]
    assert shown("delivered_at", "attempts")[2] == (iso(now + 5), 1)
    assert shown("delivered_at", "last_error", "kind")[3] == (None, "HTTP 400: invalid_payload", "repeat")
    assert {one["created_at"] for one in found} == {iso(now)}


# The metric history.


def history(client: Client, alert_id: str) -> list[tuple[int, float]]:
    """Points that say something, in seconds from now."""
    found = good(client.get(f"/alerts/{alert_id}"))["metric_history"]
    assert len(found) <= 500
    assert found == sorted(found)
    return [(at - int(client.time.now), value) for at, value in found if value is not None]


def remember(
    client: Client,
    metric: str,
    values: dict[int, float],
    host: str = "ch1",
    beside: dict[str, str] | None = None,
    **labels: str,
) -> None:
    """Values as the exporter writes them, by seconds from now; `beside` is a series that is always at 99."""
    recording = Recording(client.store.database, cluster_of(client.store))
    other = {key(metric, **beside): 99.0} if beside else {}
    for at, value in values.items():
        recording.say(int(client.time.now) + at, {key(metric, **labels): value, **other}, host=host)


def test_the_history_begins_an_hour_before_and_ends_with_the_alert(client: Client) -> None:
    now = client.time.now
    course = {-8000: 10.0, -7200: 20.0, -3600: 90.0, -1200: 95.0, -600: 50.0, -60: 40.0}
    remember(client, "clickhouse_disk_usage_ratio", course, beside={"disk": "other"}, disk="default")
    remember(client, "clickhouse_disk_usage_ratio", {-3000: 98.0}, host="ch2", disk="default")
    firing, over = fired(client, at=now - 3600), fired(client, at=now - 3600)
    resolved(client, over, now - 900)

    found = history(client, firing)
    assert found[0] == (-7200, 20.0)
    assert {value for _, value in found} == {20.0, 90.0, 95.0, 50.0, 40.0}
    assert found[-1][0] >= -60
    assert {value for _, value in history(client, over)} == {20.0, 90.0, 95.0}


def test_a_long_alert_has_at_most_500_points(client: Client) -> None:
    alert_id = fired(client, at=client.time.now - 400 * 86400)
    remember(client, "clickhouse_disk_usage_ratio", {-60: 90.0}, disk="default")

    assert history(client, alert_id)


def test_the_history_of_a_rate_is_its_course(client: Client) -> None:
    rule = replace(DISK, name="Errors", metric_key="errors.per_min")
    remember(client, errors.ERRORS.name, {at: 600.0 + at for at in range(-600, 1, 60)}, error="OOM")
    found = history(client, fired(client, rule, labels={"error": "OOM"}))

    assert found[-1][1] == pytest.approx(60.0)


def test_a_rule_that_fires_when_a_value_falls_shows_the_lows(client: Client) -> None:
    now = client.time.now
    rule = replace(DISK, operator=Operator.BELOW)
    long_ago = now - 10 * 86400
    values = {-3600 * 5: 90.0, -3600 * 5 + 60: 3.0, -3600 * 5 + 120: 90.0}
    remember(client, "clickhouse_disk_usage_ratio", values, disk="default")

    assert min(value for _, value in history(client, fired(client, rule, at=long_ago))) == 3.0


@pytest.mark.parametrize(
    ("key_name", "labels"),
    [("rule:Own", {"disk": "default"}), ("collector.age_intervals", {}), ("disk.usage_pct", {})],
)
def test_what_has_no_history_has_none(client: Client, key_name: str, labels: dict[str, str]) -> None:
    remember(client, "clickhouse_disk_usage_ratio", {-60: 90.0}, disk="default")
    rule = replace(DISK, name="Own", metric_key=key_name, sql="x" if ":" in key_name else None)

    assert history(client, fired(client, rule, labels=labels)) == []


def test_a_history_that_cannot_be_asked_is_said(new_client: Clients) -> None:
    client = new_client(history={"prometheus_url": "http://127.0.0.1:9"})
    alert_id = fired(client)

    answer = client.get(f"/alerts/{alert_id}")

    assert good(answer)["metric_history"] == []
    assert meta(answer)["history_problem"]
