"""Which nodes are watched: the configured ones, and those that their clusters name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from clustersight.addresses import address_of
from clustersight.clickhouse.session import Session
from clustersight.clickhouse.topology import Node, Topology, alone
from clustersight.collection import Collection, PanelRun, Watch
from clustersight.logs import event
from clustersight.settings.model import ClusterSettings
from exporter.timetable import next_due, phase

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Target:
    """One node and its place in the timetable; times are monotonic seconds unless named otherwise.

    `departed` nodes are reported as down once more and then forgotten. `on_page`: a visit was published.
    """

    cluster: ClusterSettings
    watch: Watch
    due: float
    phase: float
    busy: bool = False
    suspect: bool = False
    departed: bool = False
    on_page: bool = False
    tier2_at: float | None = None
    topology_at: float | None = None
    collection: Collection | None = None
    runs: dict[str, PanelRun] = field(default_factory=dict)
    last_success: dict[str, float] = field(default_factory=dict)

    @property
    def node(self) -> Node:
        return self.watch.node


class Fleet:
    """All targets by cluster and address. Changed by the ticking thread and, for topology, by workers."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._targets: dict[tuple[str, str], Target] = {}
        self._clusters: dict[str, ClusterSettings] = {}
        self._topologies: dict[str, Topology] = {}
        self.interval_seconds = 30.0

    @property
    def targets(self) -> list[Target]:
        return list(self._targets.values())

    @property
    def clusters(self) -> dict[str, ClusterSettings]:
        return dict(self._clusters)

    def topology(self, cluster: str) -> Topology:
        """The cluster's nodes as they are known now; empty for a cluster that a reload took away."""
        return self._topologies.get(cluster, Topology(()))

    def holds(self, target: Target) -> bool:
        """Whether this very target is still watched."""
        return self._targets.get((target.cluster.name, target.watch.session.address.endpoint)) is target

    def configure(self, clusters: Iterable[ClusterSettings], interval_seconds: float) -> list[Target]:
        """Follow the settings; returns the targets of clusters that are gone or changed."""
        wanted = {cluster.name: cluster for cluster in clusters}
        if interval_seconds != self.interval_seconds:
            self._hurry(interval_seconds)
        changed = [name for name, known in self._clusters.items() if wanted.get(name) != known]
        gone = [t for t in self.targets if t.cluster.name in changed]
        for target in gone:
            self.remove(target)
        for name in changed:
            del self._clusters[name], self._topologies[name]
        for name, cluster in wanted.items():
            if name not in self._clusters:
                self._clusters[name] = cluster
                self.follow(name, alone(name, address_of(cluster)))
        return gone

    def _hurry(self, interval_seconds: float) -> None:
        """A shorter interval holds at once, not after a visit that may be an hour away."""
        self.interval_seconds, now = interval_seconds, self._monotonic()
        for target in self.targets:
            target.due = min(target.due, next_due(now, interval_seconds, target.phase))

    def follow(self, cluster: str, topology: Topology) -> None:
        """Add the nodes that are new, place those that are known, send off those that left."""
        if cluster not in self._clusters:
            return  # removed by a reload while its topology was being read
        self._topologies[cluster] = topology
        current = {node.address.endpoint for node in topology.nodes}
        for node in topology.nodes:
            key = (cluster, node.address.endpoint)
            if key in self._targets:
                self._targets[key].watch.node = node
                self._targets[key].departed = False
            else:
                self._targets[key] = self._new(self._clusters[cluster], node)
        for (name, endpoint), target in list(self._targets.items()):
            if name == cluster and endpoint not in current and not target.departed:
                target.departed = True
                event(log, logging.WARNING, "node left the cluster", cluster=cluster, host=target.node.host)

    def _new(self, cluster: ClusterSettings, node: Node) -> Target:
        event(log, logging.INFO, "watching node", cluster=cluster.name, host=node.host)
        watch = Watch(node, Session(node.address), Session(node.address))
        identity = f"{cluster.name}/{node.address.endpoint}"
        # The first visit is at once; the slots of the timetable spread the ones after it.
        return Target(cluster, watch, due=self._monotonic(), phase=phase(identity))

    def remove(self, target: Target) -> None:
        """Forget a target; whoever is visiting it now closes its connections afterwards."""
        if self.holds(target):  # a reload may have put another one in its place
            del self._targets[(target.cluster.name, target.watch.session.address.endpoint)]
        target.departed = True
        if not target.busy:
            target.watch.close()

    def due(self, now: float) -> list[Target]:
        """The targets whose turn it is, longest waiting first."""
        waiting = [t for t in self.targets if not t.busy and t.due <= now]
        return sorted(waiting, key=lambda t: t.due)

    def schedule_next(self, target: Target, now: float) -> None:
        """Give a visited target its next slot."""
        target.due = next_due(now, self.interval_seconds, target.phase)
