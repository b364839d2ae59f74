"""Dashboards as files: those that ship with the package, and those that somebody names."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Never

Json = dict[str, Any]
FOLDER = Path(__file__).parent / "dashboards"
_SUFFIX = ".json"


class NoDashboardError(Exception):
    """A file holds no dashboard; the text says why and where, `rule` which check found it."""

    def __init__(self, message: str, rule: str, place: str = "") -> None:
        super().__init__(message)
        self.message, self.rule, self.place = message, rule, place


def shipped() -> list[Json]:
    """The dashboards of this package, by file name. Raises NoDashboardError without any."""
    folder = resources.files("grafana") / "dashboards"
    files = [one for one in folder.iterdir() if one.name.endswith(_SUFFIX)] if folder.is_dir() else []
    if not files:
        raise NoDashboardError(
            "this installation ships no dashboards; write them with clustersight dashboards build", "built"
        )
    return [parsed(one.read_text("utf-8")) for one in sorted(files, key=lambda one: one.name)]


def with_api(dashboard: Json, url: str | None) -> Json:
    """The dashboard with its constant variable `api`, where links to ClusterSight lead; None: as it is."""
    if url is None:
        return dashboard
    variables = [
        one | {"query": url} if (one["type"], one["name"]) == ("constant", "api") else one
        for one in dashboard["templating"]["list"]
    ]
    return dashboard | {"templating": dashboard["templating"] | {"list": variables}}


def below(paths: Sequence[Path]) -> list[Path]:
    """The files, and of each folder its *.json. Raises NoDashboardError for a folder that has none."""
    found: list[Path] = []
    for path in paths:
        files = sorted(path.glob(f"*{_SUFFIX}")) if path.is_dir() else [path]
        if not files:
            raise NoDashboardError(f"{path}: there is no *{_SUFFIX} in this folder", "file")
        found += files
    return found


def read(path: Path) -> str:
    """The text of a file. Raises NoDashboardError."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise NoDashboardError(f"cannot be read: {error.strerror}", "file") from None
    except ValueError:
        raise NoDashboardError("is no text in UTF-8", "file") from None


def parsed(text: str) -> Json:
    """The dashboard that a text is. Raises NoDashboardError."""
    try:
        found = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise NoDashboardError(f"is no JSON: {error.msg}", "json", f"{error.lineno}:{error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise NoDashboardError(f"is no JSON: {error}", "json") from None
    if isinstance(found, dict) and isinstance(found.get("dashboard"), dict):
        raise NoDashboardError("is an answer of Grafana's API: keep what is under `dashboard`", "dashboard")
    if not isinstance(found, dict) or not isinstance(found.get("panels"), list):
        raise NoDashboardError("is JSON, but no dashboard: it has no list `panels`", "dashboard")
    return found


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is a number of JavaScript only")


def is_written(path: Path, text: str) -> bool:
    """Whether the file is there with this text. Raises OSError where that cannot be told."""
    try:
        return path.read_bytes() == text.encode()
    except FileNotFoundError:
        return False


def write(path: Path, text: str) -> None:
    """All of it or nothing: Grafana may read the file at any moment. Raises OSError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(text.encode())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
