"""docs/rules-in-git.md and its examples: what they name is there, and works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from clustersight.cli import main
from tests.rules.commanding import rules, write

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "rules-in-git.md").read_text("utf-8")
EXAMPLES = ("github-actions.yml", "pre-commit-config.yaml")
FILES = [DOCS / "rules-in-git.md", *(DOCS / "examples" / name for name in EXAMPLES)]
PASSING = ("check", "lint", "test")


def calls(file: Path) -> Iterator[list[str]]:
    """Every `clustersight rules …` in a document, as words."""
    for found in re.findall(r"clustersight (rules [^`\n]*)", file.read_text("utf-8")):
        yield shlex.split(found.split(" >> ")[0])


def workflow(name: str) -> Any:
    return yaml.safe_load((DOCS / "examples" / name).read_text("utf-8"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_command_exists_with_these_options(file: Path) -> None:
    found = list(calls(file))
    assert len(found) >= 3
    group = main.commands["rules"]
    assert isinstance(group, click.Group)
    for words in found:
        command = group.commands[words[1]]
        with command.make_context(words[1], words[2:]) as context:  # raises for what there is not
            assert context.params


def test_the_guide_names_every_option_that_it_speaks_of() -> None:
    group = main.commands["rules"]
    assert isinstance(group, click.Group)
    known = {name for one in group.commands.values() for param in one.params for name in param.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", GUIDE)) <= known


def test_the_workflow_is_one_and_checks_lints_tests_and_compares() -> None:
    jobs = workflow("github-actions.yml")["jobs"]
    steps = jobs["rules"]["steps"]
    words = [shlex.split(step["run"])[:3] for step in steps if "clustersight rules" in step.get("run", "")]
    assert [three[2] for three in words] == ["check", "lint", "test", "diff"]
    checkout = next(step for step in steps if step.get("uses", "").startswith("actions/checkout"))
    assert checkout["with"]["fetch-depth"] == 0
    # A branch's name is a stranger's text: it goes through the environment.
    assert all("${{" not in step.get("run", "") for step in steps)


def test_the_hooks_are_hooks() -> None:
    [repo] = workflow("pre-commit-config.yaml")["repos"]
    assert repo["repo"] == "local"
    for hook in repo["hooks"]:
        assert hook.keys() >= {"id", "name", "entry", "language", "files"}
        assert re.compile(hook["files"]).match("rules/a.yaml")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with rules/ and the guide's own test."""
    text = """\
rules:
  - alert: DiskFilling
    expr: disk.usage_pct > 85
    for: 5m
    severity: critical
    annotations:
      summary: 'Disk {{ $labels.disk }} is at {{ $value | humanize }} %'
      runbook_url: 'https://x.example'
"""
    write(tmp_path / "rules" / "storage.yaml", text)
    [example] = re.findall(r"```yaml\n(rule_files.*?)```", GUIDE, re.DOTALL)
    write(tmp_path / "rules" / "tests" / "storage.yaml", example)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_test_of_the_guide_passes(repository: Path) -> None:
    result = rules("test", "--coverage", "rules/")
    assert result.exit_code == 0, result.output
    assert "1 of 1 rules fire" in result.output


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_commands_of_the_examples_pass_on_good_rules(repository: Path, name: str) -> None:
    ran = [words for words in calls(DOCS / "examples" / name) if words[1] in PASSING]
    assert len(ran) == 3
    for words in ran:
        result = rules(*words[1:])
        assert result.exit_code == 0, result.output
