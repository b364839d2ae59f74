"""The tiers of the history, what each holds, and which one answers for which time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection, select

from clustersight.store.schema import rollups
from clustersight.store.upsert import upsert

HOUR_SECONDS = 3600
DAY_SECONDS = 86400
# Beyond these a finer tier has more rows than a picture has points (design.md, "Store").
_MOST_RAW_SECONDS = DAY_SECONDS
_MOST_HOURLY_SECONDS = 21 * DAY_SECONDS


class Tier(StrEnum):
    """Rows as they were written, or one for each hour or day of UTC."""

    RAW = "raw"
    HOURLY = "hourly"
    DAILY = "daily"

    @property
    def seconds(self) -> int:
        """What one row stands for; 1 where it holds its own time."""
        return {Tier.RAW: 1, Tier.HOURLY: HOUR_SECONDS, Tier.DAILY: DAY_SECONDS}[self]


@dataclass(frozen=True, slots=True)
class Reach:
    """A tier holds everything from `expired_until` to before `done_until`, in epoch seconds."""

    done_until: int = 0
    expired_until: int = 0


class Piece(NamedTuple):
    """A part of a range that one tier answers, from `start` to before `end`."""

    tier: Tier
    start: int
    end: int


# For each choice, who stands in where it does not reach; a finer tier says more than a coarser one.
_ORDER = {
    Tier.RAW: (Tier.RAW, Tier.HOURLY, Tier.DAILY),
    Tier.HOURLY: (Tier.HOURLY, Tier.RAW, Tier.DAILY),
    Tier.DAILY: (Tier.DAILY, Tier.HOURLY, Tier.RAW),
}


def tier_of(seconds: int) -> Tier:
    """The tier that answers a range of this length."""
    if seconds <= _MOST_RAW_SECONDS:
        return Tier.RAW
    return Tier.HOURLY if seconds <= _MOST_HOURLY_SECONDS else Tier.DAILY


def reaches(db: Connection) -> dict[Tier, Reach]:
    """What each tier holds."""
    found = {Tier(row.tier): Reach(row.done_until, row.expired_until) for row in db.execute(select(rollups))}
    return {tier: found.get(tier, Reach()) for tier in Tier}


def set_done(db: Connection, tier: Tier, until: int) -> None:
    """Say that everything before `until` is rolled up."""
    upsert(db, rollups, [{"tier": tier.value, "done_until": until}])


def set_expired(db: Connection, tier: Tier, until: int) -> None:
    """Say that nothing before `until` is to be read here; said before the rows are deleted."""
    upsert(db, rollups, [{"tier": tier.value, "expired_until": until}])


def pieces(wanted: Tier, start: int, end: int, held: Mapping[Tier, Reach]) -> list[Piece]:
    """The range in pieces that follow upon each other, each of the best tier that holds it.

    An hour or a day that the range cuts is left to a finer tier, unless none holds it any more.
    """
    found: list[Piece] = []
    for piece in _fill(_ORDER[wanted], start, end, held):
        if found and (found[-1].tier, found[-1].end) == (piece.tier, piece.start):
            found[-1] = found[-1]._replace(end=piece.end)
        else:
            found.append(piece)
    return found


def _fill(
    order: Sequence[Tier], start: int, end: int, held: Mapping[Tier, Reach], *, cut: bool = False
) -> Iterator[Piece]:
    """The first tier's part of the range, and on both sides of it what the others have."""
    if start >= end:
        return
    if not order:
        if not cut:
            yield from _fill(tuple(Tier), start, end, held, cut=True)
        return
    tier, *others = order
    begin, until = _span(tier, start, end, held[tier], cut=cut)
    if begin >= until:
        yield from _fill(others, start, end, held, cut=cut)
        return
    yield from _fill(others, start, begin, held, cut=cut)
    yield Piece(tier, begin, until)
    yield from _fill(others, until, end, held, cut=cut)


def _span(tier: Tier, start: int, end: int, reach: Reach, *, cut: bool) -> tuple[int, int]:
    """From when to when a tier answers: with whole rows, or also with a part of one."""
    begin, until = max(start, reach.expired_until), end
    if tier is not Tier.RAW:
        until = min(end, reach.done_until)
    if cut:
        return begin, until
    return -(-begin // tier.seconds) * tier.seconds, until // tier.seconds * tier.seconds
