"""`clustersight rules diff` and `drift`: against git, the store, and a running API."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from clustersight.rules.definition import definition_of
from clustersight.rules.loader import load
from clustersight.store import rules as stored_rules
from clustersight.store.database import Database
from clustersight.store.opening import Store
from clustersight.store.rule_sync import Provisioned, sync
from clustersight.store.rules import RuleType
from clustersight.store.secrets import SecretBox
from tests.api.alerting import fire
from tests.conftest import factory
from tests.rules.commanding import rules, write
from tests.servers.api import ApiProcess

OLD = """\
rules:
  - {alert: DiskUsage, expr: disk.usage_pct > 85, for: 5m}
  - {alert: Gone, expr: server.up == 0}
  - {alert: Same, expr: memory.usage_pct > 90}
"""
NEW = OLD.replace("85", "80").replace("for: 5m", "for: 10m").replace("Gone", "Fresh")
CHANGES = """\
~ DiskUsage (changed)
    threshold: 85.0 -> 80.0
    for: 5m -> 10m
+ Fresh (added)
- Gone (removed)
"""
PASSWORD = "a password"  # nobody's


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose one commit has OLD in rules/a.yaml."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "rules" / "a.yaml", OLD)
    write(tmp_path / "rules" / "notes.txt", "no rules")
    git("init", "--quiet", "--initial-branch=main")
    git("add", "rules")
    git("-c", "user.name=t", "-c", "user.email=t@t.example", "commit", "--quiet", "-m", "old")
    return tmp_path


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True)


def test_against_a_revision_every_change_is_said(repository: Path) -> None:
    write(repository / "rules" / "a.yaml", NEW)
    result = rules("diff", "--against", "HEAD", "--exit-code", "rules")
    assert (result.exit_code, result.stdout) == (2, CHANGES)
    assert result.stderr == "1 rule added, 1 rule removed, 1 rule changed\n"
    assert rules("diff", "--against", "main", "rules/a.yaml").exit_code == 0
    assert rules("diff", "--against", "main", "rules/a.yaml").stdout == CHANGES


def test_without_a_change_there_is_none_also_in_another_file(repository: Path) -> None:
    for name in ("a.yaml", "b.yml"):
        next((repository / "rules").glob("*.y*ml")).rename(repository / "rules" / name)
        result = rules("diff", "--against", "HEAD", "--exit-code", "rules")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no changes\n")


def test_files_that_were_not_there_had_no_rules(repository: Path) -> None:
    write(repository / "more" / "b.yaml", "rules: [{alert: B, expr: server.up == 0}]")
    result = rules("diff", "--against", "HEAD", "--exit-code", "more/b.yaml")
    assert (result.exit_code, result.stdout) == (2, "+ B (added)\n")


def test_tests_beside_the_rules_are_no_rules(repository: Path) -> None:
    write(repository / "rules" / "tests" / "t.yaml", "tests: []")
    git("add", "rules")
    git("-c", "user.name=t", "-c", "user.email=t@t.example", "commit", "--quiet", "-m", "tests")
    assert rules("diff", "--against", "HEAD", "--exit-code", "rules").exit_code == 0


def test_configured_paths_are_read_from_the_revision_too(repository: Path) -> None:
    config = write(repository / "c.yaml", "rules: {paths: [rules]}")
    assert rules("diff", "--config", config, "--against", "HEAD", "--exit-code").exit_code == 0
    write(repository / "rules" / "a.yaml", NEW)
    result = rules("diff", "--config", config, "--against", "HEAD", "--exit-code")
    assert result.exit_code == 2
    assert "threshold: 85.0 -> 80.0" in result.stdout
    without = rules("diff", "--against", "HEAD")
    assert without.exit_code == 1
    assert "names no rules.paths" in without.stderr


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        ("nope", "there is no revision 'nope'"),
        ("--help", "there is no revision '--help'"),
        ("", "no revision ''"),
    ],
)
def test_a_revision_that_is_none_is_1(repository: Path, revision: str, told: str) -> None:
    result = rules("diff", f"--against={revision}", "rules")
    assert result.exit_code == 1
    assert told in result.stderr


def test_outside_of_a_repository_it_cannot_be_told(tmp_path: Path) -> None:
    result = rules("diff", "--against", "HEAD", write(tmp_path / "a.yaml", OLD))
    assert result.exit_code == 1
    assert "git cannot tell: " in result.stderr


def test_rules_with_problems_are_1_on_either_side(repository: Path) -> None:
    write(repository / "rules" / "a.yaml", "rules: [{alert: A}]")
    result = rules("diff", "--against", "HEAD", "rules")
    assert (result.exit_code, result.stdout) == (1, "")
    git("add", "rules")
    git("-c", "user.name=t", "-c", "user.email=t@t.example", "commit", "--quiet", "-m", "bad")
    write(repository / "rules" / "a.yaml", NEW)
    result = rules("diff", "--against", "HEAD", "rules")
    assert result.exit_code == 1
    assert "the rules at HEAD have problems" in result.stderr


@pytest.fixture
def config(tmp_path: Path, sqlite_database: Database) -> Path:
    """A configuration whose store evaluates OLD, has a custom rule and an alert of DiskUsage."""
    old = load([write(tmp_path / "old" / "a.yaml", OLD)])
    assert not old.problems
    found = [
        Provisioned(one.name, RuleType.FILE, "old/a.yaml:1", definition_of(one), one.enabled)
        for one in old.rules
    ]
    with sqlite_database.begin() as db:
        sync(db, found, 0.0)
        stored_rules.create(db, "Custom", definition_of(old.rules[0]), 0.0)
    fire(Store(sqlite_database, SecretBox("k" * 32), tmp_path), 1.0)
    settings = {"data_dir": str(tmp_path), "rules": {"builtin": False, "paths": [str(tmp_path / "new")]}}
    return write(tmp_path / "clustersight.yaml", yaml.safe_dump(settings))


def test_against_the_store_the_alerts_are_named_and_custom_rules_are_left_out(
    tmp_path: Path, config: Path
) -> None:
    write(tmp_path / "new" / "a.yaml", NEW)
    for arguments in ([], [tmp_path / "new"]):
        result = rules("diff", "--config", config, "--exit-code", *arguments)
        assert result.exit_code == 2, result.output
        fires = "    fires: DiskUsage (critical) in one: disk=default, host=ch1, team=data\n"
        assert result.stdout == CHANGES.replace("+ Fresh", f"{fires}+ Fresh")
    write(tmp_path / "new" / "a.yaml", OLD)
    assert rules("diff", "--config", config, "--exit-code").exit_code == 0


def test_a_custom_rule_of_the_same_name_is_compared(tmp_path: Path, config: Path) -> None:
    write(tmp_path / "new" / "a.yaml", OLD + "  - {alert: Custom, expr: disk.usage_pct > 85, for: 6m}\n")
    result = rules("diff", "--config", config)
    assert (result.exit_code, result.stdout) == (0, "~ Custom (changed)\n    for: 5m -> 6m\n")


def test_without_a_store_it_cannot_be_told(tmp_path: Path) -> None:
    config = write(tmp_path / "c.yaml", f"data_dir: {tmp_path}/none")
    result = rules("diff", "--config", config)
    assert result.exit_code == 1
    assert "there is no such file" in result.stderr
    assert not (tmp_path / "none").exists()


@pytest.fixture
def api(tmp_path: Path, config: Path) -> Iterator[ApiProcess]:
    """An API with a password on that store."""
    settings = yaml.safe_load(config.read_text())
    start: Iterator[Callable[..., ApiProcess]] = factory(ApiProcess, tmp_path / "api")
    for make in start:
        yield make(settings, environment={"CLUSTERSIGHT_PASSWORD": PASSWORD})


def test_against_a_running_api(tmp_path: Path, api: ApiProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = write(tmp_path / "new" / "a.yaml", NEW), tmp_path / "old" / "a.yaml"
    token = write(tmp_path / "token", hashlib.sha256(PASSWORD.encode()).hexdigest() + "\n")
    refused = rules("diff", "--against", api.url, new)
    assert refused.exit_code == 1
    assert "401; name the token" in refused.stderr
    with_file = ["--against", api.url, "--token-file", token, "--exit-code"]
    assert rules("diff", *with_file, old).exit_code == 0
    changed = rules("diff", *with_file, new)
    assert changed.exit_code == 2
    assert "    fires: DiskUsage (critical) in one: disk=default" in changed.stdout
    assert "    threshold: 85.0 -> 80.0\n    for: 5m -> 10m\n" in changed.stdout
    monkeypatch.setenv("CLUSTERSIGHT_PASSWORD", PASSWORD)
    assert rules("drift", api.url, old).exit_code == 0
    drifted = rules("drift", f"{api.url}/api/v1/", new)
    assert drifted.exit_code == 2
    assert "threshold: 80.0 -> 85.0" in drifted.stdout
    assert drifted.stderr == "what runs differs: 1 rule added, 1 rule removed, 1 rule changed\n"
    monkeypatch.setenv("CLUSTERSIGHT_PASSWORD", "wrong")
    assert rules("drift", api.url, old).exit_code == 1


@pytest.mark.parametrize("command", [["drift"], ["diff", "--against"]])
@pytest.mark.parametrize("url", ["http://u:secret@h:1", "http://h:1/?token=secret", "https://", "http://h:x"])
def test_an_address_that_is_none_is_64_and_no_secret_shows(
    tmp_path: Path, command: list[str], url: str
) -> None:
    result = rules(*command, url, write(tmp_path / "a.yaml", OLD))
    assert result.exit_code == 64
    assert "secret" not in result.output


@pytest.mark.parametrize("command", [["drift"], ["diff", "--against"]])
def test_nobody_there_is_1(tmp_path: Path, command: list[str]) -> None:
    result = rules(*command, "http://127.0.0.1:1", write(tmp_path / "a.yaml", OLD))
    assert result.exit_code == 1
    assert "cannot be reached" in result.stderr


@pytest.mark.parametrize(("content", "told"), [(b"\xff", "is no text"), ("é".encode(), "holds no token")])
def test_a_token_file_that_holds_none_is_1(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "token").write_bytes(content)
    result = rules(
        "drift", "--token-file", tmp_path / "token", "http://127.0.0.1:1", write(tmp_path / "a.yaml", OLD)
    )
    assert result.exit_code == 1
    assert told in result.stderr
    missing = rules("drift", "--token-file", tmp_path / "none", "http://127.0.0.1:1", tmp_path / "a.yaml")
    assert (missing.exit_code, "cannot be read" in missing.stderr) == (1, True)


def test_a_wrong_call_is_64() -> None:
    assert rules("drift").exit_code == 64
    assert rules("diff", "--nothing").exit_code == 64


def test_what_is_no_api_of_ours_is_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from clustersight.commands import remote

    class Answer:
        status_code = 200

        def json(self) -> object:
            return json.loads('{"data": [{"name": "A"}]}')

    monkeypatch.setattr(remote, "ask", lambda *_, **__: Answer())
    result = rules("drift", "http://h:1", write(tmp_path / "a.yaml", OLD))
    assert result.exit_code == 1
    assert "does not answer as ClusterSight's API" in result.stderr
