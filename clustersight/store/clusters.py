"""Clusters: those of a file (provisioned) and those made over the API; deleted ones keep their history.

A row holds what may be shown; the password only of a cluster made over the API, and encrypted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select, text

from clustersight.ids import Prefix, new_id
from clustersight.store import revisions
from clustersight.store.errors import Conflict
from clustersight.store.schema import clusters, health_scores, nodes, snapshots

# A score may be shown as fresh for an interval, of which the longest is an hour, and the cache's time.
RECENT_SECONDS = 2 * 3600


class ManagedBy(StrEnum):
    """Where a cluster comes from, which decides who may change it."""

    API = "api"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Description:
    """What a cluster is, as far as it may be shown; `settings` are further keys of spec/configuration.md."""

    name: str
    host: str
    port: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    def columns(self) -> dict[str, Any]:
        settings_json = json.dumps(self.settings, sort_keys=True)
        return {"name": self.name, "host": self.host, "port": self.port, "settings_json": settings_json}


@dataclass(frozen=True, slots=True)
class StoredCluster:
    """A row; times are epoch seconds."""

    id: str
    description: Description
    managed_by: ManagedBy
    password_encrypted: str | None = field(repr=False)
    created_at: float
    updated_at: float

    @property
    def name(self) -> str:
        return self.description.name


def active(db: Connection) -> list[StoredCluster]:
    """All that are not deleted, the oldest first."""
    query = select(clusters).where(clusters.c.deleted_at.is_(None))
    return [_read(row) for row in db.execute(query.order_by(clusters.c.created_at, clusters.c.id))]


def get(db: Connection, cluster_id: str) -> StoredCluster | None:
    """The cluster, unless it is deleted."""
    query = select(clusters).where(clusters.c.id == cluster_id, clusters.c.deleted_at.is_(None))
    row = db.execute(query).first()
    return _read(row) if row else None


def _read(row: Row[Any]) -> StoredCluster:
    return StoredCluster(
        id=row.id,
        description=Description(row.name, row.host, row.port, json.loads(row.settings_json)),
        managed_by=ManagedBy(row.managed_by),
        password_encrypted=row.password_encrypted,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def create(
    db: Connection, description: Description, password_encrypted: str | None, now: float
) -> StoredCluster:
    """Add one over the API; a deleted one at this address comes back with its id. Raises Conflict."""
    _one_at_a_time(db)
    _refuse_taken(db, description, but="")
    found = _deleted(db, clusters.c.host == description.host, clusters.c.port == description.port)
    cluster_id = found or new_id(Prefix.CLUSTER)
    _forget_other_place(db, cluster_id, description, now)
    return _put(
        db,
        cluster_id,
        description,
        now,
        managed_by=ManagedBy.API,
        password_encrypted=password_encrypted,
    )


def update(
    db: Connection, cluster_id: str, description: Description, password_encrypted: str | None, now: float
) -> StoredCluster:
    """Change one that was made over the API. Raises Conflict where name or address are another's."""
    _one_at_a_time(db)
    _refuse_taken(db, description, but=cluster_id)
    _forget_other_place(db, cluster_id, description, now)
    return _put(
        db,
        cluster_id,
        description,
        now,
        managed_by=ManagedBy.API,
        password_encrypted=password_encrypted,
    )


def delete(db: Connection, cluster_id: str, now: float) -> None:
    """Mark it deleted; its history stays, its password does not."""
    gone = {"deleted_at": now, "updated_at": now, "password_encrypted": None}
    db.execute(clusters.update().where(clusters.c.id == cluster_id).values(**gone))
    revisions.bump(db)


def _one_at_a_time(db: Connection) -> None:
    """Names and addresses are looked at before they are written; on SQLite every writer is alone anyway."""
    if db.dialect.name == "postgresql":
        db.execute(text("LOCK TABLE clusters IN SHARE ROW EXCLUSIVE MODE"))


def _refuse_taken(db: Connection, wanted: Description, *, but: str) -> None:
    for other in active(db):
        if other.id == but:
            continue
        if other.name == wanted.name:
            raise Conflict(f"there is a cluster named {wanted.name!r} already")
        if _place(other.description) == _place(wanted):
            raise Conflict(f"the cluster {other.name!r} has this host and port already")


def _place(description: Description) -> tuple[str, int]:
    """Names of hosts that differ in case or in the root's dot lead to one server."""
    return description.host.lower().rstrip("."), description.port


