from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from clustersight.cli import main
from tests.rules.conftest import BAD, GOOD

GOOD_ONE = "rules: [{alert: A, expr: server.up == 0}]\n"
QUIET_ONE = (
    "rules: [{alert: A, expr: server.up == 0, for: 1m, annotations: {runbook_url: https://x.example}}]\n"
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that runs `clustersight rules …` where there are files: run("check", "a.yaml", a=text)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLUSTERSIGHT_CONFIG", raising=False)

    def invoke(*arguments: str, **files: str):
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return CliRunner().invoke(main, ["rules", *arguments])

    return invoke


def test_check_of_good_rules_is_0_and_says_what_was_found_ok(run):
    result = run("check", "a.yaml", a=GOOD_ONE)
    assert (result.exit_code, result.stdout) == (0, "ok: 1 rule in 1 file\n")
    assert result.stderr == "2 lint findings; clustersight rules lint shows them\n"
    result = run("check", *map(str, GOOD))
    assert result.exit_code == 0
    assert f"in {len(GOOD)} files" in result.stdout


def test_check_of_bad_rules_is_1_with_every_problem_on_standard_error(run):
    result = run("check", str(BAD[0].parent))
    assert (result.exit_code, result.stdout) == (1, "")
    assert {line.split(":")[0] for line in result.stderr.splitlines()} >= {str(path) for path in BAD}


def test_check_with_lint_fatal_is_3_if_lint_finds_anything(run):
    result = run("check", "--lint-fatal", "a.yaml", a=GOOD_ONE)
    assert result.exit_code == 3
    assert "a.yaml:1:9: rule 'A': has no for" in result.stderr
    assert run("check", "--lint-fatal", "a.yaml", a=QUIET_ONE).exit_code == 0
    assert run("check", "--lint-fatal", "b.yaml", b="rules: []").exit_code == 1


def test_rules_may_name_built_in_ones(run, monkeypatch):
    from clustersight.rules.pack import built_in

    names = [rule.name for rule in built_in().rules]
    text = f"rules: [{{alert: A, expr: server.up == 0, inhibited_by: [{names[0]}]}}]"
    assert run("check", "a.yaml", a=text).exit_code == 0


def test_without_a_path_the_configured_rules_are_meant(run):
    config = "rules: {builtin: false, paths: [mine]}\n"
    assert run("check", "--config", "c.yaml", c=config).exit_code == 1
    Path("mine").mkdir()
    Path("mine/a.yaml").write_text(GOOD_ONE)
    assert run("check", "--config", "c.yaml").stdout == "ok: 1 rule in 1 file\n"
    built_in = run("check")
    assert built_in.exit_code == 0
    both = run("check", "--config", "d.yaml", d="rules: {paths: [mine]}\n")
    counts = [int(result.stdout.split()[1]) for result in (built_in, both)]
    assert counts[1] == counts[0] + 1


def test_a_rule_of_a_file_replaces_the_built_in_one(run):
    from clustersight.rules.pack import built_in

    first = next(
        r for r in built_in().rules if not r.raises and not any(o.raises == r.name for o in built_in().rules)
    )
    Path("mine").mkdir()
    Path("mine/a.yaml").write_text(f"rules: [{{alert: {first.name}, expr: {first.metric_key} == 0}}]")
    result = run("check", "--config", "c.yaml", c="rules: {paths: [mine]}\n")
    assert result.stdout.startswith(f"ok: {len(built_in().rules)} rules")


def test_a_configuration_that_cannot_be_read_is_1(run):
    result = run("check", "--config", "c.yaml", c="rulez: 1")
    assert result.exit_code == 1
    assert "c.yaml:1:1" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["chekc"], ["check", "--lint"], ["lint", "--format", "xml"], ["import"], ["--bad"],
        ["export", "--format", "x"], ["check", "a.yaml", "--live", "nobody"], ["check", "--live"],
    ],
)  # fmt: skip
def test_a_wrong_call_is_64(run, arguments):
    result = run(*arguments, a=GOOD_ONE)
    assert result.exit_code == 64
    assert result.stdout == "" or not arguments
    assert result.output


