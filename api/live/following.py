"""The clusters and settings as they hold now, looked at a few times a second instead of at every request."""

from __future__ import annotations

from dataclasses import dataclass

from api.choice import choose
from api.context import Context
from api.flight import Flight
from clustersight.effective import Effective, effective
from clustersight.settings.cluster import ClusterSettings
from clustersight.settings.model import CollectionSettings, Settings
from clustersight.store import clusters, revisions
from clustersight.store.clusters import StoredCluster

# Reading one row costs 0.3 ms, as much as answering a request: what another process changes is seen
# after this.
LOOK_SECONDS = 0.25
NOT_HERE = (
    "what the exporter stored of {name} is too old, and this API cannot ask it: the cluster comes from a"
    " configuration file, and the API needs the same one (--config)"
)


@dataclass(frozen=True, slots=True)
class Watched:
    """A cluster as it is watched now; `own` is None, and `refusal` says why, where it cannot be asked.

    `settings` are those that hold for all clusters.
    """

    id: str
    name: str
    own: ClusterSettings | None
    refusal: str
    settings: Settings

    @property
    def collection(self) -> CollectionSettings:
        return self.settings.collection


@dataclass(frozen=True, slots=True)
class Known:
    """One look; `order` are the active clusters' ids, the oldest first."""

    looked_at: float
    revision: int
    order: tuple[str, ...]
    clusters: dict[str, Watched]
    collection: CollectionSettings


class Following:
    """One per process: `current().of(Following)`. Thread safe."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._flight: Flight[Known] = Flight()
        self._known: Known | None = None

    def cluster(self, cluster_id: str | None) -> Watched:
        """The cluster of `?cluster_id=`, without it the oldest. Raises NotFound and StoreError."""
        known = self.look()
        wanted = cluster_id or next(iter(known.order), None)
        if wanted not in known.clusters:
            wanted, known = self._chosen(cluster_id)
        return known.clusters[wanted]

    def _chosen(self, cluster_id: str | None) -> tuple[str, Known]:
        """It may have been made a moment ago, by another process."""
        with self._context.database.read() as db:
            found = choose(db, cluster_id)
        known = self._flight.do("", self._read)
        if found.id not in known.clusters:  # and deleted again
            with self._context.database.read() as db:
                choose(db, found.id)
        return found.id, known

    def all(self) -> list[Watched]:
        """Every active cluster, the oldest first."""
        known = self.look()
        return [known.clusters[cluster_id] for cluster_id in known.order]

    @property
    def collection(self) -> CollectionSettings:
        """How often is collected, as it holds now."""
        return self.look().collection

    def look(self) -> Known:
        """What holds now, to a quarter of a second. Raises StoreError."""
        known = self._known
        now = self._context.clock.monotonic()
        if known is None or not 0 <= now - known.looked_at < LOOK_SECONDS:
            return self._flight.do("", self._looked)
        return known

    def _looked(self) -> Known:
        known = self._known
        if known is None:
            return self._read()
        with self._context.database.read() as db:
            revision = revisions.read(db)
        if revision != known.revision:
            return self._read()
        now = self._context.clock.monotonic()
        self._known = Known(now, revision, known.order, known.clusters, known.collection)
        return self._known

    def _read(self) -> Known:
        now = self._context.clock.monotonic()
        with self._context.database.read() as db:
            revision = revisions.read(db)
            stored = clusters.active(db)
        found = effective(self._context.settings, self._context.store)
        watched = {one.id: _watched(one, found) for one in stored}
        collection = found.settings.collection
        self._known = Known(now, revision, tuple(watched), watched, collection)
        return self._known


def _watched(stored: StoredCluster, found: Effective) -> Watched:
    own = {cluster.name: cluster for cluster in found.settings.clusters}
    return Watched(
        id=stored.id,
        name=stored.name,
        own=own.get(stored.name),
        refusal=found.refused.get(stored.id) or NOT_HERE.format(name=stored.name),
        settings=found.settings,
    )
