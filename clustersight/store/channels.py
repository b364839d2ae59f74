"""How each channel does: for people, and so that a restart respects what a 429 asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, select

from clustersight.store.alert_schema import channels
from clustersight.store.upsert import upsert

HEALTHY = "healthy"
PAUSED = "paused"
UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class ChannelState:
    """`since` when it is in this state; times are epoch seconds."""

    name: str
    state: str
    since: float
    paused_until: float | None = None
    last_error: str = ""
    last_delivered_at: float | None = None


def every(db: Connection) -> dict[str, ChannelState]:
    """All that were ever used, by name."""
    return {row.name: ChannelState(**row._asdict()) for row in db.execute(select(channels))}


def put(db: Connection, state: ChannelState) -> None:
    upsert(db, channels, [asdict(state)])


def forget(db: Connection, keep: list[str]) -> None:
    """Those that are not configured any more."""
    db.execute(channels.delete().where(channels.c.name.not_in(keep)))
