"""Alert rules and their metric keys."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from clustersight.catalogue import metrics, rates
from clustersight.ids import is_id
from clustersight.rules import pack
from clustersight.rules.definition import definition_of, rule_of
from clustersight.rules.rule import Operator, Rule
from clustersight.settings.notify import Severity
from clustersight.store import clusters, passes, rule_sync, rules, schema
from clustersight.store.clusters import Description
from clustersight.store.passes import Pass
from clustersight.store.rule_sync import Provisioned
from clustersight.store.rules import RuleType
from clustersight.times import iso
from tests.api.alerting import DISK, fired, resolved
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
        ({"fix": "KILL {{ $labels.disk }}"}, "fix", "needs | ident (a name) or | literal (a value)"),
        ({"fix": "x '{{ $labels.disk | literal }}'"}, "fix", "stands within quotes"),
        ({"summary": "{{ $labels.disc }}"}, "summary", "did you mean 'disk'"),
        ({"description": "{{ $value | humanise }}"}, "description", "did you mean"),
        ({"description": "{{ $value"}, "description", "is not closed"),
        ({"raises": "Nobody"}, "raises", "there is no rule 'Nobody'"),
        ({"raises": "My Custom Rule"}, "raises", "is the rule itself"),
        ({"inhibited_by": ["Nobody"]}, "inhibited_by.0", "there is no rule 'Nobody'"),
        ({"inhibited_by": "NodeDown"}, "inhibited_by", ""),
        ({"group": "host"}, "group", ""),
        ({"no_data": "fire"}, "no_data", ""),
        ({"labels": {"host": "x"}}, "labels.host", "own label"),
        ({"labels": {"disk": "x"}}, "labels.disk", "is a label of the metric"),
        ({"labels": {"team": "{{ $value }}"}}, "labels.team", "is no template"),
        ({"interval_sec": 0}, "interval_sec", ""),
        ({"sql": "SELECT 1 AS value"}, "metric_key", "stands beside sql"),
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

    changed = good(client.put(f"/alerts/rules/{rule_id}", {"threshold": 90.0, "enabled": False}))
    assert (changed["threshold"], changed["enabled"]) == (90.0, False)
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


# What a rule file can say, the API can too.

WHOLE: dict[str, Any] = RULE | {
    "severity": "critical",
    "no_data": "alert",
    "inhibited_by": ["Silencer"],
    "raises": "Mild",
    "group": "cluster",
    "labels": {"team": "data"},
    "interval_sec": 60,
    "summary": "Disk {{ $labels.disk }} of {{ $labels.team }} is at {{ $value | humanizePercent }}",
    "fix": "SELECT * FROM system.disks WHERE name = {{ $labels.disk | literal }}",
}
MILD = RULE | {"name": "Mild"}
SILENCER = RULE | {"name": "Silencer"}
SQL = {key: RULE[key] for key in ("operator", "threshold", "severity")} | {
    "name": "Own",
    "sql": "SELECT count() AS value, database FROM system.parts GROUP BY database",
}


def test_a_rule_has_every_field(client: Client) -> None:
    good(client.post("/alerts/rules", SILENCER), 201)
    good(client.post("/alerts/rules", MILD), 201)

    made = good(client.post("/alerts/rules", WHOLE), 201)

    assert {key: made[key] for key in WHOLE} == WHOLE
    assert (made["sql"], made["run_on"]) == (None, "each")
    with client.store.database.read() as db:
        stored = rules.get(db, made["id"])
    assert stored is not None
    rule = rule_of(stored)
    assert (rule.identity, rule.inhibited_by, rule.interval_sec) == ("Mild", ("Silencer",), 60)


def test_a_rule_may_bring_its_own_statement(client: Client) -> None:
    made = good(client.post("/alerts/rules", SQL | {"run_on": "one"}), 201)
    assert (made["metric_key"], made["run_on"], made["sql"]) == ("rule:Own", "one", SQL["sql"])

    path = f"/alerts/rules/{made['id']}"
    assert good(client.put(path, {"name": "Other"}))["metric_key"] == "rule:Other"
    error = bad(client.put(path, {"sql": "DROP TABLE x"}), 422, "validation_error")
    assert paths(error) == {"sql"}
    bad(client.put(path, {"metric_key": "disk.usage_pct"}), 422, "validation_error")
    plain = good(client.put(path, {"metric_key": "disk.usage_pct", "sql": None}))
    assert (plain["metric_key"], plain["sql"]) == ("disk.usage_pct", None)


@pytest.mark.parametrize(
    "sql", ["SELECT 1", "INSERT INTO x SELECT 1 AS value", "SELECT 1 AS value; SELECT 2", "", "SELECT ("]
)
def test_a_statement_that_is_no_select_of_a_value_is_refused(client: Client, sql: str) -> None:
    error = bad(client.post("/alerts/rules", SQL | {"sql": sql}), 422, "validation_error")

    assert paths(error) == {"sql"}


def test_a_name_may_look_like_a_statements_key(client: Client) -> None:
    made = good(client.post("/alerts/rules", RULE | {"name": "rule:Disk"}), 201)

    assert made["name"] == "rule:Disk"


def test_two_rules_that_cannot_be_one_alert_are_refused(client: Client) -> None:
    good(client.post("/alerts/rules", SILENCER), 201)
    mild = good(client.post("/alerts/rules", MILD), 201)

    error = bad(client.post("/alerts/rules", WHOLE | {"severity": "warning"}), 422, "validation_error")
    assert "a critical rule raises a warning" in error["detail"][0]["message"]

    severe = good(client.post("/alerts/rules", WHOLE), 201)
    for made, severity in ((mild, "critical"), (severe, "warning")):
        answer = client.put(f"/alerts/rules/{made['id']}", {"severity": severity})
        assert paths(bad(answer, 422, "validation_error")) == {"severity"}
    good(client.put(f"/alerts/rules/{mild['id']}", {"threshold": 60}))


def test_a_rule_that_another_one_names_keeps_its_name(client: Client) -> None:
    good(client.post("/alerts/rules", SILENCER), 201)
    mild = good(client.post("/alerts/rules", MILD), 201)
    severe = good(client.post("/alerts/rules", WHOLE), 201)
    path = f"/alerts/rules/{mild['id']}"

    bad(client.delete(path), 409, "conflict")
    bad(client.put(path, {"name": "Milder"}), 409, "conflict")

    good(client.put(f"/alerts/rules/{severe['id']}", {"raises": None, "inhibited_by": []}))
    good(client.put(path, {"name": "Milder"}))
    good(client.delete(path))


def test_a_rule_whose_friend_is_gone_can_still_be_disabled(client: Client) -> None:
    good(client.post("/alerts/rules", SILENCER), 201)
    good(client.post("/alerts/rules", MILD), 201)
    severe = good(client.post("/alerts/rules", WHOLE), 201)
    with client.store.database.begin() as db:
        db.execute(schema.rules.delete().where(schema.rules.c.name == "Mild"))

    assert good(client.put(f"/alerts/rules/{severe['id']}", {"enabled": False}))["enabled"] is False
    bad(client.put(f"/alerts/rules/{severe['id']}", {"raises": "Mild"}), 422, "validation_error")


# Built-in rules and what is changed of them.


def provisioned(client: Client, *found: Rule, rule_type: RuleType = RuleType.BUILT_IN) -> None:
    """As the alerter takes over the pack."""
    wanted = [Provisioned(one.name, rule_type, one.origin, definition_of(one), one.enabled) for one in found]
    with client.store.database.begin() as db:
        rule_sync.sync(db, wanted, client.time.now)


def by_name(client: Client) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in good(client.get("/alerts/rules"))}


HYSTERESIS = Rule(
    name="Hot",
    metric_key="disk.usage_pct",
    operator=Operator.ABOVE,
    threshold=85.0,
    resolve_threshold=80.0,
    severity=Severity.WARNING,
)


def test_every_rule_of_the_pack_is_shown_and_can_be_changed(client: Client) -> None:
    built_in = pack.built_in().rules
    assert built_in
    provisioned(client, *built_in)

    shown = by_name(client)

    assert set(shown) == {rule.name for rule in built_in}
    for rule in built_in:
        path, one = f"/alerts/rules/{shown[rule.name]['id']}", shown[rule.name]
        assert (one["rule_type"], one["raises"]) == ("built_in", rule.raises)
        changed = good(client.put(path, {"cooldown_sec": 60, "threshold": rule.threshold}))
        assert changed == one | {"cooldown_sec": 60}


def test_changes_of_a_built_in_rule_add_up_and_survive_the_next_release(client: Client) -> None:
    provisioned(client, HYSTERESIS)
    path = f"/alerts/rules/{by_name(client)['Hot']['id']}"

    good(client.put(path, {"threshold": 90}))
    good(client.put(path, {"severity": "critical"}))
    good(client.put(path, {"cooldown_sec": 60, "enabled": False}))
    provisioned(client, replace(HYSTERESIS, threshold=86.0, for_sec=300, resolve_threshold=None))

    found = by_name(client)["Hot"]
    assert (found["threshold"], found["severity"], found["cooldown_sec"]) == (90.0, "critical", 60)
    assert (found["enabled"], found["for_sec"], found["resolve_threshold"]) == (False, 300, None)
    assert good(client.get(path))["threshold"] == 90.0


def test_a_built_in_threshold_takes_what_resolves_it_along(client: Client) -> None:
    """Who lowers 85 to 79 does not want to be told of 80."""
    provisioned(client, HYSTERESIS)
    path = f"/alerts/rules/{by_name(client)['Hot']['id']}"
    lowered = good(client.put(path, {"threshold": 79.0}))
    assert (lowered["threshold"], lowered["resolve_threshold"]) == (79.0, 79.0)
    raised = good(client.put(path, {"threshold": 95.0}))
    assert (raised["threshold"], raised["resolve_threshold"]) == (95.0, 80.0)


def test_a_rule_may_name_a_built_in_one(client: Client) -> None:
    provisioned(client, HYSTERESIS)

    made = good(client.post("/alerts/rules", WHOLE | {"raises": "Hot", "inhibited_by": []}), 201)

    assert made["raises"] == "Hot"


# What the alerter found of them.


def evaluated(client: Client, rule_id: str, at: float, *found: Any, interval: int = 30) -> None:
    with client.store.database.begin() as db:
        passes.put(db, Pass(interval, at, 0.2, at, {rule_id: list(found), "ru_000000000000": list(found)}))


def test_a_rule_says_what_its_last_evaluation_found(client: Client) -> None:
    made = good(client.post("/alerts/rules", RULE), 201)
    path, now = f"/alerts/rules/{made['id']}", client.time.now
    for age, state in ((90, "pending"), (60, "firing"), (30, "no_data")):
        evaluated(client, made["id"], now - age, state, 0.01, 3, "")
        assert good(client.get(path))["state"] == state
    evaluated(client, made["id"], now, "error", 0.02, 0, "ValueError: no")

    [listed] = good(client.get("/alerts/rules"))
    detail = good(client.get(path))

    assert (listed["state"], listed["last_evaluated_at"]) == ("error", iso(now))
    assert listed["last_error"] == "ValueError: no"
    assert {key: detail[key] for key in listed} == listed
    assert [one["state"] for one in detail["evaluations"]] == ["error", "no_data", "firing", "pending"]
    assert detail["evaluations"][0] == {
        "at": iso(now), "duration_seconds": 0.02, "samples": 0, "state": "error", "error": "ValueError: no",
    }  # fmt: skip
    assert (detail["evaluations"][1]["samples"], detail["evaluations"][1]["error"]) == (3, None)
    assert good(client.put(path, {"enabled": False}))["state"] == "inactive"


def test_a_rule_keeps_twenty_evaluations_over_a_change_of_its_interval(client: Client) -> None:
    made = good(client.post("/alerts/rules", RULE), 201)
    now = client.time.now
    for number in range(15):
        evaluated(client, made["id"], now + number, "firing", 0.1, number, "", interval=30)
        evaluated(client, made["id"], now + 100 + number, "pending", 0.1, number, "", interval=60)

    found = good(client.get(f"/alerts/rules/{made['id']}"))

    assert [one["state"] for one in found["evaluations"]] == ["pending"] * 15 + ["firing"] * 5
    assert (found["state"], found["last_evaluated_at"]) == ("pending", iso(now + 114))


def test_a_rule_counts_its_alerts_also_those_that_it_raises(client: Client) -> None:
    provisioned(client, DISK)
    good(client.post("/alerts/rules", WHOLE | {"name": "Other", "raises": None, "inhibited_by": []}), 201)
    fired(client)
    fired(client, host="ch2")
    resolved(client, fired(client, host="ch3"))

    found = by_name(client)

    assert (found["DiskUsage"]["active_alerts"], found["Other"]["active_alerts"]) == (2, 0)


def test_an_unknown_rule_is_not_found(client: Client) -> None:
    bad(client.get("/alerts/rules/ru_000000000000"), 404, "not_found")
