from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from clustersight.problem import SettingsError
from clustersight.rules import promql_reader
from clustersight.rules.loader import load
from clustersight.rules.prometheus import export
from clustersight.rules.prometheus_import import import_files
from clustersight.rules.promql_reader import UnknownExpressionError
from clustersight.rules.rule import NoData, Operator
from tests.rules.conftest import GOOD

# What Prometheus has no place for, or has in Alertmanager.
LOST = {
    "inhibited_by": (), "group": None, "cooldown_sec": 3600, "fix": None, "interval_sec": None, "origin": "",
    "summary": "", "description": "", "no_data": NoData.KEEP,
}  # fmt: skip


@pytest.fixture
def exported(loaded):
    """A function that exports one rule: the rule of Prometheus, and what was left out."""

    def write(*lines: str):
        text = "rules:\n  - alert: A\n" + "".join(f"    {line}\n" for line in lines)
        found = loaded(text)
        assert found.problems == ()
        result = export(found.rules)
        rules = [rule for group in yaml.safe_load(result.text)["groups"] for rule in group["rules"]]
        return (rules[0] if rules else None), result.left_out

    return write


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_promtool_takes_the_export_of_every_good_file(path, promtool):
    rules = load([path]).rules
    checked = promtool("check", "rules", "r.yml", r=export(rules).text)
    wanted = sum(rule.sql is None and rule.enabled for rule in rules)
    assert checked.returncode == 0, checked.stderr
    assert f"SUCCESS: {wanted} rule" in checked.stdout


@pytest.mark.parametrize(
    ("expr", "wanted"),
    [
        ("disk.usage_pct > 85", "clickhouse_disk_usage_ratio * 100 > 85"),
        (
            'disk.usage_pct{disk=~`a|b\\.c`,host="h"} >= 8.5',
            'clickhouse_disk_usage_ratio{disk=~"a|b\\\\.c",host="h"} * 100 >= 8.5',
        ),
        ("server.up == 0", "clickhouse_up == 0"),
        (
            'queries.p95_ms{host="h"} > 5',
            'max without (quantile) (clickhouse_query_duration_seconds{host="h",quantile="0.95"}) * 1000 > 5',
        ),
        (
            'collector.age_seconds{panel="disk"} > 300',
            'time() - clustersight_panel_last_success_timestamp_seconds{panel="disk"} > 300',
        ),
        (
            'errors.per_min{error="A"} > 3',
            '60 * rate(clickhouse_errors_total{error="A"}[5m]) > 3',
        ),
        (
            'queries.per_sec{cluster="c"} > 3',
            'sum without (kind) (rate(clickhouse_queries_total{cluster="c"}[5m])) > 3',
        ),
    ],
)  # fmt: skip
def test_what_a_condition_becomes(exported, expr, wanted):
    assert exported(f"expr: '{expr}'")[0]["expr"] == wanted


def test_a_rate_has_the_conditions_at_each_of_its_families(exported):
    expr = exported("expr: 'queries.failed_pct{cluster=\"c\"} > 5'")[0]["expr"]
    assert expr.endswith(") > 5")
    assert len(re.findall(r'_total\{cluster="c"\}\[', expr)) == 2


def test_what_the_catalogue_chose_stays_chosen(exported):
    expr = exported("expr: 'queries.p95_times_usual{host=\"h\"} > 3'")[0]["expr"]
    assert expr.count('clickhouse_query_duration_seconds{quantile="0.95",host="h"}') == 3
    assert promql_reader.read(expr).match == {"host": "h"}


def test_hysteresis_and_no_data(exported):
    expr = "expr: 'disk.usage_pct{disk=\"d\"} > 85'"
    found, _ = exported(expr, "resolve_threshold: 80", "no_data: alert")
    assert found["expr"] == (
        'clickhouse_disk_usage_ratio{disk="d"} * 100 > 85'
        ' or (clickhouse_disk_usage_ratio{disk="d"} * 100 > 80'
        ' and on (cluster, host, disk) ALERTS{alertname="A",alertstate="firing",severity="warning"})'
        ' or absent(clickhouse_disk_usage_ratio{disk="d"})'
    )


