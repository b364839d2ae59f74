"""`clustersight rules test`: the format, what passes and what fails, and its reports."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import Result

from tests.rules.commanding import rules, write

RULES = """
rules:
  - alert: Disk
    expr: disk.usage_pct > 80
    for: 2m
    labels: {team: data}
    annotations: {summary: 'at {{ $value }}'}
  - {alert: DiskCritical, expr: disk.usage_pct > 90, severity: critical, raises: Disk}
  - {alert: Down, expr: server.up == 0, severity: critical}
  - {alert: Quiet, expr: memory.usage_pct > 80, inhibited_by: [Down]}
  - {alert: Blind, expr: memory.usage_pct > 99, no_data: alert}
"""
WHERE = 'cluster="c", host="h"'
DISK = f"""disk.usage_pct{{{WHERE}, disk="d"}}"""
LABELS = "{cluster: c, host: h, disk: d, severity: warning, team: data}"


def outcome(folder: Path, series: dict[str, str], *lines: str, text: str = RULES) -> Result:
    """The result of one test of RULES."""
    write(folder / "rules.yaml", text)
    every = "\n".join(f"      - {{series: '{name}', values: '{values}'}}" for name, values in series.items())
    body = "\n".join(f"    {line}" for line in lines)
    file = write(
        folder / "test.yaml",
        f"rule_files: [rules.yaml]\nevaluation_interval: 1m\ntests:\n  - name: it\n    interval: 1m\n"
        f"    input_series:\n{every}\n{body}\n",
    )
    return rules("test", file)


def alerts(at: str, name: str, *expected: str) -> str:
    told = ", ".join(f"{{exp_labels: {labels}}}" for labels in expected)
    return f"{{eval_time: {at}, alertname: {name}, exp_alerts: [{told}]}}"


def check(*some: str) -> str:
    return "alert_rule_test: [" + ", ".join(some) + "]"


def sent(*some: str) -> str:
    return "exp_notifications: [" + ", ".join(some) + "]"


def notice(at: str, name: str, kind: str, labels: str = "") -> str:
    more = f", labels: {labels}" if labels else ""
    return f"{{eval_time: {at}, alertname: {name}, kind: {kind}{more}}}"


def test_what_is_as_expected_passes(tmp_path: Path) -> None:
    checks = check(alerts("2m", "Disk"), alerts("3m", "Disk", LABELS), alerts("6m", "Disk"))
    result = outcome(tmp_path, {DISK: "50 85x4 50x3"}, checks)
    assert (result.exit_code, result.stdout) == (0, f"Unit Testing:  {tmp_path}/test.yaml\n  SUCCESS (1)\n")


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        (alerts("2m", "Disk", LABELS), "got:[]"),
        (alerts("3m", "Disk"), "exp:[]"),
        (alerts("3m", "Disk", LABELS.replace("warning", "critical")), "severity='critical'"),
        (alerts("3m", "Disk", LABELS.replace(", team: data", "")), "team='data'"),
        (alerts("3m", "Disk", LABELS, LABELS), "exp:["),
    ],
)
def test_what_is_not_fails_with_the_place_and_both_sides(tmp_path: Path, expected: str, told: str) -> None:
    result = outcome(tmp_path, {DISK: "50 85x4 50x3"}, check(expected))
    assert result.exit_code == 1
    assert "FAILED" in result.stdout
    assert f"{tmp_path}/test.yaml:8:23: name: it," in result.stdout
    assert "alertname: Disk, time: " in result.stdout
    assert told in result.stdout


def test_of_annotations_the_named_ones_are_compared(tmp_path: Path) -> None:
    def result(text: str):
        expected = f"{{exp_labels: {LABELS}, exp_annotations: {{{text}}}}}"
        told = check(f"{{eval_time: 3m, alertname: Disk, exp_alerts: [{expected}]}}")
        return outcome(tmp_path, {DISK: "50 85x4"}, told).exit_code

    assert result("summary: 'at 85'") == 0
    assert result("summary: 'at 86'") == 1
    assert result("description: ''") == 0
    assert result("fix: x") == 1


def test_a_raised_alert_is_found_under_both_names_and_a_milder_one_under_its_own(tmp_path: Path) -> None:
    critical = "{cluster: c, host: h, disk: d, severity: critical}"
    mild = [alerts("3m", "Disk", LABELS), alerts("3m", "DiskCritical")]
    raised = [alerts("5m", "Disk", critical), alerts("5m", "DiskCritical", critical)]
    assert outcome(tmp_path, {DISK: "85x4 95x4"}, check(*mild, *raised)).exit_code == 0


def test_prometheus_names_are_in_base_units(tmp_path: Path) -> None:
    series = DISK.replace("disk.usage_pct", "clickhouse_disk_usage_ratio")
    checks = check(alerts("3m", "Disk", LABELS))
    assert outcome(tmp_path, {series: "0.85x4"}, checks).exit_code == 0
    assert outcome(tmp_path, {series: "0.75x4"}, checks).exit_code == 1


def test_a_series_without_cluster_and_host_has_no_such_labels(tmp_path: Path) -> None:
    checks = check(alerts("3m", "Down", "{severity: critical}"))
    assert outcome(tmp_path, {"server.up": "0x5"}, checks).exit_code == 0


def test_counters_by_their_prometheus_name_are_rates_over_five_minutes(tmp_path: Path) -> None:
    text = "rules: [{alert: Loss, expr: replicated_data_loss.per_min > 1.9}]"
    series = f"clickhouse_replicated_data_loss_total{{{WHERE}}}"
    labels = "{cluster: c, host: h, severity: warning}"
    checks = check(
        alerts("0m", "Loss"), alerts("1m", "Loss"), alerts("6m", "Loss", labels), alerts("20m", "Loss")
    )
    assert outcome(tmp_path, {series: "0+2x10 20x20"}, checks, text=text).exit_code == 0
    assert outcome(tmp_path, {series: "0+1x10 10x20"}, checks, text=text).exit_code == 1


def test_a_sql_rule_is_fed_under_its_name(tmp_path: Path) -> None:
    text = "rules: [{alert: Mine, sql: SELECT 1 AS value, operator: '>', threshold: 3}]"
    checks = check(alerts("1m", "Mine", "{cluster: c, host: h, x: y, severity: warning}"))
    series = f'rule:Mine{{{WHERE}, x="y"}}'
    assert outcome(tmp_path, {series: "4x3"}, checks, text=text).exit_code == 0
    assert outcome(tmp_path, {series: "3x3"}, checks, text=text).exit_code == 1


MEMORY = f"memory.usage_pct{{{WHERE}}}"


def test_an_absent_series_resolves_and_a_failed_run_keeps(tmp_path: Path) -> None:
    own = "{cluster: c, host: h, severity: warning}"
    firing, over = alerts("9m", "Quiet", own), alerts("9m", "Quiet")
    for values, expected in (
        ("90x5 _x9", firing),
        ("90x5 stale _x9", over),
        ("90x5", over),
        ("90x5 NaN", over),
    ):
        assert outcome(tmp_path, {MEMORY: values}, check(expected)).exit_code == 0, values


def test_one_series_that_is_missing_from_a_run_that_was_read_is_absent(tmp_path: Path) -> None:
    other = DISK.replace('"d"', '"e"')
    checks = check(alerts("4m", "Disk", LABELS), alerts("5m", "Disk"))
    assert outcome(tmp_path, {DISK: "85x4 _x5", other: "1x9"}, checks).exit_code == 0


def test_no_data_is_after_two_intervals(tmp_path: Path) -> None:
    blind = alerts("5m", "Blind", "{cluster: c, host: h, severity: warning}")
    assert outcome(tmp_path, {MEMORY: "1x2 _x9"}, check(alerts("4m", "Blind"), blind)).exit_code == 0


def test_every_message_is_expected_or_an_error(tmp_path: Path) -> None:
    series = {DISK: "85x4 95x70 85x3 50x3"}
    told = [
        notice("2m", "Disk", "firing", LABELS),
        notice("5m", "DiskCritical", "rise"),
        notice("65m", "Disk", "repeat"),
        notice("80m", "Disk", "resolved"),
    ]
    assert outcome(tmp_path, series, sent(*told)).exit_code == 0
    for left_out in told:
        others = [one for one in told if one != left_out]
        result = outcome(tmp_path, series, sent(*others, notice("90m", "Disk", "firing")))
        assert result.exit_code == 1
        assert "a message was sent" in result.stdout
        assert "a message was not sent" in result.stdout
    assert outcome(tmp_path, series, check(alerts("80m", "Disk")), sent()).exit_code == 1


def test_a_rule_is_silent_while_another_one_fires_and_for_a_while(tmp_path: Path) -> None:
    series = {MEMORY: "90x20", f"server.up{{{WHERE}}}": "0x4 1x20"}
    down = [notice("0m", "Down", "firing"), notice("5m", "Down", "resolved")]
    assert outcome(tmp_path, series, sent(*down, notice("6m", "Quiet", "firing"))).exit_code == 0
    assert outcome(tmp_path, series, sent(*down, notice("5m", "Quiet", "firing"))).exit_code == 1


def test_people_acknowledge_and_snooze(tmp_path: Path) -> None:
    series = {DISK: "85x200 50"}
    begin, end = notice("2m", "Disk", "firing"), notice("201m", "Disk", "resolved")
    hourly = [notice(f"{at}m", "Disk", "repeat") for at in (62, 122, 182)]
    assert outcome(tmp_path, series, sent(begin, *hourly, end)).exit_code == 0
    seen = "actions: [{time: 3m, acknowledge: Disk}]"
    assert outcome(tmp_path, series, seen, sent(begin, end)).exit_code == 0
    later = "actions: [{time: 60m, snooze: Disk, for: 30m, labels: {disk: d}}]"
    shifted = [notice(f"{at}m", "Disk", "repeat") for at in (90, 150)]
    assert outcome(tmp_path, series, later, sent(begin, *shifted, end)).exit_code == 0
    nothing = outcome(tmp_path, series, "actions: [{time: 1m, acknowledge: Disk}]")
    assert nothing.exit_code == 1
    assert "nothing of this name fires" in nothing.stdout


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("rule_files", "rule_file", "1:1: rule_file: unknown key 'rule_file'; did you mean 'rule_files'?"),
        (
            "evaluation_interval: 1m",
            "evaluation_interval: soon",
            "2:22: evaluation_interval: must be a duration",
        ),
        ("    name: it", "    nme: it", "5:5: tests[0].nme: unknown key 'nme'; did you mean 'name'?"),
        ("    interval: 1m", "    interval: 0s", "6:15: tests[0].interval: must be longer"),
        ("values: '85x4'", "values: '85y4'", "8:78: tests[0].input_series[0].values: '85y4' is none of"),
        ("values: '85x4'", "valves: '85x4'", "unknown key 'valves'; did you mean 'values'?"),
        (
            "disk.usage_pct",
            "disk.usage_pc",
            "8:18: tests[0].input_series[0].series: 'disk.usage_pc' is no metric",
        ),
        ("disk.usage_pct", "rule:None", "is of no SQL rule"),
        (", disk=", ", dusk=", "unknown label 'dusk'; did you mean 'disk'?"),
        ("eval_time: 3m", "eval_tim: 3m", "unknown key 'eval_tim'; did you mean 'eval_time'?"),
        ("eval_time: 3m", "eval_time: 3", "must be a duration with its unit, as in 3s"),
        (
            "alertname: Disk,",
            "alertname: Dusk,",
            "10:36: tests[0].alert_rule_test[0].alertname: there is no rule 'Dusk'; did you mean 'Disk'?",
        ),
        ("alertname: Disk,", "", "has no alertname"),
        ("exp_labels", "exp_label", "unknown key 'exp_label'; did you mean 'exp_labels'?"),
        ("exp_labels: {", "exp_labels: {alertname: A, ", "leave it out here"),
        ("exp_labels: {", "exp_labels: {x: 1, ", "exp_labels.x: must be text"),
        (
            "exp_annotations: {summary",
            "exp_annotations: {sumary",
            "unknown annotation 'sumary'; did you mean 'summary'?",
        ),
        ("kind: firing", "kind: fring", "unknown kind 'fring'; did you mean 'firing'?"),
        ("acknowledge: Disk", "acknowledge: Desk", "actions[0].acknowledge: there is no rule 'Desk'"),
        ("acknowledge: Disk", "snooze: Disk", "a snooze needs for"),
        ("acknowledge: Disk", "acknowledge: Disk, snooze: Disk", "must be one of"),
        ("[rules.yaml]", "[ruls.yaml]", "1:14: rule_files[0]: 'ruls.yaml' is no file beside this one"),
        ("alert_rule_test", "promql_expr_test", "unknown key 'promql_expr_test'"),
    ],
)
def test_every_mistake_is_said_with_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    write(tmp_path / "rules.yaml", RULES)
    expected = f"{{exp_labels: {LABELS}, exp_annotations: {{summary: at 85}}}}"
    text = f"""\
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  -
    name: it
    interval: 1m
    input_series:
      - {{series: '{DISK}', values: '85x4'}}
    alert_rule_test:
      - {{eval_time: 3m, alertname: Disk, exp_alerts: [{expected}]}}
    exp_notifications: [{{eval_time: 2m, alertname: Disk, kind: firing}}]
    actions: [{{time: 3m, acknowledge: Disk}}]
