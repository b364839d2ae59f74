"""Which files the rules are in: a file itself, or all YAML files below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from clustersight.problem import Problem

ENDINGS = (".yaml", ".yml")


def find(paths: Sequence[Path]) -> tuple[tuple[Path, ...], list[Problem]]:
    """The files in order, each once, and what is wrong with the paths themselves."""
    files: dict[Path, None] = {}
    problems: list[Problem] = []
    for path in paths:
        found = list(_below(path)) if path.is_dir() else [path]
        if not found:
            what = f"is a folder without a rule file (*{', *'.join(ENDINGS)}); check that it was filled"
            problems.append(Problem(str(path), what))
        elif not path.exists():
            problems.append(Problem(str(path), "does not exist; check the path, and that it is mounted"))
        else:
            files |= dict.fromkeys(found)
    return tuple(files), problems


def _below(folder: Path) -> Iterator[Path]:
    """Sorted. What begins with a dot is not ours: editors' files, .git, and the `..data` of Kubernetes.

    A ConfigMap's files are links into ..data, which is a link to the folder of the day; the links count.
    """
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(ENDINGS) and not name.startswith("."):
                yield Path(root, name)
