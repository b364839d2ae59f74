from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clustersight.rules.loader import Loaded, load

HERE = Path(__file__).parent
GOOD = sorted([*HERE.glob("good/*.yaml"), *HERE.glob("good/*.yml")])
BAD = sorted(HERE.glob("bad/*.yaml"))
HEAD = "groups:\n  - name: g\n    rules:\n"


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[..., Loaded]:
    """A function that loads texts, each as a file of its own: a.yaml, b.yaml …"""

    def read(*texts: str, known: tuple = ()) -> Loaded:
        for letter, text in zip("abcdef", texts, strict=False):
            (tmp_path / f"{letter}.yaml").write_text(text)
        return load([tmp_path], known)

    return read


@pytest.fixture
def rule(loaded: Callable[..., Loaded]) -> Callable[..., Loaded]:
    """A function that loads one rule from its lines."""

    def read(*lines: str) -> Loaded:
        condition = (
            () if any(line.startswith(("expr:", "sql:")) for line in lines) else ("expr: server.up == 0",)
        )
        text = "\n        ".join(("- alert: A", *condition, *lines))
        return loaded(f"{HEAD}      {text}\n")

    return read


@pytest.fixture
def promtool(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs promtool in a folder with files: promtool("check", "rules", r="…")."""

    def run(*arguments: str, **files: str) -> subprocess.CompletedProcess[str]:
        for name, text in files.items():
            (tmp_path / f"{name}.yml").write_text(text)
        return subprocess.run(
            ["promtool", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return run