"""
    good = write(tmp_path / "good.yaml", text)
    assert rules("test", good).exit_code == 0
    assert old in text
    bad = write(tmp_path / "bad.yaml", text.replace(old, new, 1))
    result = rules("test", bad)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert told in result.stderr
    assert all(
        line.startswith(f"{bad}:") and line.split(":")[1].isdigit() for line in result.stderr.splitlines()
    )


def test_rules_with_problems_are_not_tested(tmp_path: Path) -> None:
    result = outcome(tmp_path, {DISK: "1"}, text="rules: [{alert: A, expr: disk.usage_pc > 1}]")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "rules.yaml:1:" in result.stderr


def test_without_rule_files_the_built_in_rules_are_tested(tmp_path: Path) -> None:
    text = """\
{}tests:
  - input_series: [{{series: 'server.up{{host="h"}}', values: '0x9'}}]
    alert_rule_test:
      - eval_time: 5m
        alertname: NodeDown
        exp_alerts: [{{exp_labels: {{host: h, severity: critical}}}}]
"""
    assert rules("test", write(tmp_path / "a.yaml", text.format(""))).exit_code == 0
    write(tmp_path / "rules.yaml", RULES)
    assert rules("test", write(tmp_path / "b.yaml", text.format("rule_files: [rules.yaml]\n"))).exit_code == 1
    both = text.format("rule_files: [rules.yaml, builtin]\n")
    assert rules("test", write(tmp_path / "c.yaml", both)).exit_code == 0


TWO = """\
rule_files: ['*.yaml']
tests:
  - name: first <&> é
    input_series: [{series: server.up, values: 0x5}]
    alert_rule_test: [{eval_time: 1m, alertname: Down, exp_alerts: [{exp_labels: {severity: critical}}]}]
  - name: second
    input_series: [{series: server.up, values: 1x5}]
    alert_rule_test: [{eval_time: 1m, alertname: Down, exp_alerts: [{exp_labels: {severity: critical}}]}]