def test_hysteresis_holds_in_prometheus(loaded, promtool):
    rules = loaded(
        "rules:\n  - {alert: A, expr: disk.usage_pct > 85, resolve_threshold: 80}\n"
        "  - {alert: B, expr: disk.usage_pct > 95, resolve_threshold: 90, raises: A, severity: critical}\n"
    ).rules
    fires = "[{exp_labels: {severity: %s, cluster: c, host: h, disk: d}}]"
    both = (fires % "warning")[:-1] + ", " + (fires % "critical")[1:]
    # Minute by minute: rises, stays above 80, rises, stays above 90, falls between the two, falls.
    wanted = ["[]", fires % "warning", fires % "warning", both, both, fires % "warning", "[]", "[]"]
    times = "".join(
        f"  - {{eval_time: {minute}m, alertname: A, exp_alerts: {alerts}}}\n"
        for minute, alerts in enumerate(wanted)
    )
    tests = (
        "rule_files: [r.yml]\ntests:\n- interval: 1m\n  input_series:\n"
        '  - {series: \'clickhouse_disk_usage_ratio{cluster="c",host="h",disk="d"}\','
        " values: '0.84 0.86 0.82 0.96 0.92 0.88 0.79 0.84'}\n  alert_rule_test:\n" + times
    )
    checked = promtool("test", "rules", "t.yml", r=export(rules).text, t=tests)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_times_labels_and_texts(exported):
    found, left_out = exported(
        "expr: disk.usage_pct > 85",
        "for: 90s",
        "keep_firing_for: 1d",
        "severity: critical",
        "labels: {team: 'da\"ta'}",
        "annotations:",
        "  summary: '{{ $labels.team | toUpper }} {{ $value | humanizePercent }} {{ $labels.disk | title }}'",
        "  runbook_url: https://x.example",
    )
    assert found == {
        "alert": "A",
        "expr": "clickhouse_disk_usage_ratio * 100 > 85",
        "for": "1m30s",
        "keep_firing_for": "1d",
        "labels": {"team": 'da"ta', "severity": "critical"},
        "annotations": {
            "summary": '{{ "da\\"ta" | toUpper }} {{ $value | printf "%.4g%%" }} {{ $labels.disk | title }}',
            "runbook_url": "https://x.example",
        },
    }
    assert left_out == ()


def test_what_prometheus_cannot_say_is_left_out_and_named(exported):
    found, left_out = exported(
        "expr: disk.usage_pct > 85",
        "fix: SELECT 1",
        "annotations: {summary: '{{ $row.a }}', description: '{{ $labels.disk | literal }}'}",
    )
    assert "annotations" not in found
    assert len(left_out) == 3
    assert all(line.startswith("left out: ") and line.endswith(": A") for line in left_out)
    for lines in (
        ("sql: SELECT 1 AS value", "operator: '>'", "threshold: 1"),
        ("expr: server.up == 0", "enabled: false"),
    ):
        found, left_out = exported(*lines)
        assert found is None
        assert left_out[0].endswith(": A")


def test_groups_have_intervals_and_a_raising_rule_the_name_of_the_one_that_it_raises(loaded, promtool):
    text = (
        "groups:\n- {name: a, interval: 15s, rules: [{alert: A, expr: server.up == 0}]}\n"
        "- {name: b, rules: [{alert: B, expr: server.up == 0, raises: A, severity: critical}]}\n"
    )
    exported = export(loaded(text).rules).text
    groups = yaml.safe_load(exported)["groups"]
    assert [(g.get("interval"), [r["alert"] for r in g["rules"]]) for g in groups] == [
        ("15s", ["A"]),
        (None, ["A"]),
    ]
    assert promtool("check", "rules", "r.yml", r=exported).returncode == 0


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_what_was_exported_is_imported_again(path, tmp_path):
    rules = [rule for rule in load([path]).rules if rule.sql is None and rule.enabled]
    (tmp_path / "r.yml").write_text(export(rules).text)
    found = import_files([tmp_path / "r.yml"])
    (tmp_path / "ours.yaml").write_text(found.text)
    again = load([tmp_path / "ours.yaml"])
    assert again.problems == ()
    assert found.rules == len(rules)
    ours = {rule.name: dataclasses.replace(rule, **LOST) for rule in again.rules}
    for rule in rules:
        assert ours[rule.name] == dataclasses.replace(rule, **LOST)


