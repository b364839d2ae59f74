"""What each panel last said on each node: status, rows for people, samples for rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from clustersight.store.packing import pack, unpack
from clustersight.store.schema import snapshots
from clustersight.store.upsert import upsert

# The status of a run that brought something.
OK = "ok"
# How long a panel's name may be; PostgreSQL refuses a whole visit for a longer one.
MOST_NAME: int | None = getattr(snapshots.c.panel.type, "length", None)
_LIGHT = [c for c in snapshots.c if c.name not in ("payload_packed", "samples_packed")]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last run of a panel on a node; times are epoch seconds.

    After a run that failed, `payload`, `samples` and `collected_at` are still those of the last good one.
    Samples are [family, [label values], value in the base unit]; of a SQL rule [panel, {label: text}, value].
    """

    cluster_id: str
    panel: str
    host: str
    status: str
    error: str
    finished_at: float
    duration_seconds: float
    read_rows: int
    collected_at: float | None
    payload: list[dict[str, Any]]
    samples: list[list[Any]]


def put(db: Connection, found: Sequence[Snapshot]) -> None:
    """Write the runs of one visit. A failed one changes the status alone."""
    good, failed = [], []
    for snapshot in found:
        state = {column.name: getattr(snapshot, column.name) for column in _LIGHT}
        if snapshot.status == OK:
            packed = {"payload_packed": pack(snapshot.payload), "samples_packed": pack(snapshot.samples)}
            good.append(state | packed)
        else:
            failed.append(state)
    upsert(db, snapshots, good)
    upsert(db, snapshots, failed, keep=["collected_at"])


def forget(db: Connection, cluster_id: str, places: Iterable[tuple[str, str]]) -> None:
    """Delete the snapshots at these (panel, host)."""
    for panel, host in places:
        place = (snapshots.c.panel == panel, snapshots.c.host == host)
        db.execute(snapshots.delete().where(snapshots.c.cluster_id == cluster_id, *place))


def of_panel(db: Connection, cluster_id: str, panel: str) -> list[Snapshot]:
    """The panel on every node of a cluster, with rows and samples."""
    query = select(snapshots).where(snapshots.c.cluster_id == cluster_id, snapshots.c.panel == panel)
    return [_read(row) for row in db.execute(query.order_by(snapshots.c.host))]


def of_cluster(db: Connection, cluster_id: str) -> list[Snapshot]:
    """Every panel on every node, with rows and samples."""
    query = select(snapshots).where(snapshots.c.cluster_id == cluster_id)
    return [_read(row) for row in db.execute(query.order_by(snapshots.c.panel, snapshots.c.host))]


def states(db: Connection, cluster_id: str) -> list[Snapshot]:
    """The same without rows and samples, which are empty here."""
    query = select(*_LIGHT).where(snapshots.c.cluster_id == cluster_id)
    return [_read(row) for row in db.execute(query.order_by(snapshots.c.panel, snapshots.c.host))]


def states_of_panel(db: Connection, cluster_id: str, panel: str) -> list[Snapshot]:
    """The panel on every node of a cluster, without rows and samples."""
    query = select(*_LIGHT).where(snapshots.c.cluster_id == cluster_id, snapshots.c.panel == panel)
    return [_read(row) for row in db.execute(query.order_by(snapshots.c.host))]


def _read(row: Row[Any]) -> Snapshot:
    values = row._asdict()
    payload, samples = values.pop("payload_packed", None), values.pop("samples_packed", None)
    return Snapshot(
        **values,
        payload=unpack(payload) if payload else [],
        samples=unpack(samples) if samples else [],
    )
