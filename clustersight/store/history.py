"""Reading history: which value held from when to when, from whichever tier has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, func, select

from clustersight.store.samples import HOLD_SECONDS
from clustersight.store.schema import samples_daily, samples_hourly, samples_raw, series
from clustersight.store.series import StoredSeries
from clustersight.store.tiers import Piece, Tier

# Far below what SQLite takes as bound values of one statement.
_MOST_IDS = 1000


class Held(NamedTuple):
    """What was known of a series from `start` to before `end`, epoch seconds: one value, or a row's worth."""

    start: int
    end: int
    low: float
    high: float
    last: float


class Extremes(NamedTuple):
    """The lowest and the highest value of a series."""

    low: float
    high: float


def held(db: Connection, ids: Sequence[int], pieces: Iterable[Piece]) -> dict[int, list[Held]]:
    """Everything known of each series within the pieces, in order of time; unknown times are left out."""
    found: dict[int, list[Held]] = defaultdict(list)
    for piece in pieces:
        for some in _batches(ids):
            read = _raw if piece.tier is Tier.RAW else _rolled_up
            read(db, some, piece, found)
    return found


def _raw(db: Connection, ids: Sequence[int], piece: Piece, found: dict[int, list[Held]]) -> None:
    """A value holds until the next row, whether that has one or not, and no longer than HOLD_SECONDS."""
    columns = samples_raw.c
    query = select(columns.series_id, columns.at, columns.value).where(
        columns.series_id.in_(ids), columns.at > piece.start - HOLD_SECONDS, columns.at < piece.end
    )
    rows = db.execute(query.order_by(columns.series_id, columns.at)).all()
    add_spans(rows, piece.start, piece.end, found)


def add_spans(
    rows: Iterable[Sequence[Any]],
    earliest: int,
    latest: int,
    found: dict[int, list[Held]],
) -> None:
    """What rows (series, time, value), by series and time, held between two times."""
    # A hot loop, in which min and max would be half of the time.
    for (series_id, at, value), (next_id, next_at, _) in pairwise(chain(rows, [(None, 0, None)])):
        if value is None:
            continue
        end = next_at if next_id == series_id and next_at < at + HOLD_SECONDS else at + HOLD_SECONDS
        end = latest if end > latest else end  # noqa: FURB136
        start = at if at > earliest else earliest  # noqa: FURB136
        if start < end:
            found[series_id].append(Held(start, end, value, value, value))


def _rolled_up(db: Connection, ids: Sequence[int], piece: Piece, found: dict[int, list[Held]]) -> None:
    table, seconds = _table(piece.tier), piece.tier.seconds
    columns = table.c
    query = select(columns.series_id, columns.at, columns.min, columns.max, columns.last).where(
        columns.series_id.in_(ids), columns.at > piece.start - seconds, columns.at < piece.end
    )
    for series_id, at, low, high, last in db.execute(query.order_by(columns.series_id, columns.at)):
        span = Held(max(at, piece.start), min(at + seconds, piece.end), low, high, last)
        found[series_id].append(span)


def _table(tier: Tier) -> Table:
    return samples_hourly if tier is Tier.HOURLY else samples_daily


def extremes(db: Connection, ids: Sequence[int], pieces: Sequence[Piece]) -> dict[int, Extremes]:
    """The extremes of each series that had a value, without reading its rows into memory."""
    found: dict[int, Extremes] = {}
    for series_id, low, high in _extremes(db, ids, pieces):
        before = found.get(series_id)
        wider = Extremes(low, high) if before is None else _join(before, low, high)
        found[series_id] = wider
    return found


def _join(before: Extremes, low: float, high: float) -> Extremes:
    return Extremes(min(before.low, low), max(before.high, high))


def _extremes(
    db: Connection, ids: Sequence[int], pieces: Sequence[Piece]
) -> Iterator[tuple[int, float, float]]:
    for piece in pieces:
        table = samples_raw if piece.tier is Tier.RAW else _table(piece.tier)
        low, high = ("value", "value") if piece.tier is Tier.RAW else ("min", "max")
        # A row of a coarser tier counts if any of it is in the piece.
        since = table.c.at > piece.start - piece.tier.seconds
        for some in _batches(ids):
            query = select(table.c.series_id, func.min(table.c[low]), func.max(table.c[high])).where(
                table.c.series_id.in_(some), since, table.c.at < piece.end, table.c[low].is_not(None)
            )
            yield from db.execute(query.group_by(table.c.series_id))
    if pieces and pieces[0].tier is Tier.RAW:
        # What held from before the first row.
        start = pieces[0].start
        for series_id, [span] in held(db, ids, [Piece(Tier.RAW, start, start + 1)]).items():
            yield series_id, span.low, span.high


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _MOST_IDS):
        yield ids[start : start + _MOST_IDS]


def known_since(db: Connection, known: Iterable[StoredSeries], start: int) -> dict[str, int]:
    """From when on, at or after `start`, each host had a value of any of these series."""
    hosts = {one.id: one.host for one in known}
    rows_of_series = samples_raw.c.series_id == series.c.id
    first = select(samples_raw.c.at).where(
        rows_of_series, samples_raw.c.at > start - HOLD_SECONDS, samples_raw.c.value.is_not(None)
    )
    at = first.order_by(samples_raw.c.at).limit(1).scalar_subquery()
    found: dict[str, int] = {}
    for some in _batches(list(hosts)):
        for row in db.execute(select(series.c.id, at.label("at")).where(series.c.id.in_(some))):
            if row.at is not None:
                begin = max(start, row.at)
                found[hosts[row.id]] = min(begin, found.get(hosts[row.id], begin))
    return found
