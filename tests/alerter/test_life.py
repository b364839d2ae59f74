"""An alert's life: pending, active, resolved; hysteresis, keep_firing_for, no data, and who owns what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clustersight.store.database import Database
from tests.alerter.harness import INTERVAL, Harness, Make, Sample, disk, harnesses, one_rule, rules


@pytest.fixture
def make(tmp_path: Path, database: Database) -> Iterator[Make]:
    """On SQLite and on PostgreSQL."""
    yield from harnesses(tmp_path, database)


def states(harness: Harness) -> list[str]:
    return [alert.status for alert in harness.alerts()]


def test_an_alert_fires_at_once_without_for_and_resolves_when_the_condition_ends(make: Make) -> None:
    harness = make(rules=one_rule())
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    (alert,) = harness.alerts()
    assert (alert.status, alert.severity, alert.rule_name) == ("active", "warning", "DiskFilling")
    assert alert.detail["summary"] == "Disk default is at 90%"
    assert alert.detail["evidence"]["path"] == "/default"
    harness.tick(disk(("default", 80.0)))
    (alert,) = harness.alerts()
    assert (alert.status, alert.detail["resolve_reason"], alert.detail["value"]) == (
        "resolved",
        "recovered",
        80.0,
    )


def test_with_for_it_is_pending_first_and_a_break_begins_anew(make: Make) -> None:
    harness = make(rules=one_rule(**{"for": "30s"}))
    harness.cluster()
    for value in (90.0, 90.0, 80.0, 90.0, 90.0, 90.0):
        harness.tick(disk(("default", value)))
        assert harness.alerts() == []
    harness.tick(disk(("default", 90.0)))
    assert states(harness) == ["active"]


def test_a_resolve_threshold_holds_the_alert_until_the_calm_side(make: Make) -> None:
    harness = make(rules=one_rule(resolve_threshold=80))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    harness.tick(disk(("default", 82.0)))
    assert states(harness) == ["active"]
    harness.tick(disk(("default", 79.0)))
    assert states(harness) == ["resolved"]
    harness.tick(disk(("default", 82.0)))
    assert states(harness) == ["resolved"]


def test_a_return_within_keep_firing_for_does_not_resolve(make: Make) -> None:
    harness = make(rules=one_rule(keep_firing_for="30s"))
    harness.cluster()
    for value in (90.0, 10.0, 10.0, 90.0, 10.0, 10.0, 10.0):
        harness.tick(disk(("default", value)))
        assert states(harness) == ["active"]
    harness.tick(disk(("default", 10.0)))
    assert states(harness) == ["resolved"]


def test_a_series_that_is_absent_in_a_good_run_resolves(make: Make) -> None:
    harness = make(rules=one_rule())
    harness.cluster()
    harness.tick(disk(("a", 90.0), ("b", 91.0)))
    harness.tick(disk(("b", 91.0)))
    assert {(a.detail["labels"]["disk"], a.status) for a in harness.alerts()} == {
        ("a", "resolved"),
        ("b", "active"),
    }


def test_a_panel_that_fails_keeps_its_alerts_and_fires_nothing(make: Make) -> None:
    harness = make(rules=one_rule())
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    for _ in range(6):
        harness.tick(disk(status="timeout"))
    assert states(harness) == ["active"]
    harness.tick(disk(("default", 20.0)))
    assert states(harness) == ["resolved"]


def test_an_exporter_that_stops_leaves_no_green(make: Make) -> None:
    """It neither resolves what fires nor shows a rule as calm."""
    harness = make(rules=one_rule())
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    for _ in range(6):
        harness.tick()
    assert states(harness) == ["active"]


def test_no_data_alert_fires_for_the_node_and_ends_with_the_data(make: Make) -> None:
    harness = make(rules=one_rule(no_data="alert"))
    harness.cluster()
    harness.tick(disk(("default", 20.0)))
    harness.tick(disk(status="error"))
    assert states(harness) == []
    harness.tick(disk(status="error"))
    harness.tick(disk(status="error"))
    (alert,) = harness.alerts()
    assert alert.detail["labels"] == {"cluster": "prod", "host": "h1"}
    assert alert.detail["value"] is None
    harness.tick(disk(("default", 20.0)))
    assert states(harness) == ["resolved"]


@pytest.mark.parametrize("no_data", ["keep", "ok"])
def test_other_policies_fire_nothing_without_data(make: Make, no_data: str) -> None:
    harness = make(rules=one_rule(no_data=no_data))
    harness.cluster()
    for _ in range(5):
        harness.tick(disk(status="error"))
    assert harness.alerts() == []


def test_a_node_that_is_gone_resolves_with_that_reason(make: Make) -> None:
    harness = make(rules=one_rule())
    cluster = harness.cluster("prod", "h1", "h2")
    harness.tick(disk(("default", 90.0)), host="h2")
    with harness.database.begin() as db:
        from clustersight.store import nodes

        nodes.keep_only(db, cluster, {"h1"})
    harness.tick()
    (alert,) = harness.alerts()
    assert (alert.status, alert.detail["resolve_reason"]) == ("resolved", "node_removed")


def test_a_cluster_that_is_removed_resolves_with_that_reason(make: Make) -> None:
    harness = make(rules=one_rule())
    cluster = harness.cluster()
    harness.tick(disk(("default", 90.0)))
    with harness.database.begin() as db:
        from clustersight.store import clusters

        clusters.delete(db, cluster, harness.clock.wall)
    harness.tick()
    (alert,) = harness.alerts()
    assert (alert.status, alert.detail["resolve_reason"]) == ("resolved", "cluster_removed")


def test_two_rules_that_raise_are_one_alert_whose_severity_rises_and_falls(make: Make) -> None:
    base = {"metric_key": "disk.usage_pct", "operator": ">"}
    harness = make(
        rules=rules(
            {"alert": "Disk", "threshold": 80, "severity": "warning", **base},
            {"alert": "DiskCritical", "threshold": 95, "severity": "critical", "raises": "Disk", **base},
        )
    )
    harness.cluster()
    seen = []
    for value in (85.0, 97.0, 85.0, 10.0):
        harness.tick(disk(("default", value)))
        (alert,) = harness.alerts()
        seen.append((alert.rule_name, alert.status, alert.severity))
    assert seen == [
        ("Disk", "active", "warning"),
        ("Disk", "active", "critical"),
        ("Disk", "active", "warning"),
        ("Disk", "resolved", "warning"),
    ]


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_a_step_of_the_clock_neither_fires_nor_resolves(make: Make, step: float) -> None:
    harness = make(rules=one_rule(**{"for": "1m", "keep_firing_for": "1m"}))
    harness.cluster()
    harness.tick(disk(("pending", 90.0)))
    harness.tick(disk(("pending", 90.0)))
    harness.clock.step(step)
    harness.tick(disk(("pending", 90.0)))
    assert harness.alerts() == []
    for _ in range(4):
        harness.tick(disk(("pending", 90.0)))
    assert states(harness) == ["active"]
    harness.tick(disk(("pending", 10.0)))
    harness.clock.step(step)
    harness.tick(disk(("pending", 10.0)))
    assert states(harness) == ["active"]
    assert harness.alerter.working.status.clock_steps >= 1


@pytest.mark.parametrize("step", [0.0, 3600.0, -3600.0])
def test_pending_goes_on_over_a_restart_where_it_was(make: Make, step: float) -> None:
    """Also over a step of the clock: how long it was down counts for nothing."""
    harness = make(rules=one_rule(**{"for": "1m"}))
    harness.cluster()
    for _ in range(4):
        harness.tick(disk(("default", 90.0)))
    harness.kill()
    harness.clock.pass_(25)
    harness.clock.step(step)
    harness.start()
    harness.tick(disk(("default", 90.0)))
    harness.tick(disk(("default", 90.0)))
    assert harness.alerts() == []
    harness.tick(disk(("default", 90.0)))
    harness.tick(disk(("default", 90.0)))
    assert states(harness) == ["active"]


def test_a_firing_alert_is_the_same_after_a_kill(make: Make) -> None:
    harness = make(rules=one_rule(keep_firing_for="1h"))
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    harness.tick(disk(("default", 10.0)))
    (before,) = harness.alerts()
    harness.kill()
    harness.start()
    harness.tick(disk(("default", 10.0)))
    (after,) = harness.alerts()
    assert (after.id, after.status) == (before.id, "active")


def test_a_rule_matches_ten_thousand_series(make: Make) -> None:
    harness = make(rules=one_rule())
    harness.cluster()
    harness.tick(disk(*((f"d{n}", 90.0) for n in range(10_000))))
    assert len(harness.alerts("active")) == 10_000
    harness.tick(disk(*((f"d{n}", 10.0) for n in range(10_000))))
    assert len(harness.alerts("resolved")) == 10_000


def test_nan_fulfils_no_condition(make: Make) -> None:
    harness = make(rules=one_rule(operator="!=", threshold=0))
    harness.cluster()
    harness.tick(disk(("default", float("nan"))))
    assert harness.alerts() == []


def test_labels_that_are_joined_differently_are_different_alerts(make: Make) -> None:
    harness = make(
        rules=rules({"alert": "Lag", "metric_key": "replication.queue_size", "operator": ">", "threshold": 0})
    )
    harness.cluster()
    family = "clickhouse_replica_queue_size"
    harness.tick(Sample("replication", [(family, ["a", "b.c"], 1.0), (family, ["a.b", "c"], 1.0)]))
    assert len(harness.alerts()) == 2


def test_the_score_and_other_values_of_a_cluster_are_seen(make: Make) -> None:
    harness = make(
        rules=rules({"alert": "Low", "metric_key": "health.score", "operator": "<", "threshold": 60})
    )
    harness.cluster()
    harness.tick(Sample("collector", [("clickhouse_health_score", [], 42.0)]), host="")
    (alert,) = harness.alerts()
    assert alert.detail["labels"] == {"cluster": "prod"}
    for _ in range(5):
        harness.tick()
    assert states(harness) == ["active"]
    assert INTERVAL == 10
