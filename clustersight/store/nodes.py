"""The nodes of each cluster as the exporter last knew them."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from clustersight.store.schema import nodes, snapshots
from clustersight.store.upsert import upsert


@dataclass(frozen=True, slots=True)
class StoredNode:
    """One server. `host` is its label, the address is where it is asked; `visited_at` in epoch seconds."""

    cluster_id: str
    host: str
    address_host: str
    address_port: int
    is_configured: bool
    is_up: bool
    visited_at: float
    shard: str = ""
    replica: str = ""
    logical_cluster: str = ""
    error: str = ""
    version: str = ""
    logical_clusters: tuple[str, ...] = ()


def put(db: Connection, node: StoredNode) -> None:
    """Remember how a node was found."""
    values = asdict(node)
    values["logical_clusters_json"] = json.dumps(values.pop("logical_clusters"))
    upsert(db, nodes, [values])


def of_cluster(db: Connection, cluster_id: str) -> list[StoredNode]:
    """The nodes of a cluster, the configured one first."""
    query = select(nodes).where(nodes.c.cluster_id == cluster_id)
    return [_read(row) for row in db.execute(query.order_by(nodes.c.is_configured.desc(), nodes.c.host))]


def keep_only(db: Connection, cluster_id: str, hosts: Collection[str]) -> None:
    """Forget the nodes that left the cluster, and what their panels last said."""
    for table in (nodes, snapshots):
        of_others = table.c.host.not_in([*hosts, ""])
        db.execute(table.delete().where(table.c.cluster_id == cluster_id, of_others))


def _read(row: Row[Any]) -> StoredNode:
    values = row._asdict()
    values["logical_clusters"] = tuple(json.loads(values.pop("logical_clusters_json")))
    return StoredNode(**values)
