"""Panels run live on every node of a cluster at once, within the time that somebody waits for a page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from api.context import Context
from api.errors import Unreachable
from api.live.following import Watched
from api.live.outages import Outages
from api.live.places import nodes_of
from api.live.watches import Held, Watches
from clustersight.addresses import address_of
from clustersight.clickhouse import topology
from clustersight.clickhouse.errors import ClickHouseError
from clustersight.clickhouse.session import MIN_TIMEOUT_SECONDS
from clustersight.clickhouse.topology import Node, Topology
from clustersight.collect import collect
from clustersight.collection import Collection, Plan
from clustersight.panels.panel import Panel, Scope
from clustersight.plans import plan_of
from clustersight.settings.cluster import ClusterSettings
from clustersight.store.nodes import StoredNode

# A person waits no longer for a page (the issue: "at most ~8 s").
LIVE_SECONDS = 8.0
TOPOLOGY_SECONDS = 60.0
TOPOLOGY_TIMEOUT_SECONDS = 3.0
# Fifty nodes and several panels of a page, while some nodes hang, each of which holds its seats' threads.
MOST_THREADS = 64
# Seats are given back within milliseconds where a server answers.
SEAT_SECONDS = 0.05


_Visit = tuple[Future[Collection], Held]


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be asked of one node."""

    cluster_id: str
    node: Node
    panels: Sequence[Panel]
    plan: Plan

    @property
    def asks_keeper(self) -> bool:
        return any(panel.asks_keeper for panel in self.panels)

    @property
    def names(self) -> list[str]:
        return [panel.name for panel in self.panels]


def ends_of_live() -> float:
    """Until when an answer to a request of now may take, in seconds of time.monotonic."""
    return time.monotonic() + LIVE_SECONDS


class Visits:
    """One per process: `current().of(Visits)`. Thread safe."""

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self.watches = Watches(time.monotonic)
        self._outages = context.of(Outages)
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="live")
        self._topologies: dict[str, tuple[float, ClusterSettings, Topology]] = {}

    def nodes(self, watched: Watched, stored: Sequence[StoredNode]) -> tuple[Node, ...]:
        """Whom to ask; the configured node is the first. Raises Unreachable where nobody may be asked."""
        settings = settings_of(watched)
        return nodes_of(settings, stored, lambda: self._discovered(watched.id, settings))

    def _discovered(self, cluster_id: str, settings: ClusterSettings) -> Topology:
        """The topology that no exporter has stored yet."""
        now = time.monotonic()
        known = self._topologies.get(cluster_id)
        if known is not None and now - known[0] < TOPOLOGY_SECONDS and known[1] == settings:
            return known[2]
        found = self._read_topology(cluster_id, settings)
        self._topologies[cluster_id] = (now, settings, found)
        return found

    def _read_topology(self, cluster_id: str, settings: ClusterSettings) -> Topology:
        configured = address_of(settings)
        itself = topology.alone(settings.name, configured)
        if self._outages.find(cluster_id, configured) is not None:
            return itself
        try:
            with self.watches.lease(
                cluster_id, itself.nodes[0], TOPOLOGY_TIMEOUT_SECONDS, asks_keeper=False, panels=()
            ) as watch:
                members = topology.read_members(watch.session, TOPOLOGY_TIMEOUT_SECONDS)
        except ClickHouseError:
            return itself  # the visit that follows says what is wrong
        logical = settings.logical_cluster or "default"
        return topology.resolve(settings.name, configured, members, logical, settings.discover_hosts)

    def run(
        self, watched: Watched, panels: Sequence[Panel], nodes: Sequence[Node], ends: float
    ) -> list[Collection]:
        """One visit to each of the cluster's nodes that the panels run on, all at once.

        Who does not answer until `ends` (seconds of time.monotonic) counts as not reached, and so does,
        without being asked, whoever was not reached a moment ago.
        """
        settings = settings_of(watched)
        self.watches.keep_only(watched.id, {node.address for node in nodes})
        jobs = [self._job(watched, settings, panels, node, ends) for node in nodes]
        jobs = [job for job in jobs if job.panels]
        known = {job.node: found for job in jobs if (found := self._known(job)) is not None}
        began = time.monotonic()
        visits = self._begun([job for job in jobs if job.node not in known], ends)
        wait([visit for visit, _ in visits.values()], timeout=max(0.0, ends - time.monotonic()))
        took = time.monotonic() - began
        return [known.get(job.node) or self._ended(job, visits.get(job.node), took) for job in jobs]

    def _job(
        self, watched: Watched, settings: ClusterSettings, panels: Sequence[Panel], node: Node, ends: float
    ) -> _Job:
        own = [panel for panel in panels if panel.scope is Scope.NODE or node.is_configured]
        left = max(MIN_TIMEOUT_SECONDS, ends - time.monotonic())
        return _Job(watched.id, node, own, plan_of(settings, watched.collection, own, most_seconds=left))

    def _known(self, job: _Job) -> Collection | None:
        """What need not be asked: the node was not reached a moment ago."""
        if any(panel.survives_node and panel.name not in job.plan.disabled for panel in job.panels):
            return None
        outage = self._outages.find(job.cluster_id, job.node.address)
        if outage is None:
            return None
        return outage.collection(job.node, job.panels, job.plan.disabled, self._clock.wall())

    def _begun(self, jobs: Sequence[_Job], ends: float) -> dict[Node, _Visit]:
        """The visits of those whose node has a seat before `ends`.

        Nobody waits for a seat in a thread of the pool: one node that hangs would take all of them.
        """
        begun: dict[Node, _Visit] = {}
        waiting = list(jobs)
        while waiting and time.monotonic() < ends:
            for job in waiting:
                held = self.watches.find(
                    job.cluster_id, job.node, asks_keeper=job.asks_keeper, panels=job.names
                )
                if held is not None:
                    begun[job.node] = (self._threads.submit(self._visit, job, held, ends), held)
            waiting = [job for job in waiting if job.node not in begun]
            if waiting:
                self.watches.wait(SEAT_SECONDS)
                waiting = [job for job in waiting if self._known(job) is None]
        return begun

    def _visit(self, job: _Job, held: Held, ends: float) -> Collection:
        try:
            left = max(MIN_TIMEOUT_SECONDS, ends - time.monotonic())
            plan = replace(job.plan, deadline_seconds=min(job.plan.deadline_seconds, left))
            found = collect(held.watch, plan, self._clock)
        finally:
            held.give_back()
        self._outages.note(job.cluster_id, found)
        return found

    def _ended(self, job: _Job, visit: _Visit | None, took_seconds: float) -> Collection:
        if visit is None:
            return self._known(job) or self._silent(job, "other questions to it wait already", took_seconds)
        asked, held = visit
        if asked.done():
            return asked.result()
        if asked.cancel():
            held.give_back()
            return self._silent(job, "the API is too busy to ask it", took_seconds)
        # One that has begun ends by itself, at the deadlines of its queries.
        silent = self._silent(job, f"no answer within {LIVE_SECONDS:g} s", took_seconds)
        self._outages.note(job.cluster_id, silent)
        return silent

    def _silent(self, job: _Job, why: str, took_seconds: float) -> Collection:
        now = self._clock.wall()
        error = f"{job.node.host}: {why}"
        return Collection(job.node, False, error, None, now - took_seconds, took_seconds, ())


def settings_of(watched: Watched) -> ClusterSettings:
    """How to reach a cluster. Raises Unreachable where this process does not know."""
    if watched.own is None:
        raise Unreachable(watched.refusal)
    return watched.own
