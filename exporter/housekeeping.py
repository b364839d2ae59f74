"""What the store needs now and then: roll-ups, retention, and nodes that left."""

from __future__ import annotations

from clustersight.collection import Clock
from clustersight.effective import Effective
from clustersight.store import housekeeping as store_housekeeping
from clustersight.store import nodes
from clustersight.store.database import Database
from clustersight.store.retention import Retention
from exporter.collecting import Collecting

# Hours end; between two looks nothing can be overdue for long.
LOOK_SECONDS = 30.0


class Housekeeping:
    """A chore of the recorder: one unit of work at a time, so that visits are not kept waiting."""

    def __init__(self, database: Database, clock: Clock, collecting: Collecting) -> None:
        self._database = database
        self._keeping = store_housekeeping.Housekeeping(database)
        self._clock = clock
        self._collecting = collecting
        self._looked_at = float("-inf")
        self._kept: dict[str, frozenset[str]] = {}

    def __call__(self, found: Effective) -> bool:
        if self._forget_departed(found):
            return True
        now = self._clock.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return False
        retention = found.settings.retention
        days = Retention(retention.raw_days, retention.hourly_days, retention.daily_days)
        more = self._keeping.step(int(self._clock.wall()), days)
        if not more:
            self._looked_at = now
        return more

    def _forget_departed(self, found: Effective) -> bool:
        """Forget the nodes of one cluster that are no longer watched."""
        for name, cluster_id in found.ids.items():
            targets = [t for t in self._collecting.fleet.targets if t.cluster.name == name]
            hosts = frozenset(t.node.host for t in targets)
            if hosts and self._kept.get(cluster_id) != hosts:
                with self._database.begin() as db:
                    nodes.keep_only(db, cluster_id, hosts)
                self._kept[cluster_id] = hosts
                return True
        return False