@pytest.mark.parametrize("command", ["check", "lint", "export", "import"])
def test_help_teaches_with_an_example(run, command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: clustersight rules {command} " in " ".join(result.stdout.split())


def test_lint_is_0_1_and_3_in_every_format(run):
    assert run("lint", "a.yaml", a=QUIET_ONE).stdout == ""
    for form in ("text", "json", "github", "sarif"):
        found = run("lint", "--format", form, "b.yaml", b=GOOD_ONE)
        assert found.exit_code == 0
        assert "no-runbook" in found.stdout
        assert run("lint", "--lint-fatal", "--format", form, "b.yaml").exit_code == 3
        bad = run("lint", "--format", form, "c.yaml", c="rules: []")
        assert bad.exit_code == 1
        assert "holds no rule" in bad.stdout
    assert json.loads(run("lint", "--format", "json", "a.yaml").stdout) == []


def test_export_prints_rules_and_names_what_is_left_out(run, promtool):
    result = run("export", "--format", "prometheus", str(GOOD[0].parent / "everything.yaml"))
    assert result.exit_code == 0
    assert promtool("check", "rules", "r.yml", r=result.stdout).returncode == 0
    for name in ("DiskFilling", "DiskOff", "OldBackup"):
        assert name in result.stderr
    bad = run("export", "a.yaml", a="rules: []")
    assert (bad.exit_code, bad.stdout) == (1, "")


def test_the_pack_is_exported_without_a_path(run, promtool):
    result = run("export")
    assert result.exit_code == 0
    assert promtool("check", "rules", "r.yml", r=result.stdout).returncode == 0


def test_import_prints_rules_that_check_takes(run):
    prometheus = (
        "groups: [{name: g, rules: [{alert: A, expr: clickhouse_up == 0}, {alert: B, expr: up == 0}]}]"
    )
    result = run("import", "p.yaml", p=prometheus)
    assert result.exit_code == 0
    assert yaml.safe_load(result.stdout)["groups"][0]["rules"][0]["metric_key"] == "server.up"
    assert "rule 'B'" in result.stderr
    assert run("check", "ours.yaml", ours=result.stdout).exit_code == 0
    assert run("import", "q.yaml", q="groups: [{name: g, rules: [{alert: B, expr: up == 0}]}]").exit_code == 1
    assert run("import", "nowhere.yaml").exit_code == 1


def test_a_name_in_a_file_cannot_drive_the_terminal(run):
    result = run("check", "a.yaml", a='rules: [{alert: A, "x\\u001b[31m": 1}]')
    assert result.exit_code == 1
    assert "\x1b" not in result.output


SQL = """\
rules:
  - alert: Tables
    sql: |
      SELECT count() AS value, database FROM system.tables GROUP BY database -- of all
    operator: ">"
    threshold: 1000
"""


def test_live_asks_a_server_whether_the_sql_runs(run, embedded):
    config = json.dumps(
        {"clusters": [{"name": "c", "host": "127.0.0.1", "port": embedded.port, "protocol": "http"}]}
    )
    arguments = ("check", "--live", "c", "--config", "config.yaml", "a.yaml")
    good = run(*arguments, config=config, a=SQL)
    assert (good.exit_code, good.stdout) == (0, "ok: 1 rule in 1 file, 1 SQL rule run on c\n")
    for wrong, what in (
        (("system.tables", "system.tabels"), "tabels"),
        (("database FROM", "databaze FROM"), "databaze"),
    ):
        bad = run(*arguments, a=SQL.replace(*wrong))
        assert (bad.exit_code, bad.stdout) == (1, "")
        assert bad.stderr.startswith("a.yaml:3:10: rule 'Tables': sql: ")
        assert what in bad.stderr
    hidden = run(
        *arguments,
        a=SQL.replace("AS value", "AS n /* value */, 'x' AS `of value`").replace(
            "-- of all", "HAVING max(1 AS value)"
        ),
    )
    assert (hidden.exit_code, "has no column value on this server" in hidden.stderr) == (1, True)


def test_live_on_a_server_that_does_not_answer_is_1(run):
    config = json.dumps({"clusters": [{"name": "c", "host": "127.0.0.1", "port": 1, "protocol": "http"}]})
    result = run("check", "--live", "c", "--config", "config.yaml", "a.yaml", config=config, a=SQL)
    assert result.exit_code == 1
    assert result.stderr.startswith("a.yaml:3:10: ")
