"""Every field of a rule is seen to differ, and what is no difference is none."""

from __future__ import annotations

import dataclasses

import pytest

from clustersight.rules.comparing import Kind, compare
from clustersight.rules.definition import definition_of, rule_from
from clustersight.rules.rule import NoData, Operator, Rule, RunOn
from clustersight.settings.notify import Severity

RULE = Rule(name="A", metric_key="disk.usage_pct", operator=Operator.ABOVE, threshold=80.0)
OTHER = {
    "metric_key": "server.up",
    "operator": Operator.BELOW,
    "threshold": 81.0,
    "severity": Severity.CRITICAL,
    "match": {"disk": ("a", "b")},
    "resolve_threshold": 70.0,
    "for_sec": 60,
    "keep_firing_for_sec": 90,
    "cooldown_sec": 1,
    "no_data": NoData.ALERT,
    "raises": "B",
    "inhibited_by": ("C",),
    "group": "cluster",
    "labels": {"team": "data"},
    "summary": "s",
    "description": "d",
    "runbook_url": "https://x.example",
    "fix": "SELECT 1",
    "sql": "SELECT 1 AS value",
    "run_on": RunOn.ONE,
    "interval_sec": 30,
    "cluster_ids": ("cl_1",),
    "enabled": False,
}
FIELDS = [field.name for field in dataclasses.fields(Rule)]
NAMES = {"for_sec": "for", "keep_firing_for_sec": "keep_firing_for", "interval_sec": "interval"}


def test_another_value_is_known_of_every_field() -> None:
    assert {*OTHER, "name", "origin"} == set(FIELDS)


@pytest.mark.parametrize("field", OTHER)
def test_each_field_is_compared_both_ways(field: str) -> None:
    other = dataclasses.replace(RULE, **{field: OTHER[field]})
    for old, new in ((RULE, other), (other, RULE)):
        [one] = compare([old], [new])
        assert (one.kind, one.name) == (Kind.CHANGED, "A")
        [change] = one.changes
        assert change.field == NAMES.get(field, field)
        assert change.old != change.new
        assert change.lines == [f"{change.field}: {change.old} -> {change.new}"]


@pytest.mark.parametrize("field", OTHER)
def test_each_field_survives_the_way_over_the_store_or_the_api(field: str) -> None:
    other = dataclasses.replace(RULE, **{field: OTHER[field]})
    again = rule_from(other.name, definition_of(other), enabled=other.enabled)
    assert compare([other], [again]) == []
    assert compare([RULE], [again]) != []


def test_another_name_is_another_rule_and_another_place_is_the_same_one() -> None:
    renamed = compare([RULE], [dataclasses.replace(RULE, name="B")])
    assert [(one.kind, one.name) for one in renamed] == [(Kind.REMOVED, "A"), (Kind.ADDED, "B")]
    assert compare([RULE], [dataclasses.replace(RULE, origin="x.yaml:9")]) == []


def test_values_are_told_as_people_write_them() -> None:
    new = dataclasses.replace(RULE, for_sec=300, match={"disk": "a"}, resolve_threshold=70.0)
    [one] = compare([RULE], [new])
    assert [line for change in one.changes for line in change.lines] == [
        'match: {} -> {"disk": "a"}',
        "resolve_threshold: none -> 70.0",
        "for: 0s -> 5m",
    ]


def test_of_long_texts_the_lines_that_differ_are_told() -> None:
    old, new = (dataclasses.replace(RULE, fix=f"SELECT 1;\n{middle}\nSELECT 3;") for middle in "ab")
    [one] = compare([old], [new])
    assert one.changes[0].lines == ["fix:", "  -a", "  +b"]


def test_the_alerts_of_a_rule_are_those_of_the_one_that_it_raises() -> None:
    raising = dataclasses.replace(RULE, raises="B")
    assert compare([raising], [])[0].alerts == {"B"}
    assert compare([raising], [RULE])[0].alerts == {"A", "B"}
