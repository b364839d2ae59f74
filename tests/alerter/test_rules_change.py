"""Rules that change under the alerter's feet: reloads, files that are bad or gone, and the API's rules."""

from __future__ import annotations

import shutil

import pytest

from clustersight.problem import SettingsError
from clustersight.rules.definition import definition_of
from clustersight.rules.rule import Operator, Rule
from clustersight.store import rules as stored_rules
from clustersight.store.rules import RuleType
from tests.alerter.harness import Harness, Make, disk, one_rule, rules


def fire(harness: Harness) -> None:
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    assert [a.status for a in harness.alerts()] == ["active"]


def names(harness: Harness) -> dict[str, RuleType]:
    with harness.database.read() as db:
        return {one.name: one.rule_type for one in stored_rules.every(db)}


@pytest.mark.parametrize(
    "bad",
    ["groups: [{name: a, rules: [{alert", "", "groups: []\n", one_rule(treshold=3), "\0"],
    ids=["half written", "empty", "no rules", "a typo", "no text"],
)
def test_a_reload_of_bad_files_changes_nothing_and_says_so(make: Make, bad: str) -> None:
    harness = make(rules=one_rule())
    fire(harness)
    harness.write_rules(bad)
    problems = harness.alerter.reload()
    assert "rules.yaml" in problems
    harness.tick(disk(("default", 90.0)))
    assert [a.status for a in harness.alerts()] == ["active"]
    assert names(harness) == {"DiskFilling": RuleType.FILE}
    assert harness.alerter.working.status.reload_successful is False


def test_a_folder_that_is_gone_resolves_nothing(make: Make) -> None:
    """As after a checkout that failed."""
    harness = make(rules=one_rule())
    fire(harness)
    shutil.rmtree(harness.rule_folder)
    assert "rules" in harness.alerter.reload()
    harness.tick(disk(("default", 90.0)))
    assert [a.status for a in harness.alerts()] == ["active"]


def test_bad_files_at_a_restart_leave_the_last_good_rules(make: Make) -> None:
    harness = make(rules=one_rule())
    fire(harness)
    harness.kill()
    harness.write_rules(one_rule(treshold=3))
    harness.start()
    assert harness.alerter.working.status.reload_successful is False
    harness.tick(disk(("default", 90.0)))
    harness.tick(disk(("default", 10.0)))
    assert [a.status for a in harness.alerts()] == ["resolved"]


def test_bad_files_at_the_very_first_start_are_refused(make: Make) -> None:
    with pytest.raises(SettingsError, match="treshold"):
        make(rules=one_rule(treshold=3))


def test_a_rule_that_is_deleted_while_it_fires_resolves_with_that_reason(make: Make) -> None:
    harness = make(rules=one_rule())
    fire(harness)
    harness.write_rules(one_rule(alert="Another", threshold=99))
    assert harness.alerter.reload() == ""
    harness.tick(disk(("default", 90.0)))
    (alert,) = harness.alerts()
    assert (alert.status, alert.detail["resolve_reason"]) == ("resolved", "rule_removed")


def test_a_rule_that_is_renamed_is_another_one(make: Make) -> None:
    harness = make(rules=one_rule())
    fire(harness)
    harness.write_rules(one_rule(alert="DiskAlmostFull"))
    assert harness.alerter.reload() == ""
    harness.tick(disk(("default", 90.0)))
    assert {(a.rule_name, a.status) for a in harness.alerts()} == {
        ("DiskFilling", "resolved"),
        ("DiskAlmostFull", "active"),
    }


def test_editing_and_moving_a_rule_keeps_its_alert(make: Make) -> None:
    harness = make(rules=one_rule())
    fire(harness)
    (before,) = harness.alerts()
    (harness.rule_folder / "rules.yaml").unlink()
    harness.write_rules(one_rule(threshold=50, severity="critical", labels={"team": "data"}), "other.yaml")
    assert harness.alerter.reload() == ""
    harness.tick(disk(("default", 90.0)))
    (after,) = harness.alerts()
    assert (after.id, after.severity, after.status) == (before.id, "critical", "active")


