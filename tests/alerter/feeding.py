"""What an exporter would have stored, written into the store of an alerter that runs as a process."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clustersight.store import clusters, migrations, nodes, outbox, snapshots
from clustersight.store.clusters import Description
from clustersight.store.database import DATABASE_FILE, Database, sqlite_url
from clustersight.store.nodes import StoredNode
from clustersight.store.snapshots import Snapshot

CLUSTER = "prod"
HOST = "h1"


class Feeder:
    """One cluster with one node, whose disks the test fills."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.database = Database(url or sqlite_url(folder))
        migrations.migrate(self.database)
        now = time.time()
        with self.database.begin() as db:
            known = clusters.active(db)
            description = Description(CLUSTER, "prod.example", 9000, {"protocol": "native"})
            made = known[0] if known else clusters.create(db, description, None, now)
            self.cluster_id = made.id
            nodes.put(db, self._node(now))

    def _node(self, now: float) -> StoredNode:
        return StoredNode(
            cluster_id=self.cluster_id,
            host=HOST,
            address_host=HOST,
            address_port=9000,
            is_configured=True,
            is_up=True,
            visited_at=now,
        )

    def disks(self, usage: Mapping[str, float]) -> None:
        """A visit that found these disks, with their use in percent."""
        now = time.time()
        samples = [["clickhouse_disk_usage_ratio", [name], value / 100] for name, value in usage.items()]
        rows = [{"host": HOST, "disk": name, "usage_pct": value} for name, value in usage.items()]
        with self.database.begin() as db:
            snapshots.put(db, [self._snapshot("disk", samples, rows, now)])

    def _snapshot(
        self, panel: str, samples: list[list[Any]], rows: list[dict[str, Any]], now: float
    ) -> Snapshot:
        return Snapshot(
            cluster_id=self.cluster_id,
            panel=panel,
            host=HOST,
            status="ok",
            error="",
            finished_at=now,
            duration_seconds=0.1,
            read_rows=1,
            collected_at=now,
            payload=rows,
            samples=samples,
        )

    def rows(self) -> list[outbox.StoredRow]:
        """The whole outbox."""
        with self.database.read() as db:
            return outbox.every(db)

    def is_settled(self) -> bool:
        """Whether there is something in the outbox, and nothing waits."""
        states = [row.state for row in self.rows()]
        return bool(states) and "pending" not in states

    def close(self) -> None:
        self.database.close()


def database_file(folder: Path) -> Path:
    return folder / DATABASE_FILE
