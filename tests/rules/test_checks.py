from __future__ import annotations

import dataclasses

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from clustersight.rules import check
from clustersight.rules.fields import ANNOTATIONS, FILE, GROUP, RULE
from clustersight.rules.loader import load
from clustersight.rules.rule import Operator, Rule
from tests.rules.conftest import HEAD

# Where each table's keys stand: the text before a key, its line and column, and the text after its value.
PLACES = {
    "file": (FILE, "", 1, 1, ""),
    "group": (GROUP, "groups:\n  - name: g\n    ", 3, 5, ""),
    "rule": (RULE, HEAD + "      - alert: A\n        expr: server.up == 0\n        ", 6, 9, ""),
    "annotations": (ANNOTATIONS, HEAD + "      - alert: A\n        annotations: {", 5, 23, "}"),
}
KEYS = [(place, field.name) for place, (table, *_) in PLACES.items() for field in table.fields]
DISK = Rule(name="A", metric_key="disk.usage_pct", operator=Operator.ABOVE, threshold=85.0)


@given(st.sampled_from(KEYS), st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_typo_in_any_key_is_refused_at_its_place_with_the_nearest_name(loaded, key, data):
    place, name = key
    table, before, line, column, after = PLACES[place]
    at = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from("abxyz_"))
    edit = data.draw(st.sampled_from(("drop", "change", "insert", "swap")))
    typo = {
        "drop": name[:at] + name[at + 1 :],
        "change": name[:at] + letter + name[at + 1 :],
        "insert": name[:at] + letter + name[at:],
        "swap": name[:at] + name[at : at + 2][::-1] + name[at + 2 :],
    }[edit]
    assume(typo not in {field.name for field in table.fields} and len(typo) > 1)
    problems = loaded(f"{before}{typo}: x{after}\n").problems
    (found,) = [p for p in problems if f"unknown key {typo!r}" in p.message]
    assert (found.line, found.column) == (line, column)
    if len(name) > 4:
        assert repr(name) in found.message.split("allowed:")[0]


def faults(**fields: object) -> list[tuple[str, str]]:
    return [(one.field, one.message) for one in check.faults(dataclasses.replace(DISK, **fields))]


@pytest.mark.parametrize(
    ("fields", "where", "what"),
    [
        ({"metric_key": "disk.usage"}, "metric_key", "unknown metric key"),
        ({"match": {"dsk": "x"}}, "match.dsk", "did you mean 'disk'"),
        ({"threshold": float("nan")}, "threshold", "finite"),
        ({"threshold": float("inf")}, "threshold", "finite"),
        ({"for_sec": -1}, "for_sec", "0 seconds or more"),
        ({"keep_firing_for_sec": -1}, "keep_firing_for_sec", "0 seconds or more"),
        ({"cooldown_sec": -1}, "cooldown_sec", "0 seconds or more"),
        ({"resolve_threshold": 85.5}, "resolve_threshold", "calm side"),
        ({"resolve_threshold": float("nan")}, "resolve_threshold", "finite"),
        ({"operator": Operator.BELOW, "resolve_threshold": 84.0}, "resolve_threshold", "at least"),
        ({"labels": {"disk": "x"}}, "labels.disk", "label of the metric"),
        ({"summary": "{{ $labels.table }}"}, "summary", "unknown label"),
        ({"description": "{{"}, "description", "not closed"),
        ({"fix": "{{ $value }}"}, "fix", "needs | ident"),
        ({"sql": "SELECT 1"}, "sql", "no column value"),
    ],
)
def test_what_is_wrong_with_a_rule_of_any_origin(fields, where, what):
    ((field, message),) = faults(**fields)
    assert field == where
    assert what in message


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": {"component": "x"}, "summary": "{{ $labels.component }} {{ $labels.host }}"},
        {"summary": "{{ $row.anything }}"},
        {"resolve_threshold": 85.0},
        {
            "sql": "SELECT 1 AS value",
            "metric_key": "rule:A",
            "summary": "{{ $labels.any }}",
            "match": {"any": "x"},
        },
        {"fix": "DROP TABLE {{ $labels.disk | ident }}"},
    ],
)
def test_what_is_allowed(fields):
    assert faults(**fields) == []


