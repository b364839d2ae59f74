"""Alerts, of which there are none before there is an alerter, and one that stands in the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from clustersight.store import clusters, schema
from clustersight.store.clusters import Description
from tests.api.answers import bad, envelope, good

if TYPE_CHECKING:
    from tests.api.conftest import Client

UNKNOWN = "al_000000000000"
DETAIL: dict[str, Any] = {
    "cluster_name": "one", "metric_key": "disk.usage_pct", "labels": {"disk": "d"}, "value": 91.0,
    "threshold": 85.0, "operator": ">", "summary": "s", "description": "d", "fix_command": None,
    "evidence": {"disk": "d"}, "acknowledged_at": None, "acknowledged_by": None, "resolve_reason": None,
    "snoozed_until": None, "escalated_at": None,
}  # fmt: skip


def stored(client: Client, alert_id: str, **changes: Any) -> str:
    """An alert as the alerter would write it; returns its cluster's id."""
    with client.store.database.begin() as db:
        known = clusters.active(db)
        cluster = known[0] if known else clusters.create(db, Description("one", "ch1", 1), None, 0.0)
        values = {
            "id": alert_id, "rule_id": "ru_000000000001", "rule_name": "DiskUsage", "cluster_id": cluster.id,
            "fingerprint": alert_id, "severity": "critical", "status": "active",
            "fired_at": client.time.now - 60, "detail_json": json.dumps(DETAIL),
        }  # fmt: skip
        db.execute(schema.alerts.insert().values(**values | changes))
    return cluster.id


def test_without_alerts_there_are_none(client: Client) -> None:
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


def test_history_has_what_was_unresolved_in_the_window(client: Client) -> None:
    now = client.time.now
    stored(client, "al_000000000001", fired_at=now - 30 * 86400)
    stored(client, "al_000000000002", fired_at=now - 7200, resolved_at=now - 1800, status="resolved")
    stored(client, "al_000000000003", fired_at=now - 9000, resolved_at=now - 7200, status="resolved")

    def ids(query: str) -> list[str]:
        return [alert["id"][-1] for alert in good(client.get(f"/alerts/history?{query}"))]

    assert ids("hours=1") == ["2", "1"]
    assert ids("hours=24") == ["2", "3", "1"]
    assert ids("status=active") == ["1"]
    assert ids("severity=warning") == []
    assert ids("hours=24&limit=1&offset=1") == ["3"]
    bad(client.get("/alerts/history?cluster_id=cl_000000000000"), 404, "not_found")
    bad(client.get("/alerts/history?hours=169"), 422, "validation_error")


def test_the_summary_counts_the_unresolved(client: Client) -> None:
    stored(client, "al_000000000001")
    cluster_id = stored(client, "al_000000000002", severity="warning", status="acknowledged")
    stored(client, "al_000000000003", resolved_at=client.time.now, status="resolved")

    expected = {"count": 2, "by_severity": {"warning": 1, "critical": 1}}
    assert good(client.get("/alerts/summary")) == expected
    assert good(client.get(f"/alerts/summary?cluster_id={cluster_id}")) == expected


def test_one_alert_is_shown_whole(client: Client) -> None:
    stored(client, "al_000000000001")

    answer = client.get("/alerts/al_000000000001")

    found = good(answer)
    assert found["evidence"] == {"disk": "d"}
    assert found["fired_at"] == "2026-03-22T13:59:00Z"
    assert {"metric_history", "events", "deliveries"} <= set(found)
    assert envelope(answer)["error"] is None


def test_what_the_alerter_does_is_refused_without_it(client: Client) -> None:
    stored(client, "al_000000000001")

    bad(client.post("/alerts/al_000000000001/acknowledge"), 501, "not_supported")
