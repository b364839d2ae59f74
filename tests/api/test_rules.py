"""Alert rules and their metric keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clustersight.catalogue import metrics, rates
from clustersight.ids import is_id
from clustersight.store import clusters, rules, schema
from clustersight.store.clusters import Description
from tests.api.answers import bad, good, paths

if TYPE_CHECKING:
    from tests.api.conftest import Client

# As the published reference has it.
RULE: dict[str, Any] = {
    "name": "My Custom Rule",
    "metric_key": "disk.usage_pct",
    "operator": ">",
    "threshold": 70.0,
    "severity": "warning",
    "cooldown_sec": 3600,
}


def owned_by(client: Client, rule_type: str) -> str:
    """A rule that the API did not make."""
    made: str = good(client.post("/alerts/rules", RULE), 201)["id"]
    with client.store.database.begin() as db:
        db.execute(schema.rules.update().values(rule_type=rule_type))
    return made


def test_a_rule_is_made_listed_changed_and_deleted(client: Client) -> None:
    made = good(client.post("/alerts/rules", RULE), 201)
    assert is_id(made["id"])
    assert {key: made[key] for key in RULE} == RULE
    assert (made["rule_type"], made["state"], made["active_alerts"]) == ("custom", "inactive", 0)
    assert good(client.get("/alerts/rules")) == [made]

    changed = good(client.put(f"/alerts/rules/{made['id']}", {"threshold": 80, "match": {"disk": "d"}}))
    assert changed == made | {"threshold": 80.0, "match": {"disk": "d"}}

    assert good(client.delete(f"/alerts/rules/{made['id']}")) == {"id": made["id"], "deleted": True}
    assert good(client.get("/alerts/rules")) == []
    bad(client.delete(f"/alerts/rules/{made['id']}"), 404, "not_found")


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"metric_key": "disk.usage"}, "metric_key", "did you mean 'disk.usage_pct'"),
        ({"match": {"dsk": "x"}}, "match.dsk", "did you mean 'disk'"),
        ({"operator": "=>"}, "operator", ""),
        ({"severity": "bad"}, "severity", ""),
        ({"threshold": "70"}, "threshold", ""),
        ({"threshold": True}, "threshold", ""),
        ({"threshold": 1e999}, "threshold", ""),
        ({"for_sec": -1}, "for_sec", ""),
        ({"name": ""}, "name", ""),
        ({"name": "two\nlines"}, "name", ""),
        ({"resolve_threshold": 71}, "resolve_threshold", "calm side"),
        ({"operator": "==", "resolve_threshold": 1}, "resolve_threshold", "needs one of the operators"),
        ({"cluster_ids": ["cl_000000000000"]}, "cluster_ids.0", "is no cluster"),
        ({"treshold": 1}, "treshold", ""),
        ({"runbook_url": "javascript:alert(1)"}, "runbook_url", ""),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_at_its_field(
    client: Client, change: dict[str, Any], path: str, message: str
) -> None:
    error = bad(client.post("/alerts/rules", RULE | change), 422, "validation_error")

    assert paths(error) == {path}
    assert message in error["detail"][0]["message"]
    assert good(client.get("/alerts/rules")) == []


def test_all_that_is_missing_is_said_at_once(client: Client) -> None:
    error = bad(client.post("/alerts/rules", {}), 422, "validation_error")

    assert paths(error) == {"name", "metric_key", "operator", "threshold", "severity"}


def test_names_are_unique(client: Client) -> None:
    good(client.post("/alerts/rules", RULE), 201)
    other = good(client.post("/alerts/rules", RULE | {"name": "other"}), 201)

    bad(client.post("/alerts/rules", RULE), 409, "conflict")
    bad(client.put(f"/alerts/rules/{other['id']}", {"name": RULE["name"]}), 409, "conflict")


def test_null_is_no_threshold(client: Client) -> None:
    made = good(client.post("/alerts/rules", RULE), 201)

    error = bad(client.put(f"/alerts/rules/{made['id']}", {"threshold": None}), 422, "validation_error")

    assert paths(error) == {"threshold"}


def test_a_built_in_rule_takes_a_threshold_and_no_other_name_and_stays(client: Client) -> None:
    rule_id = owned_by(client, "built_in")

    assert (
        good(client.put(f"/alerts/rules/{rule_id}", {"threshold": 90.0, "enabled": False}))["enabled"]
        is False
    )
    error = bad(client.put(f"/alerts/rules/{rule_id}", {"metric_key": "server.up"}), 422, "validation_error")
    assert paths(error) == {"metric_key"}
    bad(client.delete(f"/alerts/rules/{rule_id}"), 409, "conflict")


def test_a_files_rule_is_changed_in_the_file(client: Client) -> None:
    rule_id = owned_by(client, "file")

    bad(client.put(f"/alerts/rules/{rule_id}", {"threshold": 90}), 409, "conflict")
    bad(client.delete(f"/alerts/rules/{rule_id}"), 409, "conflict")
    with client.store.database.read() as db:
        stored = rules.get(db, rule_id)
    assert stored is not None
    assert stored.definition["threshold"] == RULE["threshold"]


def test_the_metric_keys_are_those_of_the_catalogue(client: Client) -> None:
    found = {one["key"]: one for one in good(client.get("/alerts/rules/metrics"))}

    declared = {metric.key for metric in metrics() if metric.key}
    declared |= {key for metric in metrics() for _, key in metric.keys} | {rate.key for rate in rates()}
    assert set(found) == declared
    assert found["disk.usage_pct"] == {
        "key": "disk.usage_pct",
        "unit": "%",
        "description": found["disk.usage_pct"]["description"],
        "labels": ["disk"],
        "prometheus_name": "clickhouse_disk_usage_ratio",
        "panel": "disk",
        "tier": 1,
        "supported": True,
    }


def test_a_rule_may_name_a_cluster_that_is_there(client: Client) -> None:
    with client.store.database.begin() as db:
        cluster = clusters.create(db, Description("one", "ch1", 8123), None, client.time.now)

    made = good(client.post("/alerts/rules", RULE | {"cluster_ids": [cluster.id]}), 201)

    assert made["cluster_ids"] == [cluster.id]


def test_a_rule_whose_cluster_was_deleted_can_still_be_disabled(client: Client) -> None:
    with client.store.database.begin() as db:
        cluster = clusters.create(db, Description("one", "ch1", 8123), None, client.time.now)
    made = good(client.post("/alerts/rules", RULE | {"cluster_ids": [cluster.id]}), 201)
    with client.store.database.begin() as db:
        clusters.delete(db, cluster.id, client.time.now)

    assert good(client.put(f"/alerts/rules/{made['id']}", {"enabled": False}))["enabled"] is False
