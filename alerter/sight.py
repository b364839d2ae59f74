"""What the alerter sees: the exporter's snapshots, as values of rule keys. It never asks ClickHouse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from alerter.steady import SteadyClock
from clustersight.alerts.evidence import Rows
from clustersight.alerts.keys import AGE_INTERVALS, AGE_SECONDS, PANELS, is_of_cluster, panel_of
from clustersight.alerts.readings import BLIND_INTERVALS, KeyReadings, Labels, Value
from clustersight.history import ClusterName
from clustersight.history.now import rate_values
from clustersight.metric_keys import metric_keys
from clustersight.metrics import Metric, Rate
from clustersight.plans import SKEW_SECONDS, interval_of
from clustersight.rules.rule import SQL_PREFIX
from clustersight.settings.model import CollectionSettings
from clustersight.store import clusters, nodes, snapshots
from clustersight.store.database import Connection, Database
from clustersight.store.snapshots import Snapshot

# After a step of the clock a rate over a day is trusted again after this.
MOST_BLIND_SECONDS = 3600
# Statuses that say that there is nothing to know there.
_NO_PANEL = frozenset({"unsupported", "disabled"})


@dataclass(slots=True)
class Seen:
    """A panel of a node as it was last read. `seen_at` is when that run ended, by the monotonic clock."""

    collected_at: float | None
    seen_at: float
    status: str = ""
    values: dict[str, list[Value]] = field(default_factory=dict)
    payload: list[dict[str, Any]] = field(default_factory=list)
    rows: Rows | None = None


@dataclass(slots=True)
class Sight:
    """Renewed by `refresh` before each pass; answers from memory, rates from history once a pass.

    How old a run is, is told by the monotonic clock: a step of the wall clock makes nobody blind.
    """

    database: Database
    clock: SteadyClock
    collection: CollectionSettings = field(default_factory=CollectionSettings)
    clusters: Mapping[str, str] = field(default_factory=dict)
    _looked_at: float = float("-inf")
    _hosts: dict[str, frozenset[str]] = field(default_factory=dict)
    _seen: dict[str, dict[str, dict[str, Seen]]] = field(default_factory=dict)
    _readings: dict[tuple[str, str], KeyReadings] = field(default_factory=dict)

    def refresh(self) -> None:
        """Read what was stored since. Raises StoreError, and then shows what it showed before."""
        self.clock.offset()  # a step is noticed before anything is judged by it
        with self.database.read() as db:
            known = {cluster.id: cluster.name for cluster in clusters.active(db)}
            hosts = {one: frozenset(node.host for node in nodes.of_cluster(db, one)) for one in known}
            fresh = {one: self._cluster(db, one, hosts[one]) for one in known}
        self.clusters, self._hosts, self._seen = known, hosts, fresh
        self._looked_at = self.clock.monotonic()
        self._readings = {}

    def _cluster(self, db: Connection, cluster_id: str, hosts: frozenset[str]) -> dict[str, dict[str, Seen]]:
        """By panel and host."""
        before = self._seen.get(cluster_id, {})
        states = [s for s in snapshots.states(db, cluster_id) if s.host == "" or s.host in hosts]
        changed = {s.panel for s in states if self._is_new(s, before)}
        whole = {
            (one.panel, one.host): one
            for panel in changed
            for one in snapshots.of_panel(db, cluster_id, panel)
        }
        found: dict[str, dict[str, Seen]] = {}
        for state in states:
            known = before.get(state.panel, {}).get(state.host)
            one = self._seen_of(state, whole.get((state.panel, state.host)), known)
            found.setdefault(state.panel, {})[state.host] = one
        return found

    @staticmethod
    def _is_new(state: Snapshot, before: Mapping[str, Mapping[str, Seen]]) -> bool:
        known = before.get(state.panel, {}).get(state.host)
        return state.collected_at is not None and (known is None or known.collected_at != state.collected_at)

    def _seen_of(self, state: Snapshot, whole: Snapshot | None, known: Seen | None) -> Seen:
        if known is not None and known.collected_at == state.collected_at:
            known.status = state.status
            return known
        now = self.clock.monotonic()
        if state.collected_at is None or whole is None:
            return Seen(None, now, state.status)
        # Its age is by the wall clock, which may have been set: never in the future, and it was not there
        # when this was last looked at.
        age = max(0.0, self.clock.wall() - state.collected_at)
        if known is not None:
            age = min(age, now - self._looked_at)
        return Seen(state.collected_at, now - age, state.status, values_of(whole), payload=whole.payload)

    def interval(self, panel: str) -> int:
        """Seconds between two runs of a panel."""
        known = PANELS.get(panel)
        return interval_of(known, self.collection) if known else self.collection.interval_sec

    def readings(self, cluster_id: str, key: str) -> KeyReadings:
        """What is known of a key in a cluster."""
        place = (cluster_id, key)
        if place not in self._readings:
            self._readings[place] = self._read(cluster_id, key)
        return self._readings[place]

    def _read(self, cluster_id: str, key: str) -> KeyReadings:
        if key in (AGE_SECONDS, AGE_INTERVALS):
            return self._ages(cluster_id, key)
        panel = panel_of(key)
        found = self._seen.get(cluster_id, {}).get(panel, {})
        of_cluster = is_of_cluster(key)
        present = {
            host: seen
            for host, seen in found.items()
            if seen.status not in _NO_PANEL and (host == "") is of_cluster
        }
        latest = BLIND_INTERVALS * self.interval(panel) + SKEW_SECONDS
        now = self.clock.monotonic()
        good = frozenset(
            host
            for host, seen in present.items()
            if seen.collected_at is not None and now - seen.seen_at <= latest
        )
        if rate_of(key) is not None and self._rates_unknown(key):
            return KeyReadings((), frozenset(), frozenset(present))
        values = [v for v in self._values(cluster_id, key, present) if v.host in good]
        return KeyReadings(values, good, frozenset(present) - good)

    def _rates_unknown(self, key: str) -> bool:
        """After a step of the clock history has a gap, or the same times twice, within a rate's window."""
        rate = rate_of(key)
        window = min(rate.window_seconds, MOST_BLIND_SECONDS) if rate else 0
        return self.clock.monotonic() - self.clock.stepped_at < window + BLIND_INTERVALS * self.interval("")

    def _values(self, cluster_id: str, key: str, present: Mapping[str, Seen]) -> Iterator[Value]:
        rate = rate_of(key)
        if rate is None:
            for seen in present.values():
                yield from seen.values.get(key, ())
            return
        name = ClusterName(cluster_id, self.clusters[cluster_id])
        for one in rate_values(self.database, name, rate, self.clock.wall()):
            yield Value(one.host, _labels(one.labels), one.value)

    def _ages(self, cluster_id: str, key: str) -> KeyReadings:
        """How old each panel is on each node: known also, and above all, where nothing can be read."""
        now = self.clock.monotonic()
        values = [
            Value(host, (("panel", panel),), self._age(panel, now - seen.seen_at, key))
            for panel, hosts in self._seen.get(cluster_id, {}).items()
            for host, seen in hosts.items()
            if host and seen.status not in _NO_PANEL
        ]
        return KeyReadings(values, self._hosts.get(cluster_id, frozenset()))

    def _age(self, panel: str, seconds: float, key: str) -> float:
        return seconds if key == AGE_SECONDS else seconds / self.interval(panel)

    def evidence(
        self, cluster_id: str, key: str, host: str, labels: Mapping[str, str]
    ) -> dict[str, Any] | None:
        """The panel's row behind a value; a cluster's own values have none."""
        seen = self._seen.get(cluster_id, {}).get(panel_of(key), {}).get(host)
        if seen is None:
            return None
        if seen.rows is None:
            seen.rows = Rows(seen.payload)
        return seen.rows.behind(key, labels)

    @property
    def newest_seconds(self) -> float | None:
        """How long ago anything was read anywhere; None: never."""
        ends = [
            seen.seen_at
            for panels in self._seen.values()
            for hosts in panels.values()
            for seen in hosts.values()
            if seen.collected_at is not None
        ]
        return self.clock.monotonic() - max(ends) if ends else None


def rate_of(key: str) -> Rate | None:
    """The rate that a key is, if it is one."""
    known = metric_keys().get(key)
    return known.source if known is not None and isinstance(known.source, Rate) else None


@cache
def _families() -> dict[str, Metric]:
    return {one.source.name: one.source for one in metric_keys().values() if isinstance(one.source, Metric)}


def values_of(snapshot: Snapshot) -> dict[str, list[Value]]:
    """A snapshot's samples by rule key, in the key's unit."""
    found: dict[str, list[Value]] = {}
    for family, labels, value in snapshot.samples:
        for key, own, number in _value(family, labels, value):
            found.setdefault(key, []).append(Value(snapshot.host, own, number))
    return found


def _value(family: str, labels: Any, value: float | None) -> Iterable[tuple[str, Labels, float]]:
    if value is None:  # NaN is stored as null
        return
    if family.startswith(SQL_PREFIX):
        yield family, _labels(labels), float(value)
        return
    metric = _families().get(family)
    key = metric.key_of(tuple(labels)) if metric else None
    if metric is not None and key is not None:
        names = () if metric.keys else tuple(zip(metric.labels, labels, strict=True))
        yield key, _labels(dict(names)), value * metric.per_base_unit


def _labels(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))