@pytest.mark.parametrize(
    ("expr", "key", "threshold"),
    [
        ("clickhouse_disk_usage_ratio > 0.85", "disk.usage_pct", 85.0),
        ("clickhouse_disk_usage_ratio > 0.29", "disk.usage_pct", 29.0),
        ("clickhouse_disk_usage_ratio*100 > 85", "disk.usage_pct", 85.0),
        ("clickhouse_replica_lag_seconds * 1000 > 5000", "replication.lag_seconds", 5.0),
        ('clickhouse_query_duration_seconds{quantile="0.99"} > 0.5', "queries.p99_ms", 500.0),
        ("clickhouse_up\n  == 0", "server.up", 0.0),
        ("60 * rate(clickhouse_errors_total[5m]) > 3", "errors.per_min", 3.0),
        ("time() - clustersight_panel_last_success_timestamp_seconds > 9", "collector.age_seconds", 9.0),
    ],
)
def test_expressions_on_our_names_are_read(expr, key, threshold):
    found = promql_reader.read(expr)
    assert (found.metric_key, found.threshold, found.match) == (key, threshold, {})


@pytest.mark.parametrize(
    "expr",
    [
        "up == 0",
        "clickhouse_up",
        "rate(clickhouse_errors_total[1h]) > 3",
        "clickhouse_errors_total > 3",
        'clickhouse_disk_usage_ratio{disk!="a"} > 0.5',
        "clickhouse_disk_usage_ratio > 0.5 and clickhouse_up == 1",
        "avg(clickhouse_disk_usage_ratio) > 0.5",
        "clickhouse_query_duration_seconds > 1",
        "clustersight_panel_last_success_timestamp_seconds > 1",
        "clickhouse_up * 0 > 1",
        'clickhouse_up == 0 or (clickhouse_queries_running > 1 and on (host) ALERTS{a="b"})',
        "",
    ],
)
def test_other_expressions_are_refused(expr):
    with pytest.raises(UnknownExpressionError):
        promql_reader.read(expr)


def test_no_data_and_hysteresis_are_read():
    text = (
        "clickhouse_disk_usage_ratio * 100 > 85 or (clickhouse_disk_usage_ratio * 100 > 80 and on (host)"
        ' ALERTS{alertname="A"}) or absent(clickhouse_disk_usage_ratio{disk="a(b"})'
    )
    found = promql_reader.read(text)
    assert (found.operator, found.resolve_threshold, found.no_data) == (Operator.ABOVE, 80.0, NoData.ALERT)


PROMETHEUS = """\
groups:
- name: g
  limit: 3
  rules:
  - {record: a, expr: b}
  - {alert: Other, expr: 'up == 0'}
  - alert: Disk
    expr: clickhouse_disk_usage_ratio > 0.85
    for: 5m
    labels: {severity: page, team: x, host: y, varies: '{{ $labels.disk }}'}
    annotations:
      summary: 'At {{ humanizePercentage $value }}'
      description: 'At {{ $value }}'
      dashboard: https://x.example
  - {alert: Disk, expr: clickhouse_disk_usage_ratio > 0.95, labels: {severity: critical}}
  - {alert: Disk, expr: clickhouse_disk_usage_ratio > 0.99, labels: {severity: critical}}
"""


def test_what_cannot_be_imported_is_named_with_its_place(tmp_path):
    path = tmp_path / "p.yml"
    path.write_text(PROMETHEUS)
    found = import_files([path])
    (tmp_path / "ours.yaml").write_text(found.text)
    loaded = load([tmp_path / "ours.yaml"])
    assert loaded.problems == ()
    first, second, third = loaded.rules
    assert (first.name, first.threshold, first.severity, first.labels) == (
        "Disk",
        85.0,
        "warning",
        {"team": "x"},
    )
    assert (first.summary, first.description) == ("At {{ $value | humanizePercent }}", "")
    assert (second.name, second.raises) == ("DiskCritical", "Disk")
    assert (third.name, third.raises) == ("DiskCritical (2)", "Disk")
    # limit; the recording rule; Other; three labels; two annotations; the third name.
    lines = sorted(problem.line or 0 for problem in found.left_out)
    assert lines == [3, 5, 6, 10, 10, 10, 13, 14, 16]
    assert all(problem.message.startswith("left out: ") for problem in found.left_out)


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "p.yml").write_text("groups: [")
    with pytest.raises(SettingsError, match="is not YAML"):
        import_files([tmp_path / "p.yml", Path("/nowhere.yml")])
