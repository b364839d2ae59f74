"""An alerter with a clock of the test's and a real store, fed as the exporter feeds it; Slack is the stub."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr

from alerter.process import Alerter
from clustersight.collection import Clock
from clustersight.configuration import Configuration
from clustersight.settings.model import (
    AlerterSettings,
    ChannelKind,
    ChannelSettings,
    CollectionSettings,
    NotifySettings,
    RulesSettings,
    Settings,
)
from clustersight.store import alerts, clusters, nodes, outbox, snapshots
from clustersight.store.clusters import Description
from clustersight.store.database import Database
from clustersight.store.nodes import StoredNode
from clustersight.store.opening import Store
from clustersight.store.secrets import SecretBox
from clustersight.store.snapshots import Snapshot
from tests.servers.process import wait_until
from tests.servers.slack import SlackStub

INTERVAL = 10
# Any moment: Tuesday, 3 a.m.
START = 1_790_000_000.0


@dataclass
class TestClock:
    """Moves when the test says so; `step` moves the wall clock alone."""

    __test__ = False

    wall: float = START
    monotonic: float = 1000.0

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.monotonic)

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    def step(self, seconds: float) -> None:
        self.wall += seconds


@dataclass
class Sample:
    """What a panel said of a node."""

    panel: str
    samples: Sequence[tuple[str, Mapping[str, str] | Sequence[str], float]]
    payload: Sequence[Mapping[str, Any]] = ()
    status: str = "ok"


@dataclass
class Harness:
    """Rules are YAML text, or none: then the built-in pack."""

    folder: Path
    database: Database
    rules: str | None = None
    channels: tuple[ChannelSettings, ...] = ()
    interval: int = INTERVAL
    clock: TestClock = field(default_factory=TestClock)
    max_age: str = "24h"
    alerter: Alerter = field(init=False)
    cluster_ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.secrets = SecretBox("k" * 32)
        if self.rules is not None:
            self.write_rules(self.rules)
        self.start()

    @property
    def rule_folder(self) -> Path:
        return self.folder / "rules"

    def write_rules(self, text: str, name: str = "rules.yaml") -> None:
        self.rule_folder.mkdir(exist_ok=True)
        (self.rule_folder / name).write_text(text, encoding="utf-8")

    def settings(self) -> Settings:
        paths = (self.rule_folder,) if self.rules is not None else ()
        return Settings(
            collection=CollectionSettings(interval_sec=self.interval),
            alerter=AlerterSettings(),
            rules=RulesSettings(builtin=self.rules is None, paths=paths),
            notify=NotifySettings.model_validate(
                {"allow_private": True, "max_age": self.max_age, "channels": list(self.channels)}
            ),
        )

    def start(self) -> None:
        """Begin, or begin anew as after a restart."""
        store = Store(self.database, self.secrets, self.folder)
        self.alerter = Alerter(lambda: Configuration(self.settings()), store, self.clock.clock())

    def stop(self) -> None:
        self.alerter.working.stop()

    def kill(self) -> None:
        """As kill -9 does, as far as the store can tell: nothing is ended, the lease is not given back."""
        for sender in self.alerter.working.senders.all:
            sender.stop()
            sender.join(10)
        with self.database.begin() as db:
            from clustersight.store import leases

            leases.release(db, "alerter", self.alerter.working.leadership._identity)

    # -- the exporter's part ---------------------------------------------------------------------------

    def cluster(self, name: str = "prod", *hosts: str) -> str:
        """A cluster with its nodes; returns its id."""
        with self.database.begin() as db:
            if name not in self.cluster_ids:
                port = 9000 + len(self.cluster_ids)
                made = clusters.create(
                    db,
                    Description(name, f"{name}.example", port, {"protocol": "native"}),
                    None,
                    self.clock.wall,
                )
                self.cluster_ids[name] = made.id
            cluster_id = self.cluster_ids[name]
            for host in hosts or ("h1",):
                nodes.put(db, self._node(cluster_id, host))
        return cluster_id

    def _node(self, cluster_id: str, host: str) -> StoredNode:
        return StoredNode(
            cluster_id=cluster_id,
            host=host,
            address_host=host,
            address_port=9000,
            is_configured=True,
            is_up=True,
            visited_at=self.clock.wall,
            shard="",
            replica="",
            logical_cluster="",
            error="",
            version="26.9",
            logical_clusters=(),
        )

    def feed(self, *found: Sample, cluster: str = "prod", host: str = "h1") -> None:
        """What the exporter stored of a visit that ended now."""
        cluster_id = self.cluster_ids[cluster]
        with self.database.begin() as db:
            snapshots.put(db, [self._snapshot(cluster_id, host, one) for one in found])

    def _snapshot(self, cluster_id: str, host: str, one: Sample) -> Snapshot:
        good = one.status == "ok"
        plain = [
            [family, dict(labels) if isinstance(labels, Mapping) else list(labels), value]
            for family, labels, value in one.samples
        ]
        return Snapshot(
            cluster_id=cluster_id,
            panel=one.panel,
            host=host,
            status=one.status,
            error="" if good else "told so by the test",
            finished_at=self.clock.wall,
            duration_seconds=0.1,
            read_rows=1,
            collected_at=self.clock.wall if good else None,
            payload=[dict(row) for row in one.payload],
            samples=plain,
        )

    # -- the alerter's part ----------------------------------------------------------------------------

    def tick(self, *found: Sample, cluster: str = "prod", host: str = "h1") -> None:
        """One interval: the exporter visits, the alerter looks."""
        self.clock.pass_(self.interval)
        if found:
            self.feed(*found, cluster=cluster, host=host)
        self.alerter.working.tick()

    def idle(self, seconds: float) -> None:
        """Time passes and the alerter turns; the exporter sees nothing new."""
        while seconds > 0:
            step = min(5.0, seconds)
            self.clock.pass_(step)
            self.alerter.working.tick()
            seconds -= step

    def until(self, condition: Callable[[], object], what: str, timeout_seconds: float = 20) -> None:
        """Time passes until something is so; a try that fails meanwhile waits by the test's clock."""

        def later() -> object:
            self.idle(5)
            return condition()

        wait_until(later, timeout_seconds, what)

    def alerts(self, status: str | None = None) -> list[alerts.StoredAlert]:
        with self.database.read() as db:
            found, _ = alerts.page(db, alerts.Wanted(since=0.0, status=status), 100_000, 0)
        return found

    def rows(self) -> list[outbox.StoredRow]:
        """The whole outbox, the oldest first."""
        with self.database.read() as db:
            return outbox.every(db)

    def kinds(self) -> list[tuple[str, str]]:
        return [(row.kind, row.state) for row in self.rows()]

    @property
    def working(self) -> Any:
        return self.alerter.working


