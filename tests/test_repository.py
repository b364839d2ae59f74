"""What a reader of the repository may rely on."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).is_file()]


def make_targets() -> dict[str, str]:
    text = (ROOT / "Makefile").read_text()
    return dict(re.findall(r"^([a-z]+):.*?## (.+)$", text, re.MULTILINE))


def test_every_make_target_has_its_help() -> None:
    declared = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert declared is not None
    assert set(declared.group(1).split()) == set(make_targets())


def test_the_documents_name_only_make_targets_that_exist() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "docs/METRICS.md"):
        named = set(re.findall(r"`make ([a-z]+)", (ROOT / name).read_text()))

        assert named <= set(make_targets()), name


def test_links_between_documents_lead_somewhere() -> None:
    for document in [f for f in tracked() if f.suffix == ".md"]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_tests_do_not_shadow_the_package_they_test() -> None:
    for folder in {f.parent for f in tracked() if f.suffix == ".py" and ROOT / "tests" in f.parents}:
        assert (folder / "__init__.py").exists(), folder
    assert Path(str(importlib.import_module("exporter").__file__)).parent == ROOT / "exporter"


def test_a_module_holds_one_thing() -> None:
    packages = ("clustersight", "exporter", "alerter", "api", "config", "grafana", "benchmarks")
    long = {
        str(f.relative_to(ROOT)): len(f.read_text().splitlines())
        for f in tracked()
        if f.suffix == ".py" and f.parts[len(ROOT.parts)] in packages
    }

    assert {name: lines for name, lines in long.items() if lines > 300} == {}


def test_ci_runs_what_people_run() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()