def _deleted(db: Connection, *conditions: Any) -> str | None:
    query = select(clusters.c.id).where(clusters.c.deleted_at.is_not(None), *conditions)
    found: str | None = db.execute(query.order_by(clusters.c.deleted_at.desc()).limit(1)).scalar()
    return found


def _put(
    db: Connection,
    cluster_id: str,
    description: Description,
    now: float,
    *,
    managed_by: ManagedBy,
    password_encrypted: str | None = None,
) -> StoredCluster:
    values = description.columns() | {
        "managed_by": managed_by.value,
        "password_encrypted": password_encrypted,
        "updated_at": now,
        "deleted_at": None,
    }
    changed = db.execute(clusters.update().where(clusters.c.id == cluster_id).values(**values))
    if not changed.rowcount:
        db.execute(clusters.insert().values(id=cluster_id, created_at=now, **values))
    revisions.bump(db)
    stored = get(db, cluster_id)
    assert stored is not None  # noqa: S101 - it was written in this very transaction
    return stored


def _forget_other_place(db: Connection, cluster_id: str, wanted: Description, now: float) -> None:
    """What was last seen at another address, or before it was deleted, is not what is seen there now."""
    here = (
        clusters.c.host == wanted.host,
        clusters.c.port == wanted.port,
        clusters.c.deleted_at.is_(None),
    )
    if db.execute(select(clusters.c.id).where(clusters.c.id == cluster_id, *here)).first() is None:
        for table in (nodes, snapshots):
            db.execute(table.delete().where(table.c.cluster_id == cluster_id))
        newest = health_scores.c.at > now - RECENT_SECONDS
        db.execute(health_scores.delete().where(health_scores.c.cluster_id == cluster_id, newest))


def provision(db: Connection, wanted: Sequence[Description], now: float, *, complete: bool) -> None:
    """Make the file's clusters those of the store. One is its name: the id stays when the host changes.

    An API cluster of that name or address is adopted. `complete`: what the file no longer has is deleted
    (a process without a file knows nothing of the clusters of others).
    """
    _one_at_a_time(db)
    known = active(db)
    names = {description.name for description in wanted}
    for gone in known if complete else ():
        if gone.managed_by is ManagedBy.FILE and gone.name not in names:
            delete(db, gone.id, now)
    changed = [
        (cluster_id, description)
        for cluster_id, description in _identities(db, wanted, known)
        if not _is_provisioned(db, cluster_id, description)
    ]
    for cluster_id, description in changed:
        _forget_other_place(db, cluster_id, description, now)
        # Two that swap would be in each other's way; no name and no host has a control character.
        aside = {"name": f"\x01{cluster_id}", "host": f"\x01{cluster_id}"}
        db.execute(clusters.update().where(clusters.c.id == cluster_id).values(**aside))
    for number, (cluster_id, description) in enumerate(changed):
        # A millisecond apart: the oldest, which is shown where none is chosen, is the file's first.
        _put(db, cluster_id, description, now + number / 1000, managed_by=ManagedBy.FILE)


def _identities(
    db: Connection, wanted: Sequence[Description], known: Sequence[StoredCluster]
) -> list[tuple[str, Description]]:
    """Whose id each one has: that of its name first, then of its address, then a deleted or a new one."""
    by_name = {other.name: other.id for other in known}
    taken = {by_name[one.name] for one in wanted if one.name in by_name}
    found = []
    for one in wanted:
        cluster_id = by_name.get(one.name) or _of_address(one, known, taken) or _returning(db, one, taken)
        taken.add(cluster_id)
        found.append((cluster_id, one))
    return found


def _of_address(wanted: Description, known: Sequence[StoredCluster], taken: Collection[str]) -> str | None:
    for other in known:
        address = (other.description.host, other.description.port)
        free = other.managed_by is ManagedBy.API and other.id not in taken
        if free and address == (wanted.host, wanted.port):
            return other.id
    return None


def _returning(db: Connection, wanted: Description, taken: Collection[str]) -> str:
    """A file's cluster that comes back has its id again."""
    of_file = (clusters.c.managed_by == ManagedBy.FILE.value, clusters.c.id.not_in(taken))
    return _deleted(db, clusters.c.name == wanted.name, *of_file) or new_id(Prefix.CLUSTER)


def _is_provisioned(db: Connection, cluster_id: str, wanted: Description) -> bool:
    stored = get(db, cluster_id)
    same = stored is not None and stored.description.columns() == wanted.columns()
    return same and stored is not None and stored.managed_by is ManagedBy.FILE
