"""The rules that ship with ClusterSight: config/rules/*.yaml of the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from clustersight.rules.loader import Loaded, load


def built_in() -> Loaded:
    """The pack; without its folder there are no rules."""
    with resources.as_file(resources.files("config") / "rules") as folder:
        return _of(folder)


def is_built_in(origin: str) -> bool:
    """Whether a rule's origin (FILE:LINE) is a file of the pack."""
    with resources.as_file(resources.files("config") / "rules") as folder:
        return Path(origin.rpartition(":")[0]).resolve().is_relative_to(folder.resolve())


def _of(folder: Path) -> Loaded:
    return load([folder]) if folder.is_dir() and any(folder.glob("*.yaml")) else Loaded()