def test_a_rule_of_a_file_stands_for_the_built_in_one(make: Make) -> None:
    harness = make()
    assert harness.alerter.working is not None
    harness.cluster()
    harness.tick()
    assert set(names(harness).values()) == {RuleType.BUILT_IN}
    before = len(names(harness))
    harness.rules = one_rule(alert="DiskUsage")
    harness.write_rules(harness.rules)
    settings = harness.settings

    def both() -> object:
        found = settings()
        return found.model_copy(update={"rules": found.rules.model_copy(update={"builtin": True})})

    harness.settings = both  # type: ignore[method-assign,assignment]
    assert harness.alerter.reload() == ""
    harness.tick()
    assert names(harness)["DiskUsage"] is RuleType.FILE
    assert len(names(harness)) == before


def custom(harness: Harness, name: str) -> str:
    rule = Rule(name=name, metric_key="disk.usage_pct", operator=Operator.ABOVE, threshold=50)
    with harness.database.begin() as db:
        return stored_rules.create(db, name, definition_of(rule), harness.clock.wall).id


def test_a_rule_of_the_api_counts_within_a_tick_and_ends_when_it_is_switched_off(make: Make) -> None:
    harness = make(rules=one_rule())
    harness.cluster()
    harness.tick(disk(("default", 60.0)))
    rule_id = custom(harness, "Mine")
    harness.tick(disk(("default", 60.0)))
    assert [(a.rule_name, a.status) for a in harness.alerts()] == [("Mine", "active")]
    with harness.database.begin() as db:
        found = stored_rules.get(db, rule_id)
        assert found is not None
        stored_rules.update(db, rule_id, found.name, found.definition, 0.0, enabled=False)
    harness.alerter.working.tick()
    (alert,) = harness.alerts()
    assert (alert.status, alert.detail["resolve_reason"]) == ("resolved", "rule_removed")


def test_a_file_that_takes_the_name_of_an_api_rule_is_refused(make: Make) -> None:
    harness = make(rules=one_rule())
    fire(harness)
    custom(harness, "Mine")
    harness.write_rules(one_rule(alert="Mine"))
    assert "made over the API" in harness.alerter.reload()
    assert names(harness) == {"DiskFilling": RuleType.FILE, "Mine": RuleType.CUSTOM}


def test_what_was_changed_of_a_built_in_rule_survives_a_reload(make: Make) -> None:
    harness = make()
    harness.cluster()
    harness.tick()
    with harness.database.begin() as db:
        found = next(one for one in stored_rules.every(db) if one.name == "DiskUsage")
        stored_rules.override(db, found.id, {"threshold": 10.0}, 0.0, enabled=True)
    assert harness.alerter.reload() == ""
    harness.tick(disk(("default", 60.0)))
    rule = next(r for r in harness.working.engine.rules.values() if r.name == "DiskUsage")
    assert rule.threshold == 10.0


def test_a_rule_that_cannot_be_evaluated_keeps_its_alerts_and_hides_no_other(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = make(
        rules=rules(
            {"alert": "Bad", "metric_key": "disk.usage_pct", "operator": ">", "threshold": 80},
            {"alert": "Good", "metric_key": "disk.usage_pct", "operator": ">", "threshold": 80},
        )
    )
    harness.cluster()
    harness.tick(disk(("default", 90.0)))
    sight = harness.working.sight
    real = type(sight).readings

    def broken(self: object, cluster_id: str, key: str) -> object:
        import inspect

        frame = inspect.currentframe()
        assert frame is not None
        assert frame.f_back is not None
        if frame.f_back.f_locals.get("rule") and frame.f_back.f_locals["rule"].name == "Bad":
            raise ZeroDivisionError("told so")
        return real(self, cluster_id, key)

    monkeypatch.setattr(type(sight), "readings", broken)
    harness.tick(disk(("default", 10.0)))
    assert {(a.rule_name, a.status) for a in harness.alerts()} == {("Bad", "active"), ("Good", "resolved")}
    assert harness.working.engine.failures == 1


def test_a_template_that_fails_still_lets_the_alert_fire(make: Make) -> None:
    harness = make(rules=one_rule(annotations={"summary": "{{ $row.no_such_column }}"}))
    fire(harness)
    (alert,) = harness.alerts()
    assert "<error expanding template" in alert.detail["summary"]
