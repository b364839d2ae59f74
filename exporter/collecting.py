"""Visits the nodes that are due and puts what they said on the page."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from clustersight.clickhouse import topology
from clustersight.clickhouse.errors import ClickHouseError
from clustersight.collect import collect
from clustersight.collection import Clock, Collection, PanelRun, Plan
from clustersight.logs import event
from clustersight.metrics import Sample
from clustersight.panels.panel import Panel, Status
from clustersight.plans import interval_of, plan_of
from clustersight.self_metrics import (
    REFUSED_HOSTS,
    cluster_samples,
    isolated_sample,
    node_samples,
    panel_samples,
)
from clustersight.settings.model import Settings
from exporter.fleet import Fleet, Target
from exporter.last_backups import LastBackups
from exporter.page import Page, PieceKey
from exporter.peers import PeersWatch
from exporter.recording import Record
from exporter.selection import panels_of_visit
from exporter.sql_rules import RulePanels
from exporter.timetable import tier2_due
from exporter.workers import Workers

log = logging.getLogger(__name__)

# A new node is seen within a minute; the query costs 1 ms.
TOPOLOGY_SECONDS = 60.0
TOPOLOGY_TIMEOUT_SECONDS = 3.0
# The piece of the page that the score is; scoring.py puts it there.
HEALTH = "health"
_WELL = frozenset({Status.OK, Status.UNSUPPORTED, Status.DISABLED})


class Collecting:
    """The exporter's work: `tick` sends workers out, a worker's visit ends on the page.

    Nodes that did not answer last time have a small pool of their own: however many hang, the
    workers of the others are free.
    """

    def __init__(
        self,
        settings: Settings,
        panels: Sequence[Panel],
        page: Page,
        clock: Clock,
        record: Callable[[Record], None] = lambda _: None,
    ) -> None:
        self.fleet = Fleet(clock.monotonic)
        self._page = page
        self._clock = clock
        self._record = record
        self._lock = threading.Lock()
        workers = settings.collection.workers
        self._workers = Workers("collect", workers)
        self._suspects = Workers("suspect", max(2, workers // 4))
        self.visits = 0
        self._rules: Mapping[str, RulePanels] = {}
        self._peers = PeersWatch()
        self.backups = LastBackups()
        self.configure(settings, panels)

    def configure(
        self,
        settings: Settings,
        panels: Sequence[Panel],
        rules: Mapping[str, RulePanels] = MappingProxyType({}),
    ) -> None:
        """Follow new settings; clusters that did not change keep their connections and their pieces.

        `rules` are the panels of SQL rules by cluster. They have no samples, and no place on the page.
        """
        with self._lock:
            self._settings, self._panels, self._rules = settings, panels, rules
            for target in self.fleet.configure(settings.clusters, settings.collection.interval_sec):
                self._page.forget(target.cluster.name, target.node.host)
            known = set(self.fleet.clusters)
            names = {panel.name for panel in panels} | {"", HEALTH}
            self._peers.forget_others(known)
            self.backups.forget_others(known)
            for target in self.fleet.targets:
                self._forget_runs(target)
            self._page.drop(lambda key: key.cluster not in known or key.panel not in names)

    def rules(self, cluster: str) -> RulePanels:
        """The panels of a cluster's SQL rules."""
        return self._rules.get(cluster, {})

    def _forget_runs(self, target: Target) -> None:
        names = {panel.name for panel in self._panels} | set(self.rules(target.cluster.name))
        target.runs = {name: run for name, run in target.runs.items() if name in names}

    def tick(self) -> None:
        """Send a worker to every target that is due. Never waits."""
        for target in self.fleet.due(self._clock.monotonic()):
            target.busy = True
            pool = self._suspects if target.suspect else self._workers
            pool.submit(lambda target=target: self._visit(target))  # type: ignore[misc]

    def stop(self, timeout_seconds: float) -> None:
        self._workers.stop(timeout_seconds)
        self._suspects.stop(timeout_seconds / 4)
        for target in self.fleet.targets:
            if not target.busy:
                target.watch.close()

    @property
    def pending(self) -> list[str]:
        """Nodes of which no visit is on the page yet, as cluster/host."""
        return [f"{t.cluster.name}/{t.node.host}" for t in self.fleet.targets if not t.on_page]

    def _visit(self, target: Target) -> None:
        try:
            if target.departed:
                self._bury(target)
            else:
                self._collect(target)
        finally:
            self._release(target)

    def _release(self, target: Target) -> None:
        with self._lock:
            self.fleet.schedule_next(target, self._clock.monotonic())
            target.busy = False
            if not self.fleet.holds(target):
                target.watch.close()  # a reload took it away while this worker had it

    def _collect(self, target: Target) -> None:
        collection = collect(target.watch, self._plan(target), self._clock)
        self.visits += 1
        if not self.fleet.holds(target):
            return
        self._note(target, collection)
        self._look_around(target)
        # Whoever takes a node off the page holds this lock too: what has gone cannot be put back.
        with self._lock:
            if self.fleet.holds(target):
                self._publish(target, collection)

    def _plan(self, target: Target) -> Plan:
        collection, cluster = self._settings.collection, target.cluster
        now = self._clock.monotonic()
        slow = tier2_due(now, target.tier2_at, collection.interval_sec, collection.tier2_every)
        if slow:
            target.tier2_at = now
        panels = panels_of_visit(self._panels, self.rules(cluster.name), target, slow=slow)
        plan = plan_of(cluster, collection, panels, slow=slow)
        if not target.node.is_configured:
            return plan
        return replace(plan, peers=self._peers.look(cluster.name, self._present(cluster.name), now))

    def _present(self, cluster: str) -> list[Target]:
        """The nodes that have not left: one that left on purpose is not one that fails."""
        return [t for t in self.fleet.targets if t.cluster.name == cluster and not t.departed]

    def _note(self, target: Target, collection: Collection) -> None:
        if target.collection is None or target.collection.up != collection.up:
            level = logging.INFO if collection.up else logging.WARNING
            event(
                log,
                level,
                "node is up" if collection.up else "node is down",
                cluster=target.cluster.name,
                host=target.node.host,
                error=collection.error,
            )
        target.collection, target.suspect = collection, not collection.up
        if not collection.up:
            target.runs.clear()  # what was ok before says nothing now
            # The slow panels must come back with the node, not ten intervals later.
            target.tier2_at = None
        for run in collection.runs:
            if collection.up:
                self._note_run(target, run)
            target.runs[run.panel.name] = run
            if run.status is Status.OK:
                target.last_success[run.panel.name] = run.finished_at

    def _note_run(self, target: Target, run: PanelRun) -> None:
        """Log a panel that begins or ends to fail, once."""
        before = target.runs.get(run.panel.name)
        failing, failed = run.status not in _WELL, before is not None and before.status not in _WELL
        if failing == failed and (before is None or before.status is run.status):
            return
        if failing or failed:
            event(
                log,
                logging.WARNING if failing else logging.INFO,
                "panel fails" if failing else "panel is well again",
                cluster=target.cluster.name,
                host=target.node.host,
                panel=run.panel.name,
                status=run.status.value,
                error=run.error,
            )

    def _publish(self, target: Target, collection: Collection) -> None:
        """Put a node's pieces on the page; the lock is held."""
        cluster, host = target.cluster.name, target.node.host
        if not collection.up:
            kept = {run.panel.name for run in collection.runs if run.status is Status.OK} | {""}
            self._page.drop(lambda k: (k.cluster, k.host) == (cluster, host) and k.panel not in kept)
        current = {panel.name for panel in self._panels}
        for run in collection.runs:
            if run.panel.name in current:  # a reload may have taken it away meanwhile
                self._page.put(PieceKey(cluster, host, run.panel.name), run.samples)
        self._forget_runs(target)  # also of what was taken away during this visit
        own: list[Sample] = [*node_samples(collection, target.node)]
        own += self._panel_samples(target)
        self._page.put(PieceKey(cluster, host, ""), own)
        self._page.put(PieceKey(cluster, "", ""), self.cluster_samples(cluster))
        target.on_page = True
        logical_clusters = self.fleet.topology(cluster).logical_clusters
        self._record(Record(target.cluster, collection, tuple(own), logical_clusters))

    def _panel_samples(self, target: Target) -> Iterator[Sample]:
        dropped = self._page.dropped(target.cluster.name, target.node.host)
        intervals = {
            name: float(interval_of(run.panel, self._settings.collection))
            for name, run in target.runs.items()
        }
        return panel_samples(target.runs, target.last_success, dropped, intervals)

    def cluster_samples(self, cluster: str) -> list[Sample]:
        """What is said of a cluster as a whole."""
        present = self._present(cluster)
        refused = float(len(self.fleet.topology(cluster).refused_hosts))
        every = self._settings.backups.expected_every
        return [
            Sample(REFUSED_HOSTS, (), refused),
            isolated_sample([t.collection for t in self.fleet.targets if not t.departed]),
            *cluster_samples({target.node: target.collection for target in present}),
            *self.backups.samples(cluster, present, every, self._clock.wall()),
        ]

    def _look_around(self, target: Target) -> None:
        """Read the topology, on the configured node, while this worker still has it.

        Without `discover` only the names of the logical clusters are taken from it.
        """
        now, cluster = self._clock.monotonic(), target.cluster
        known = target.collection is not None and target.collection.up
        recent = target.topology_at is not None and now - target.topology_at < TOPOLOGY_SECONDS
        if not (target.node.is_configured and known) or recent:
            return
        try:
            members = topology.read_members(target.watch.session, TOPOLOGY_TIMEOUT_SECONDS)
        except ClickHouseError as error:
            if cluster.discover:
                place = {"cluster": cluster.name, "host": target.node.host}
                event(log, logging.WARNING, "topology not read", **place, error=error.message)
            return
        target.topology_at = now
        found = _topology(target, members)
        with self._lock:
            before = {t.node.host for t in self.fleet.targets if t.cluster.name == cluster.name}
            self.fleet.follow(cluster.name, found)
            after = {t.node.host for t in self.fleet.targets if t.cluster.name == cluster.name}
            for host in before - after:
                self._page.forget(cluster.name, host)
        if refused := found.refused_hosts:
            event(
                log, logging.WARNING, "hosts refused by discover_hosts", cluster=cluster.name, hosts=refused
            )

    def _bury(self, target: Target) -> None:
        """A node that left is shown as down for one interval, then no more."""
        with self._lock:
            if not self.fleet.holds(target) or not target.departed:
                return  # a reload took it away, or it is back
            if target.collection is not None and target.collection.up:
                gone = Collection(target.node, False, "left the cluster", None, self._clock.wall(), 0.0, ())
                target.collection = gone
                self._publish(target, gone)
                return
            self.fleet.remove(target)
            self._page.forget(target.cluster.name, target.node.host)


def _topology(target: Target, members: Sequence[topology.Member]) -> topology.Topology:
    cluster, address = target.cluster, target.watch.session.address
    if not cluster.discover:
        itself = topology.alone(cluster.name, address)
        return replace(itself, logical_clusters=tuple(sorted({m.cluster for m in members})))
    logical_cluster = cluster.logical_cluster or "default"
    return topology.resolve(cluster.name, address, members, logical_cluster, cluster.discover_hosts)