"""


def test_run_chooses_by_name(tmp_path: Path) -> None:
    write(tmp_path / "rules.yaml", RULES)
    write(tmp_path / "tests" / "t.yml", TWO.replace("*.yaml", "../*.yaml"))
    assert rules("test", tmp_path).exit_code == 1
    assert rules("test", "--run", "^fir", tmp_path).exit_code == 0
    assert rules("test", "--run", "sec", tmp_path).exit_code == 1
    none = rules("test", "--run", "third", tmp_path)
    assert (none.exit_code, none.stderr) == (1, "no test has such a name\n")


def test_junit_is_xml_with_every_test(tmp_path: Path) -> None:
    write(tmp_path / "rules.yaml", RULES)
    file = write(tmp_path / "t" / "t.yml", TWO.replace("*.yaml", "../*.yaml"))
    report = tmp_path / "junit.xml"
    assert rules("test", "--junit", report, file).exit_code == 1
    suite = ET.parse(report).getroot().find("testsuite")
    assert suite is not None
    assert suite.attrib == {"name": str(file), "tests": "2", "failures": "1"}
    assert [case.get("name") for case in suite] == ["first <&> é", "second"]
    failures = [case.findall("failure") for case in suite]
    assert [len(some) for some in failures] == [0, 1]
    assert "got:[]" in (failures[1][0].text or "")
    assert rules("test", "--junit", tmp_path / "no" / "where.xml", file).exit_code == 1


def test_coverage_names_what_no_test_makes_fire_or_leaves_silent(tmp_path: Path) -> None:
    write(tmp_path / "rules.yaml", RULES)
    write(tmp_path / "t" / "t.yml", TWO.replace("*.yaml", "../*.yaml"))
    result = rules("test", "--coverage", "--run", "first", tmp_path)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-3:] == [
        "coverage: 1 of 5 rules fire in a test, 0 are silent in one",
        "  fire in none: Disk, DiskCritical, Quiet, Blind",
        "  are silent in none: Disk, DiskCritical, Down, Quiet, Blind",
    ]
    assert rules("test", "--run", "first", "--fail-under", "20", tmp_path).exit_code == 0
    short = rules("test", "--run", "first", "--fail-under", "21", tmp_path)
    assert short.exit_code == 1
    assert "20.0 % of the rules fire in some test, less than 21 %" in short.stderr


def test_a_rule_is_silent_only_where_its_key_has_values_and_it_never_fires(tmp_path: Path) -> None:
    def silent(series: str, values: str, name: str) -> bool:
        write(tmp_path / "rules.yaml", RULES)
        text = f"""\
