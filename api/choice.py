"""Which cluster a request is about (spec/api.md, "Everywhere")."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from api.errors import NotFound
from clustersight.store import clusters
from clustersight.store.clusters import StoredCluster
from clustersight.store.database import Connection

ClusterId = Annotated[str, Field(pattern=r"^cl_[0-9a-f]{12}$", examples=["cl_0123456789ab"])]


def choose(db: Connection, cluster_id: str | None) -> StoredCluster:
    """The cluster of `?cluster_id=`; without it the oldest of the active ones. Raises NotFound."""
    if cluster_id is not None:
        return require(db, cluster_id)
    known = clusters.active(db)
    if not known:
        raise NotFound("there is no cluster; add one with POST /api/v1/clusters", code="no_cluster")
    return known[0]


def require(db: Connection, cluster_id: str) -> StoredCluster:
    """The cluster with this id. Raises NotFound."""
    found = clusters.get(db, cluster_id)
    if found is None:
        raise NotFound(f"there is no cluster {cluster_id}")
    return found
