"""Writing history: a row when a value changes, or before what readers hold on to has run out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from clustersight.store import future, series
from clustersight.store.series import Key

# Readers carry a value to the next row, and no further than this.
HOLD_SECONDS = 900
# A run is late now and then; half its usual distance is allowed for, so that what is held never runs out.
_ALLOWANCE = 1.5
# How far apart a panel's runs are taken to be until there were two.
_FIRST_SPACING_SECONDS = 60
# After such a pause another process may have written, and retention may have tidied.
_PAUSE_SECONDS = 3600

_SQLITE = (
    "INSERT INTO samples_raw (series_id, at, value) VALUES (?, ?, ?)"
    " ON CONFLICT (series_id, at) DO UPDATE SET value = excluded.value"
)
_POSTGRESQL = text(
    "INSERT INTO samples_raw (series_id, at, value)"
    " SELECT id, :at, value FROM unnest(CAST(:ids AS bigint[]), CAST(:values AS double precision[]))"
    " AS rows (id, value) ON CONFLICT (series_id, at) DO UPDATE SET value = excluded.value"
)


@dataclass(frozen=True, slots=True)
class PanelHistory:
    """What a run of a panel says for the history, in the units of the rule keys; nothing unless `ok`.

    `panel` is '' for what the runner itself says of a node.
    """

    panel: str
    ok: bool
    values: Mapping[Key, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Last:
    """The last row of a series."""

    series_id: int
    at: int
    value: float


@dataclass(slots=True)
class _Place:
    """One node (or '' for its cluster): its series that have a value now, by panel."""

    cluster_id: str
    host: str
    at: int = 0
    alive: dict[str, dict[Key, _Last]] = field(default_factory=dict)
    ran_at: dict[str, int] = field(default_factory=dict)

    def due(self, panel: str, at: int) -> int:
        """Rows of this time or before must be repeated now: the next run may be too late."""
        before = self.ran_at.get(panel, at)
        spacing = at - before if at > before else _FIRST_SPACING_SECONDS
        self.ran_at[panel] = at
        return at - HOLD_SECONDS + min(HOLD_SECONDS, math.ceil(_ALLOWANCE * spacing))


@dataclass(frozen=True, slots=True)
class Written:
    """What was written of a node in a transaction, to be confirmed when that is committed."""

    place: _Place
    rows: int


class HistoryWriter:
    """One per process, used by one thread: knows the last row of every series, so as to leave out repeats.

        with database.begin() as db:
            written = writer.write(db, cluster_id, host, at, runs)
        writer.confirm(written)

    What is not confirmed is read from the database again: it never believes that rows are there that a
    full disk refused.
    """

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], _Place] = {}

    def write(
        self, db: Connection, cluster_id: str, host: str, at: int, runs: Iterable[PanelHistory]
    ) -> Written:
        """Write what a visit changed; `at` in epoch seconds. Panels without a run keep what they had."""
        place = self._places.pop((cluster_id, host), None)
        if place is None or not 0 <= at - place.at <= _PAUSE_SECONDS:
            place = _load(db, cluster_id, host, at)
        place.at = at
        rows: dict[int, float | None] = {}
        new: dict[Key, tuple[str, float]] = {}
        for run in runs:
            _compare(place, run, at, rows, new)
        _begin(db, place, at, rows, new)
        _insert(db, at, rows)
        return Written(place, len(rows))

    def confirm(self, written: Written) -> None:
        """Say that the transaction is committed."""
        place = written.place
        self._places[place.cluster_id, place.host] = place

    def forget(self) -> None:
        """Read everything again at the next use: another process may have written meanwhile."""
        self._places.clear()


def _load(db: Connection, cluster_id: str, host: str, at: int) -> _Place:
    place = _Place(cluster_id, host)
    latest = series.latest_at(db, cluster_id, host)
    if latest is not None and latest > at:
        future.forget_samples(db, cluster_id, host, at)
    for last in series.alive(db, cluster_id, host, at - HOLD_SECONDS):
        rows = place.alive.setdefault(last.panel, {})
        rows[last.key] = _Last(last.series_id, last.at, last.value)
    return place


def _compare(
    place: _Place,
    run: PanelHistory,
    at: int,
    rows: dict[int, float | None],
    new: dict[Key, tuple[str, float]],
) -> None:
    """Add what a run changes to `rows`, and the series that had no value to `new`. The hot loop."""
    alive = place.alive.setdefault(run.panel, {})
    values = _known(run)
    due = place.due(run.panel, at)
    seen = 0
    for key, value in values.items():
        last = alive.get(key)
        if last is None:
            new[key] = (run.panel, value)
            continue
        seen += 1
        # A row that is later than now was written before the clock was lost (future.py).
        if last.value != value or not due < last.at <= at:
            last.value, last.at = value, at
            rows[last.series_id] = value
    if seen < len(alive):
        for key in [key for key in alive if key not in values]:
            rows[alive.pop(key).series_id] = None


def _known(run: PanelHistory) -> Mapping[Key, float]:
    """What is no number is not known."""
    if not run.ok:
        return {}
    if all(map(math.isfinite, run.values.values())):
        return run.values
    return {key: value for key, value in run.values.items() if math.isfinite(value)}


def _begin(
    db: Connection, place: _Place, at: int, rows: dict[int, float | None], new: dict[Key, tuple[str, float]]
) -> None:
    """Give the series that had no value their first row."""
    panels = {key: panel for key, (panel, _) in new.items()}
    ids = series.identify(db, place.cluster_id, place.host, panels, at)
    for key, (panel, value) in new.items():
        for others in place.alive.values():
            others.pop(key, None)  # a newer release has it in another panel
        place.alive[panel][key] = _Last(ids[key], at, value)
        rows[ids[key]] = value


def _insert(db: Connection, at: int, rows: Mapping[int, float | None]) -> None:
    """One row a series. A second one within the same second counts instead of the first."""
    if not rows:
        return
    if db.dialect.name == "sqlite":
        # Past SQLAlchemy's parameters, which take longer than the writing.
        values = [(series_id, at, value) for series_id, value in rows.items()]
        db.exec_driver_sql(_SQLITE, values)
    else:
        db.execute(_POSTGRESQL, {"at": at, "ids": list(rows), "values": list(rows.values())})
