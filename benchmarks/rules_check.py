"""`clustersight rules check` beside promtool, of the same rules."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import made_up_rules
from benchmarks.figures import Row
from benchmarks.progress import say
from tests.servers.prometheus import promtool

# Issue 4, "Speed and memory".
CHECK_SECONDS = 5.0
RULES = 10_000
RUNS = 3


def measure(folder: Path) -> Iterator[Row]:
    """Turn by turn, each as a process of its own."""
    say(f"alerter: `rules check` of {RULES} rules and promtool, {RUNS} times")
    folder.mkdir(parents=True)
    ours, theirs = folder / "rules.yaml", folder / "prometheus.yml"
    ours.write_text(made_up_rules.rule_file(RULES, "15s"))
    began = time.monotonic()
    theirs.write_text(made_up_rules.exported(ours))
    exported_seconds = time.monotonic() - began
    runs = [(_ours(ours), _theirs(theirs)) for _ in range(RUNS)]
    yield f"rules check of {RULES} rules", "s", [a for a, _ in runs], CHECK_SECONDS, [b for _, b in runs]
    yield f"rules export of {RULES} rules", "s", [exported_seconds], None, ()


def _ours(file: Path) -> float:
    began = time.monotonic()
    command = [*made_up_rules.CLI, "rules", "check", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    took = time.monotonic() - began
    _must_name_all(said)
    return took


def _theirs(file: Path) -> float:
    began = time.monotonic()
    done = promtool("check", "rules", str(file))
    took = time.monotonic() - began
    if done.returncode:
        raise RuntimeError(f"promtool refuses what was exported: {done.stderr[:500]}")
    _must_name_all(done.stdout)
    return took


def _must_name_all(said: str) -> None:
    if str(RULES) not in said:
        raise RuntimeError(f"not {RULES} rules were checked: {said[:500]!r}")
