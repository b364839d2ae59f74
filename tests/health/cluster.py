"""A cluster in good health to make worse, series by series, and the score of what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from clustersight.health import Change, Health, NodeState, Window, Windows, families, health
from clustersight.health.windows import (
    DELAYED,
    ERRORS,
    FAULTS,
    P95,
    QUERIES,
    REFUSED,
    REJECTED,
    RESTARTS,
)
from clustersight.metrics import Sample
from clustersight.panels import ALL
from clustersight.panels.errors import CURATED
from clustersight.panels.panel import Scope
from clustersight.self_metrics import RUNNER
from clustersight.settings.health import HealthSettings

NOW = 1_800_000_000.0
METRICS = {metric.name: metric for metric in (*RUNNER, *(m for panel in ALL for m in panel.metrics))}

Labels = tuple[tuple[str, str], ...]
# What a healthy node says of itself; a server's panels all end ok.
HEALTHY = {
    families.REPLICAS: 500.0,
    families.MAX_LAG: 0.0,
    families.REPLICAS_READONLY: 0.0,
    families.ALL_STUCK_TASKS: 0.0,
    families.TABLES: 600.0,
    families.ALL_MUTATIONS: 0.0,
    families.KEEPER_ONLINE: 1.0,
    families.MEMORY_USAGE: 0.4,
    families.UPTIME: 86400.0,
    families.CLOCK_SKEW: 0.0,
    families.RUNNING: 3.0,
    families.RUNNING_RATIO: 0.03,
    families.FAULT_RATIO: 0.0,
    families.INITIAL_QUERIES: 90000.0,
    families.REFUSED: 0.0,
    families.DELAYED_INSERTS: 0.0,
    families.REJECTED_INSERTS: 0.0,
}
QUIET = {QUERIES: 3000.0, REFUSED: 0.0, DELAYED: 0.0, REJECTED: 0.0, FAULTS: 0.0, RESTARTS: 0.0}


@dataclass
class Cluster:
    """Mutable on purpose: a situation is what was changed in a healthy cluster. Values in base units."""

    hosts: dict[str, str] = field(default_factory=dict)  # host: shard
    values: dict[tuple[str, str, Labels], float] = field(default_factory=dict)
    changes: dict[tuple[Window, str, Labels], float] = field(default_factory=dict)
    statuses: dict[tuple[str, str], str] = field(default_factory=dict)
    unreachable: set[str] = field(default_factory=set)
    first_seen: dict[tuple[str, str], float] = field(default_factory=dict)
    settings: HealthSettings = field(default_factory=HealthSettings)
    backup_every_seconds: float | None = None

    def set(self, family: str, value: float, host: str = "ch1", **labels: str) -> None:
        self.values[host, family, tuple(labels.items())] = value

    def table(self, family: str, value: float, table: str = "orders", host: str = "ch1") -> None:
        self.set(family, value, host, database="shop", table=table)

    def change(self, window: Window, value: float, host: str = "ch1", **labels: str) -> None:
        self.changes[window, host, tuple(labels.items())] = value

    def error(self, name: str, count: float, host: str = "ch1") -> None:
        """Exceptions of the last 15 minutes."""
        self.change(ERRORS, count, host, error=name)

    def panel(self, name: str, status: str, host: str = "ch1") -> None:
        """How its last run ended; `absent`: it has not run."""
        self.statuses[host, name] = status

    def fail(self, *panels: str, host: str = "ch1", status: str = "timeout") -> None:
        """The last runs of these panels failed: nothing of them is fresh."""
        for name in panels:
            self.panel(name, status, host)
            self.drop(host, {metric.name for panel in ALL if panel.name == name for metric in panel.metrics})

    def drop(self, host: str, names: Iterable[str]) -> None:
        gone = set(names)
        self.values = {key: v for key, v in self.values.items() if (key[0] != host) or key[1] not in gone}

    def forget(self, window: Window, host: str = "ch1") -> None:
        """There is no history of it."""
        self.changes = {key: v for key, v in self.changes.items() if key[:2] != (window, host)}

    def down(self, *hosts: str) -> None:
        self.unreachable.update(hosts)

    def nodes(self) -> list[NodeState]:
        return [self._node(host, shard) for host, shard in self.hosts.items()]

    def _node(self, host: str, shard: str) -> NodeState:
        measured = tuple(
            Sample(METRICS[family], tuple(value for _, value in labels), value)
            for (where, family, labels), value in self.values.items()
            if where == host
        )
        told = {name: status for (where, name), status in self.statuses.items() if where == host}
        ran = {name: status for name, status in told.items() if status != "absent"}
        runs = tuple(Sample(METRICS[families.PANEL_STATUS], (n, s), 1.0) for n, s in ran.items())
        ups = tuple(
            Sample(METRICS[families.PANEL_UP], (name,), float(status == "ok"))
            for name, status in ran.items()
            if status not in ("unsupported", "disabled")
        )
        reachable = host not in self.unreachable
        return NodeState(host, shard, reachable, (*measured, *runs, *ups), self.first_seen)

    def windows(self) -> Windows:
        found: dict[Window, list[Change]] = {}
        for (window, host, labels), value in self.changes.items():
            found.setdefault(window, []).append(Change(host, dict(labels), value))
        return Windows(found)

    def health(self) -> Health:
        return health(
            self.nodes(),
            self.windows(),
            NOW,
            self.settings,
            backup_every_seconds=self.backup_every_seconds,
        )

    def with_settings(self, **settings: object) -> Cluster:
        return replace(self, settings=HealthSettings.model_validate(settings))


def healthy(shards: int = 1, replicas: int = 1) -> Cluster:
    """Nodes ch1, ch2 … with 500 replicated tables each, three Keeper nodes and a day of history."""
    cluster = Cluster()
    for number in range(shards * replicas):
        _add(cluster, f"ch{number + 1}", str(number // replicas + 1))
    for panel in ALL:
        if panel.scope is Scope.CLUSTER:
            cluster.panel(panel.name, "ok")
    cluster.set(families.KEEPER_NODES, 3.0)
    for node in ("k1", "k2", "k3"):
        cluster.set(families.KEEPER_NODE_UP, 1.0, node=node)
    return cluster


def _add(cluster: Cluster, host: str, shard: str) -> None:
    cluster.hosts[host] = shard
    for panel in ALL:
        if panel.scope is Scope.NODE:
            cluster.panel(panel.name, "ok", host)
    for family, value in HEALTHY.items():
        cluster.set(family, value, host)
    cluster.set(families.DISK_USAGE, 0.5, host, disk="default")
    cluster.set(families.DISK_BROKEN, 0.0, host, disk="default")
    for reason_class in ("broken", "unexpected", "temporary", "harmless", "manual"):
        cluster.set(families.ALL_DETACHED, 0.0, host, reason_class=reason_class)
    for quantile, seconds in (("0.5", 0.05), ("0.95", 0.2), ("0.99", 0.4)):
        cluster.set(families.DURATION, seconds, host, quantile=quantile)
    cluster.change(P95, 200.0, host, quantile="0.95")
    for window, value in QUIET.items():
        cluster.change(window, value, host)
    for error in CURATED.values():
        cluster.set(families.ERRORS, 0.0, host, error=error)
        cluster.change(ERRORS, 0.0, host, error=error)
    for name in ("orders", "carts"):
        for family in (families.LAG, families.LAG_UNKNOWN, families.READONLY, families.QUEUE_SIZE):
            cluster.table(family, 0.0, name, host)
        for family in (families.READONLY_UNEXPECTED, families.SESSION_EXPIRED):
            cluster.table(family, 0.0, name, host)
