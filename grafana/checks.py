"""Whether a file is a dashboard of ours: JSON, what Grafana's SDK reads, free of lint, and as built."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.boards import ALL
from grafana.differences import compare
from grafana.files import Json, NoDashboardError, is_written, parsed, read
from grafana.frame import UID_START, text
from grafana.lint import lint
from grafana.marks import unmarked

_MOST_PLACES = 3
REBUILD = "run clustersight dashboards build"
_SHAPE_ERRORS = (LookupError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class FileFinding:
    """What is wrong with a file; `place` is within it, empty for the file as a whole."""

    file: str
    place: str
    message: str
    rule: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.place}" if self.place else self.file
        return f"{place}: {self.message} [{self.rule}]"

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def of_file(path: Path) -> list[FileFinding]:
    """What is wrong with a dashboard in a file."""
    try:
        return [*_of_dashboard(str(path), parsed(read(path)))]
    except NoDashboardError as error:
        return [FileFinding(str(path), error.place, error.message, error.rule)]


def _of_dashboard(file: str, dashboard: Json) -> Iterator[FileFinding]:
    unread = _unread(dashboard)
    yield from (FileFinding(file, place, message, "sdk") for place, message in unread)
    try:
        yield from (FileFinding(file, one.place, one.message, one.rule) for one in lint(dashboard))
    except _SHAPE_ERRORS as error:
        if not unread:
            yield FileFinding(file, "", f"is not made as ours are: {_reason(error)}", "dashboard")


def _unread(dashboard: Json) -> list[tuple[str, str]]:
    """Places that Grafana's SDK does not read and write as they are."""
    try:
        again = json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))
        ours = unmarked(dashboard)
    except _SHAPE_ERRORS as error:
        return [("", f"Grafana's SDK cannot read it: {_reason(error)}")]
    if again == ours:
        return []
    places = [one.place for one in compare(ours, again)]
    return [(place, "Grafana's SDK reads it otherwise") for place in places[:_MOST_PLACES]] or [
        ("", "Grafana's SDK does not write what it read")
    ]


def _reason(error: Exception) -> str:
    return f"there is no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__


def of_built(folder: Path) -> list[FileFinding]:
    """What is wrong with a folder that `build` writes: with its files, those that lack, and stale ones."""
    built = {folder / board.file_name: text(board) for board in ALL}
    found: list[FileFinding] = []
    for path, wanted in built.items():
        found += of_file(path)
        if path.exists() and not is_written(path, wanted):
            found.append(FileFinding(str(path), "", _unlike(path, wanted), "built"))
    return [*found, *(FileFinding(str(path), "", STALE, "built") for path in stale(folder))]


STALE = "no board makes it any more: remove it"


def stale(folder: Path) -> list[Path]:
    """Files named as ours that no board makes."""
    names = {board.file_name for board in ALL}
    return sorted(path for path in folder.glob(f"{UID_START}*.json") if path.name not in names)


def _unlike(path: Path, wanted: str) -> str:
    try:
        places = [one.place for one in compare(json.loads(wanted), parsed(read(path)))]
    except NoDashboardError:
        places = []
    where = f" ({'; '.join(places[:_MOST_PLACES])})" if places else ""
    return f"is not what the code builds{where}: {REBUILD}"
