from __future__ import annotations

import os
from pathlib import Path

import pytest

from clustersight.duration import format_duration
from clustersight.rules.loader import MAX_NODES, load
from clustersight.rules.pack import built_in
from clustersight.rules.rule import NoData, Operator, Rule, RunOn
from clustersight.settings.notify import Severity
from tests.rules.conftest import BAD, GOOD, HEAD

ROOT = Path(__file__).parents[2]
A = "groups: [{name: g, rules: [{alert: A, expr: server.up == 0}]}]\n"


def expected(path: Path) -> list[str]:
    lines = path.read_text().splitlines()
    return [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_has_just_the_problems_that_it_names(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    path = path.relative_to(ROOT)
    wanted = expected(path)
    assert wanted
    assert list(map(str, load([path]).problems)) == [f"{path}:{line}" for line in wanted]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_has_rules_and_no_problems(path):
    loaded = load([path])
    assert loaded.problems == ()
    assert loaded.rules


def test_there_are_fixtures():
    assert len(BAD) > 80
    assert len(GOOD) >= 4


def test_every_field_arrives():
    rules = {rule.name: rule for rule in load([GOOD[0].parent / "everything.yaml"]).rules}
    disk = rules["DiskFilling"]
    assert disk == Rule(
        name="DiskFilling",
        metric_key="disk.usage_pct",
        operator=Operator.ABOVE,
        threshold=85.0,
        severity=Severity.WARNING,
        match={"disk": ("default", 's3 "cold"', "a|b.c"), "cluster": "production"},
        resolve_threshold=80.5,
        for_sec=300,
        keep_firing_for_sec=5400,
        cooldown_sec=900,
        no_data=NoData.ALERT,
        inhibited_by=("NodeGone",),
        group="cluster",
        labels={"team": "storage", "component": "disk"},
        summary=disk.summary,
        description=disk.description,
        runbook_url="https://runbooks.example.com/disk#full",
        fix=disk.fix,
        interval_sec=15,
        origin=f"{GOOD[0].parent}/everything.yaml:7",
    )
    assert disk.summary.startswith("Disk {{ $labels.disk }}")
    assert disk.description.startswith("{{ $labels.component | toUpper }}")
    assert (disk.fix or "").startswith("-- on")
    critical = rules["DiskFillingCritical"]
    assert critical.match == disk.match
    assert (critical.raises, critical.identity, critical.labels) == (
        "DiskFilling",
        "DiskFilling",
        {"team": "data"},
    )
    assert rules["DiskOff"].enabled is False
    sql = rules["OldBackup"]
    assert (sql.metric_key, sql.run_on, sql.threshold) == ("rule:OldBackup", RunOn.ONE, 1500.0)
    assert (sql.interval_sec, sql.cooldown_sec) == (None, 3600)


def test_rules_without_groups_and_aliases():
    flat = load([GOOD[0].parent / "flat.yaml"]).rules[0]
    assert (flat.match, flat.threshold) == ({"error": ("A", "B"), "host": "a"}, -0.0015)
    one, two = load([GOOD[0].parent / "aliases.yml"]).rules
    assert one.match == two.match == {"database": "shop"}
    assert (one.threshold, two.threshold, two.for_sec) == (16.0, 1000.0, 86400)


def test_all_errors_of_all_files_are_reported_together_in_order(loaded):
    found = loaded("rules: [{alert: A, expr: server.up = 0}]", "rulez: []", "a: [", A)
    assert [Path(p.source).name for p in found.problems] == ["a.yaml", "b.yaml", "c.yaml"]
    assert [rule.name for rule in found.rules] == ["A"]


def test_a_name_is_unique_over_all_files(loaded):
    found = loaded(A, A)
    assert [(Path(p.source).name, p.line) for p in found.problems] == [("b.yaml", 1)]
    assert "a.yaml:1" in found.problems[0].message


def test_a_rule_that_cannot_be_read_is_still_one_that_others_may_name(loaded):
    found = loaded(
        f"{HEAD}      - {{alert: A, expr: server.up = 0}}\n"
        "      - {alert: B, expr: server.up == 0, severity: critical, raises: A}\n"
        "      - {alert: C, expr: server.up == 0, inhibited_by: [A]}\n"
    )
    assert [p.line for p in found.problems] == [4]


def test_missing_and_empty_folders_are_problems(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.yaml").write_text(A)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "README.md").write_text("none")
    found = load([tmp_path / "full", tmp_path / "empty", tmp_path / "gone", tmp_path / "gone.yaml"])
    assert [Path(p.source).name for p in found.problems] == ["empty", "gone", "gone.yaml"]
    assert "without a rule file" in found.problems[0].message


def test_an_empty_file_and_one_of_no_text_are_problems(loaded, tmp_path):
    assert "holds no rule" in loaded("").problems[0].message
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in load([tmp_path]).problems[0].message
    (tmp_path / "a.yaml").unlink()
    (tmp_path / "a.yaml").mkdir()
    (tmp_path / "b.yaml").write_text(A)
    assert load([tmp_path]).problems == ()


def test_folders_are_read_sorted_and_below_without_hidden_files(tmp_path):
    """As Kubernetes mounts a ConfigMap: the names are links into ..data, itself a link."""
    day = tmp_path / "..2026_11_21"
    day.mkdir()
    (day / "z.yaml").write_text(A)
    (tmp_path / "..data").symlink_to(day.name)
    (tmp_path / "z.yaml").symlink_to("..data/z.yaml")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.yml").write_text(A.replace("alert: A", "alert: B"))
    for hidden in (".git", ".a.yaml.swp", ".hidden.yaml"):
        (tmp_path / hidden).write_text("never: read")
    (tmp_path / "sub" / "notes.txt").write_text("never: read")
    found = load([tmp_path, tmp_path / "z.yaml"])
    assert found.problems == ()
    assert [str(p.relative_to(tmp_path)) for p in found.files] == ["z.yaml", "sub/b.yml"]
    assert [rule.name for rule in found.rules] == ["A", "B"]
    assert found.rules[0].origin == f"{tmp_path}/z.yaml:1"


def test_an_unreadable_file_is_a_problem(tmp_path, monkeypatch):
    (tmp_path / "a.yaml").symlink_to("nowhere.yaml")
    assert "cannot be read" in load([tmp_path]).problems[0].message


def test_known_rules_may_be_named_and_replaced(loaded):
    known = Rule(name="NodeDown", metric_key="server.up", operator=Operator.EQUAL, threshold=0.0)
    text = (
        "rules:\n  - {alert: A, expr: server.up == 0, inhibited_by: [NodeDown]}\n"
        "  - {alert: B, expr: server.up == 0, raises: NodeDown, severity: critical}\n"
    )
    assert len(loaded(text).problems) == 2
    assert loaded(text, known=(known,)).problems == ()
    assert loaded(text + "  - {alert: NodeDown, expr: server.up < 1}", known=(known,)).problems == ()


def test_a_replaced_rule_must_still_be_what_a_known_one_raises(loaded):
    warning = Rule(name="Disk", metric_key="disk.usage_pct", operator=Operator.ABOVE, threshold=85.0)
    critical = Rule(
        name="DiskCritical",
        metric_key="disk.usage_pct",
        operator=Operator.ABOVE,
        threshold=95.0,
        severity=Severity.CRITICAL,
        raises="Disk",
    )
    good = "rules: [{alert: Disk, expr: disk.usage_pct > 50}]"
    assert loaded(good, known=(warning, critical)).problems == ()
    bad = "rules: [{alert: Disk, expr: server.up == 0}]"
    (problem,) = loaded(bad, known=(warning, critical)).problems
    assert "is raised by the rule 'DiskCritical'" in problem.message


def test_ten_thousand_rules_in_one_file_are_not_too_many(loaded):
    rule = "      - {{alert: R{}, metric_key: disk.usage_pct, operator: '>', threshold: 85, for: 5m}}"
    found = loaded(HEAD + "\n".join(rule.format(number) for number in range(10_000)))
    assert found.problems == ()
    assert len(found.rules) == 10_000


def test_aliases_of_aliases_are_refused(loaded):
    levels = 8
    lines = ["rules:", "  - &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  - &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, levels)]
    assert 10**levels > MAX_NODES
    (problem,) = loaded("\n".join(lines)).problems
    assert "too large" in problem.message


def test_the_pack_is_good_whatever_is_in_it():
    pack = built_in()
    assert pack.problems == ()
    assert len(pack.files) == len(list((ROOT / "config" / "rules").glob("*.yaml")))


def test_a_duration_in_a_rule_is_what_prometheus_reads(rule):
    from datetime import timedelta

    for text, seconds in (
        ("90s", 90),
        ("1h30m", 5400),
        ("1d", 86400),
        ("1w", 604800),
        ("0", 0),
        ("1000ms", 1),
    ):
        (one,) = rule(f"for: {text}").rules
        assert one.for_sec == seconds
        assert rule(f"for: {format_duration(timedelta(seconds=seconds))}").rules[0].for_sec == seconds


@pytest.mark.parametrize("text", ["1e3", "'85'", "yes", "[1]", "{}", "~", ".inf", "1_0_0 %", "85%"])
def test_a_threshold_that_is_no_number_is_refused(loaded, text):
    found = loaded(f"rules: [{{alert: A, metric_key: server.up, operator: '>', threshold: {text}}}]")
    assert found.problems
    assert found.rules == ()


def test_loading_turns_garbage_collection_on_again(loaded):
    import gc

    assert gc.isenabled()
    loaded(A)
    assert gc.isenabled()


def test_names_of_the_process_do_not_matter(loaded, monkeypatch):
    """Rule files are the same on every machine: no ${VAR} is expanded."""
    monkeypatch.setitem(os.environ, "SECRET", "hunter2")
    text = "rules: [{alert: A, expr: server.up == 0, annotations: {summary: 'x ${SECRET}'}}]"
    assert loaded(text).rules[0].summary == "x ${SECRET}"
