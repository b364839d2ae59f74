"""What the store needs now and then: roll-ups, retention, and nodes that left."""

from __future__ import annotations

from clustersight.collection import Clock
from clustersight.effective import Effective
from clustersight.store import housekeeping as store_housekeeping
from clustersight.store import nodes, snapshots
from clustersight.store.database import Database
from clustersight.store.retention import Retention
from exporter.collecting import Collecting
from exporter.sql_rules import RulePanels, is_over

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
        self._ruled: dict[str, object] = {}

    def __call__(self, found: Effective) -> bool:
        if self._forget_departed(found) or self._forget_rules(found):
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

    def _forget_rules(self, found: Effective) -> bool:
        """Forget what SQL rules said in one cluster where they no longer run: it would keep alerts alive."""
        for name, cluster_id in found.ids.items():
            panels, configured = self._collecting.rules(name), self._configured(name)
            state = ({panel.name: panel.scope for panel in panels.values()}, configured)
            if configured and self._ruled.get(cluster_id) != state:
                self._forget_over(cluster_id, panels, configured)
                self._ruled[cluster_id] = state
                return True
        return False

    def _configured(self, cluster: str) -> frozenset[str]:
        targets = [t for t in self._collecting.fleet.targets if t.cluster.name == cluster]
        return frozenset(t.node.host for t in targets if t.node.is_configured)

    def _forget_over(self, cluster_id: str, panels: RulePanels, configured: frozenset[str]) -> None:
        with self._database.begin() as db:
            states = snapshots.states(db, cluster_id)
            over = [(one.panel, one.host) for one in states if is_over(one, panels, configured)]
            snapshots.forget(db, cluster_id, over)
