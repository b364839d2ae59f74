"""Who works: one process of a kind on a store; a second one waits until the first one's time runs out."""

from __future__ import annotations

from sqlalchemy import Connection, func, or_, select

from clustersight.store.schema import leases
from clustersight.store.upsert import upsert


def clock(db: Connection, wall: float) -> float:
    """The time that all who share the store agree on: PostgreSQL's own, or that of the one host of SQLite."""
    if db.dialect.name != "postgresql":
        return wall
    return float(db.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one())


def take(db: Connection, name: str, holder: str, now: float, seconds: float) -> str:
    """Take or prolong a lease for `seconds`; returns who holds it afterwards.

    `now` is by clock() below. A lease that reaches further into the future than `seconds` was given before
    the clock was set back, and does not count.
    """
    expired = or_(
        leases.c.holder == holder, leases.c.expires_at <= now, leases.c.expires_at > now + 2 * seconds
    )
    values = {"holder": holder, "expires_at": now + seconds}
    changed = db.execute(leases.update().where(leases.c.name == name, expired).values(**values))
    if changed.rowcount:
        return holder
    found = db.execute(select(leases.c.holder).where(leases.c.name == name)).scalar()
    if found is not None:
        return str(found)
    upsert(db, leases, [{"name": name, **values}], keep=["holder", "expires_at"])
    return str(db.execute(select(leases.c.holder).where(leases.c.name == name)).scalar())


def prolong(db: Connection, name: str, holder: str, now: float, seconds: float) -> bool:
    """Prolong a lease for `seconds` if it is still this holder's, also if it ran out meanwhile."""
    own = leases.update().where(leases.c.name == name, leases.c.holder == holder)
    return bool(db.execute(own.values(expires_at=now + seconds)).rowcount)


def held_by(db: Connection, name: str, now: float) -> str | None:
    """Who holds a lease; None where it has run out, or nobody ever took it. `now` is by clock()."""
    chosen = select(leases.c.holder).where(leases.c.name == name, leases.c.expires_at > now)
    return db.execute(chosen).scalar()


def release(db: Connection, name: str, holder: str) -> None:
    """Give it back, so that the next one need not wait."""
    db.execute(leases.delete().where(leases.c.name == name, leases.c.holder == holder))