rule_files: [../rules.yaml]
tests:
  - input_series: [{{series: {series}, values: {values}}}]
    alert_rule_test: [{{eval_time: 2m, alertname: {name}, exp_alerts: []}}]
"""
        write(tmp_path / "t" / "t.yml", text)
        [last] = [
            line
            for line in rules("test", "--coverage", tmp_path).stdout.splitlines()
            if "silent in none" in line
        ]
        return name not in last.replace(",", "").split()

    assert silent("server.up", "1x5", "Down")
    assert not silent("server.up", "0 1x5", "Down")
    assert not silent("disk.usage_pct", "1x5", "Down")


def test_folders_hold_rules_and_tests_side_by_side(tmp_path: Path) -> None:
    write(tmp_path / "rules.yaml", RULES)
    write(tmp_path / "rules_test.yaml", TWO.replace("*.yaml", "rules.yaml"))
    assert rules("check", tmp_path).stdout == "ok: 5 rules in 1 file\n"
    assert rules("test", "--run", "first", tmp_path).stdout.count("Unit Testing") == 1
    named = rules("check", tmp_path / "rules_test.yaml")
    assert named.exit_code == 1
    assert "holds tests of rules; clustersight rules test runs them" in named.stderr
    (tmp_path / "rules.yaml").unlink()
    alone = rules("check", tmp_path)
    assert alone.exit_code == 1
    assert "is a folder without a rule file" in alone.stderr


def test_a_folder_without_tests_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "rules.yaml", RULES)
    result = rules("test", tmp_path)
    assert result.exit_code == 1
    assert "holds no test file" in result.stderr
    assert rules("test", tmp_path / "nowhere").exit_code == 1


@pytest.mark.parametrize("wrong", [[], ["--run", "("], ["--fail-under", "101", "x"], ["--nothing", "x"]])
def test_a_wrong_call_is_64(wrong: list[str]) -> None:
    assert rules("test", *wrong, *(["x"] if wrong[:1] == ["--run"] else [])).exit_code == 64


def test_names_of_a_file_cannot_drive_the_terminal(tmp_path: Path) -> None:
    text = TWO.replace("name: second", 'name: "a\\eb"').replace("'*.yaml'", "rules.yaml")
    write(tmp_path / "rules.yaml", RULES)
    result = rules("test", write(tmp_path / "t.yml", text))
    assert "name: a\\x1bb" in result.stdout
    assert "\x1b" not in result.stdout