@pytest.mark.parametrize(
    ("fix", "is_safe"),
    [
        ("KILL MUTATION WHERE id = {{ $row.id | literal }}", True),
        ("-- on {{ $labels.host | literal }}\nSELECT 1", True),
        ("SELECT {{ $value | humanize | literal }}", True),
        ("OPTIMIZE TABLE {{ $row.database | ident }}.{{ $row.table | ident }}", True),
        ("SELECT 1 -- it's {{ $row.a | literal }}\n, {{ $row.b | literal }}", True),
        ("-- on {{ $labels.host }}", False),
        ("SELECT {{ $value }}", False),
        ("SELECT {{ $row.a | literal | toUpper }}", False),
        ("SELECT '{{ $row.a | literal }}'", False),
        ("SELECT `{{ $row.a | ident }}`", False),
        ('SELECT "{{ $row.a | ident }}"', False),
        ("SELECT $x${{ $row.a | literal }}$x$", False),
        ("SELECT 1 /* {{ $row.a | literal }} */", False),
        ("SELECT 'it {{ $row.a | literal }}", False),
    ],
)
def test_every_value_in_a_fix_is_quoted_and_stands_where_quotes_hold(fix, is_safe):
    assert (faults(fix=fix) == []) == is_safe


@given(st.text(), st.text())
def test_a_fix_that_is_allowed_keeps_its_statements_whatever_the_values(database, mutation):
    from clustersight.rules import templates
    from clustersight.sql_text.tokens import tokens

    fix = (
        "-- on {{ $labels.host | literal }}\nKILL MUTATION WHERE database = {{ $row.d | literal }};"
        " SELECT {{ $row.m | ident }}"
    )
    assert faults(fix=fix) == []
    template = templates.compile(fix)
    plain = template.render({"host": "h"}, 0, {"d": "x", "m": "x"})
    rendered = template.render({"host": mutation}, 0, {"d": database, "m": mutation})
    assert [one.kind for one in tokens(rendered)] == [one.kind for one in tokens(plain)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS value",
        "with x as (select 1) select count() as value from x",
        "SELECT value, format FROM (SELECT 1 AS value, 'a' AS format)",
        "SELECT count() AS value FROM system.settings WHERE settings = 'a;b'",
        "SELECT `value` FROM t -- the end",
        "/* SELECT */ SELECT max(x[1]) AS value, format('{0}', 'x') FROM t",
    ],
)
def test_statements_that_are_one_select(sql):
    assert faults(sql=sql, metric_key="rule:A") == []


@pytest.mark.parametrize(
    "sql",
    [
        "", "-- nothing", "INSERT INTO t SELECT 1 AS value", "EXPLAIN SELECT 1 AS value",
        "SELECT 1 AS value;",
        "SELECT 1 AS value FORMAT Null", "SELECT 1 AS value format JSON SETTINGS a = 1",
        "SELECT 1 AS value INTO OUTFILE 'x'", "SELECT 1 AS value SETTINGS readonly = 0", "SELECT 1 AS value)",
        "(SELECT 1 AS value", "SELECT (1] AS value", "SELECT 'value", "SELECT 1 AS value /* open", "SELECT 1",
    ],
)  # fmt: skip
def test_statements_that_are_not(sql):
    assert faults(sql=sql or " ", metric_key="rule:A")


def test_a_thousand_wrong_names_do_not_list_a_thousand_names(loaded):
    rules = "".join(
        f"  - {{alert: Rule{n}, expr: server.up == 0, inhibited_by: [Rul{n}]}}\n" for n in range(1000)
    )
    problems = loaded("rules:\n" + rules).problems
    assert len(problems) == 1000
    assert "did you mean 'Rule0'" in problems[0].message
    assert max(len(p.message) for p in problems) < 200


@pytest.mark.parametrize(
    "silenced",
    [{"A": "B", "B": "A"}, {"A": "B", "B": "C", "C": "A"}, {"A": "B", "B": "A, D", "D": "E", "E": ""}],
    ids=["two", "three", "two of four"],
)
def test_rules_that_silence_each_other_are_refused(tmp_path, silenced):
    rules = ", ".join(
        f"{{alert: {name}, expr: server.up == 0, inhibited_by: [{by}]}}" for name, by in silenced.items()
    )
    file = tmp_path / "circle.yaml"
    file.write_text(f"groups: [{{name: g, rules: [{rules}]}}]\n")
    assert any("silenced by" in problem.message for problem in load([file]).problems)


def test_a_rule_must_not_silence_the_alert_that_it_raises(tmp_path):
    file = tmp_path / "own.yaml"
    rules = (
        "{alert: A, expr: server.up == 0},"
        " {alert: B, expr: server.up == 0, severity: critical, raises: A, inhibited_by: [A]}"
    )
    file.write_text(f"groups: [{{name: g, rules: [{rules}]}}]\n")
    assert any("silence itself" in problem.message for problem in load([file]).problems)
