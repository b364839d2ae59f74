"""docs/dashboards.md and its example: what they name is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from grafana.__main__ import main
from grafana.boards import ALL

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "dashboards.md").read_text("utf-8")
EXAMPLE = (DOCS / "examples" / "dashboards.yml").read_text("utf-8")


def test_the_table_is_that_of_the_boards() -> None:
    for board in ALL:
        assert f"| {board.title} | `{board.uid}` | {board.about} |\n" in GUIDE
    assert len(re.findall(r"\| `clustersight-[a-z]+` \|", GUIDE)) == len(ALL)


@pytest.mark.parametrize("text", [GUIDE, EXAMPLE], ids=["guide", "example"])
def test_every_command_exists_with_these_options(text: str) -> None:
    found = re.findall(r"clustersight dashboards ([a-z]+[^`\n|]*)", text)
    assert len(found) >= 2
    for call in found:
        name, *words = shlex.split(re.sub(r'"\$[A-Z]+_URL"|\bURL\b', "http://h", call))
        with main.commands[name].make_context(name, words):  # raises for what there is not
            pass


def test_the_guide_names_every_option_that_it_speaks_of() -> None:
    known = {name for one in main.commands.values() for param in one.params for name in param.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"git log [^)]*", "", GUIDE))) <= known


def test_the_workflow_compares_and_then_pushes() -> None:
    steps = yaml.safe_load(EXAMPLE)["jobs"]["dashboards"]["steps"]
    runs = [step["run"].split()[:3] for step in steps if "clustersight dashboards" in step.get("run", "")]
    assert [words[2] for words in runs] == ["diff", "push"]


def test_the_guide_names_every_variable_that_provisioning_wants_of_grafana() -> None:
    """With an empty address of a contact point Grafana does not start."""
    files = (DOCS.parent / "grafana" / "provisioning").glob("*/*.yaml")
    wanted = {name for file in files for name in re.findall(r"\$\{?([A-Z][A-Z_]+)", file.read_text("utf-8"))}

    assert wanted == {"PROMETHEUS_URL", "SLACK_WEBHOOK_URL"}
    assert all(f"`{name}`" in GUIDE for name in wanted)