def slack(stub: SlackStub, name: str = "slack", **more: Any) -> ChannelSettings:
    """A channel to the stub."""
    return ChannelSettings(name=name, kind=ChannelKind.SLACK, url=SecretStr(stub.url), **more)


def disk(*values: tuple[str, float], status: str = "ok") -> Sample:
    """The disk panel, with these disks and their use in percent."""
    rows = [{"host": "h1", "disk": name, "path": f"/{name}", "usage_pct": value} for name, value in values]
    samples = [("clickhouse_disk_usage_ratio", [name], value / 100) for name, value in values]
    return Sample("disk", samples, rows, status)


def one_rule(**fields: Any) -> str:
    """A rule file with one rule about disks, as changed."""
    rule = {
        "alert": "DiskFilling",
        "metric_key": "disk.usage_pct",
        "operator": ">",
        "threshold": 85,
        "severity": "warning",
        "annotations": {"summary": "Disk {{ $labels.disk }} is at {{ $value | humanizePercent }}"},
    }
    return rules(rule | fields)


def rules(*some: Mapping[str, Any]) -> str:
    return yaml.safe_dump({"groups": [{"name": "test", "rules": [dict(one) for one in some]}]})


Make = Callable[..., Harness]


def harnesses(folder: Path, database: Database) -> Iterator[Make]:
    """Harnesses on one store, stopped at the end."""
    made: list[Harness] = []

    def harness(**fields: Any) -> Harness:
        made.append(Harness(folder, database, **fields))
        return made[-1]

    yield harness
    for one in made:
        one.stop()
