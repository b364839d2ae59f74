from __future__ import annotations

import json

import pytest

from clustersight.rules import findings
from clustersight.rules.lint import CHECKS, lint
from clustersight.rules.rule import Operator, Rule
from tests.rules.conftest import HEAD

QUIET = ("for: 5m", "annotations: {runbook_url: https://x.example}")


def ids(loaded, *known: Rule) -> list[str]:
    assert loaded.problems == ()
    return [one.id for one in lint(loaded.drafts, known)]


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (("expr: server.up == 0", *QUIET), []),
        (("expr: server.up == 0", "for: 0s", QUIET[1]), []),
        (("expr: server.up == 0", QUIET[1]), ["no-for"]),
        (("expr: errors.per_min > 1", QUIET[1]), []),
        (("expr: server.up == 0", QUIET[0]), ["no-runbook"]),
        (("expr: disk.usage_pct > 100", *QUIET), ["never-true"]),
        (("expr: disk.usage_pct >= 100", *QUIET), []),
        (("expr: disk.usage_pct >= 100.1", *QUIET), ["never-true"]),
        (("expr: parts.pressure_pct > 120", *QUIET), []),
        (("expr: parts.active < 0", *QUIET), ["never-true"]),
        (("expr: parts.active <= -1", *QUIET), ["never-true"]),
        (("expr: server.up == 2", *QUIET), ["never-true"]),
        (("expr: server.up > 1", *QUIET), ["never-true"]),
        (("expr: health.score > 100", *QUIET), ["never-true"]),
        (("expr: parts.active >= 0", *QUIET), ["always-true"]),
        (("expr: parts.active > -1", *QUIET), ["always-true"]),
        (("expr: disk.usage_pct <= 100", *QUIET), ["always-true"]),
        (("expr: disk.usage_pct < 100.5", *QUIET), ["always-true"]),
        (("expr: server.up != 2", *QUIET), ["always-true"]),
        (("expr: disk.usage_pct == 85", *QUIET), ["equality"]),
        (("expr: health.score != 100", *QUIET), ["equality"]),
        (("expr: parts.active == 0", *QUIET), []),
        (("expr: server.up == 0", "cooldown_sec: 29", *QUIET), ["short-cooldown"]),
        (("expr: server.up == 0", "cooldown_sec: 30", *QUIET), []),
        (("sql: SELECT 1 AS value", "operator: '=='", "threshold: 5", *QUIET), []),
    ],
)
def test_each_check(rule, lines, wanted):
    assert ids(rule(*lines)) == wanted


def pair(warning: str, critical: str, for_: str = "5m") -> str:
    more = "annotations: {runbook_url: https://x.example}"
    return (
        f"{HEAD}      - {{alert: W, expr: {warning}, for: 5m, {more}}}\n"
        f"      - {{alert: C, expr: {critical}, for: {for_}, {more}, severity: critical, raises: W}}\n"
    )


@pytest.mark.parametrize(
    ("warning", "critical", "found"),
    [
        ("disk.usage_pct > 85", "disk.usage_pct > 95", False),
        ("disk.usage_pct > 95", "disk.usage_pct > 85", True),
        ("disk.usage_pct > 95", "disk.usage_pct >= 85", True),
        ("disk.free_bytes < 10", "disk.free_bytes < 5", False),
        ("disk.free_bytes < 5", "disk.free_bytes <= 10", True),
        ("disk.free_bytes < 5", "disk.usage_pct > 1", False),
    ],
)
def test_a_warning_beyond_the_critical_rule_that_raises_it(loaded, warning, critical, found):
    assert ids(loaded(pair(warning, critical))) == ["warning-beyond-critical"] * found


def test_the_same_threshold_for_longer_is_a_way_to_rise(loaded):
    same = "disk.usage_pct > 85"
    assert ids(loaded(pair(same, same, "1h"))) == []
    assert ids(loaded(pair(same, same))) == ["warning-beyond-critical", "duplicate"]


def test_the_rule_that_is_raised_may_be_a_known_one(loaded):
    text = pair("disk.usage_pct > 85", "disk.usage_pct > 50").replace("alert: W", "alert: X")
    known = Rule(name="W", metric_key="disk.usage_pct", operator=Operator.ABOVE, threshold=85.0)
    assert ids(loaded(text, known=(known,)), known) == ["warning-beyond-critical"]


def test_a_duplicate_names_the_first(loaded):
    one = "{{alert: {}, expr: 'parts.active{{database=\"a\"}} > 3', for: 5m}}"
    found = lint(loaded(f"rules:\n  - {one.format('A')}\n  - {one.format('B')}\n").drafts)
    (duplicate,) = [f for f in found if f.id == "duplicate"]
    assert (duplicate.problem.line, duplicate.problem.column) == (3, 5)
    assert "'A'" in duplicate.problem.message


def test_a_finding_stands_at_its_field(rule):
    (found,) = lint(rule("expr: disk.usage_pct > 200", *QUIET).drafts)
    assert (found.problem.line, found.problem.column) == (5, 15)


@pytest.fixture
def some(loaded):
    text = "rules:\n  - {alert: 'A%,:\"', expr: server.up == 2}\n"
    return findings.of(loaded(text).drafts)


def test_text(some):
    lines = findings.text(some).splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("(note: no-for)")
    assert ".yaml:2:5: rule " in lines[0]


def test_json(some):
    plain = json.loads(findings.as_json(some))
    assert [one["id"] for one in plain] == ["no-for", "no-runbook", "never-true"]
    assert {"level", "file", "line", "column", "message"} < plain[0].keys()
    assert findings.as_json([]) == "[]"


def test_github(some, tmp_path):
    lines = findings.github(some).splitlines()
    assert lines[0].startswith(f"::notice file={tmp_path}/a.yaml,line=2,col=5,title=no-for::rule 'A%25,:\"'")
    assert lines[2].startswith("::warning ")
    assert findings.github([]) == ""


def test_sarif(some, tmp_path):
    document = json.loads(findings.sarif(some))
    (run,) = document["runs"]
    assert document["version"] == "2.1.0"
    assert {one["id"] for one in run["tool"]["driver"]["rules"]} == {"error", *CHECKS}
    result = run["results"][2]
    assert (result["ruleId"], result["level"]) == ("never-true", "warning")
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == f"{tmp_path}/a.yaml"
    assert place["region"]["startLine"] == 2


def test_problems_are_errors_in_every_format(loaded):
    found = findings.errors(loaded("rules: []").problems)
    assert findings.text(found).endswith("or remove the file")
    assert json.loads(findings.as_json(found))[0]["level"] == "error"
    assert findings.github(found).startswith("::error ")
    assert json.loads(findings.sarif(found))["runs"][0]["results"][0]["level"] == "error"
