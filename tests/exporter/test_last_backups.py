"""The newest backup of a cluster: whoever made it, kept over restarts, and overdue where one is expected."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from clustersight.clickhouse.connection import Address, Wire
from clustersight.clickhouse.session import Session
from clustersight.clickhouse.topology import Node
from clustersight.collection import PanelRun, Watch
from clustersight.last_backup import LastBackup, restored, samples_of
from clustersight.panels import backups
from clustersight.panels.panel import Status
from clustersight.settings.model import ClusterSettings
from clustersight.store import clusters, health_scores, snapshots
from clustersight.store.database import Database, sqlite_url
from exporter.fleet import Target
from exporter.last_backups import LastBackups
from exporter.recording import RUNNER
from tests.exporter.conftest import QUICK, new
from tests.servers.embedded import EmbeddedServer
from tests.servers.exporter import ExporterProcess
from tests.servers.process import wait_until

NOW = 1_800_000_000.0
DAY = timedelta(days=1)
AT = "clickhouse_cluster_backup_last_success_timestamp_seconds"
AGE = "clickhouse_backup_last_success_age_seconds"
OVERDUE = "clickhouse_backup_overdue"


def said(known: LastBackup, expected_every: timedelta | None) -> dict[str, float]:
    return {sample.metric.name: sample.value for sample in samples_of(known, expected_every, NOW)}


@pytest.mark.parametrize(
    ("age", "is_told", "every", "overdue"),
    [
        (86_400, True, DAY, 0),
        (86_401, True, DAY, 1),
        (-60, True, DAY, 0),
        (None, True, DAY, 1),
        (None, False, DAY, None),
        (None, True, None, None),
        (9e8, True, None, None),
    ],
)
def test_overdue(age: float | None, is_told: bool, every: timedelta | None, overdue: int | None) -> None:
    at = None if age is None else NOW - age
    found = said(LastBackup(at, is_told), every)
    assert found.get(OVERDUE) == overdue
    assert found.get(AT) == at
    assert found.get(AGE) == (None if age is None else max(0.0, age))


def test_the_newest_of_all_nodes_counts() -> None:
    known = LastBackup().newer(LastBackup(5.0, is_told=True)).newer(LastBackup(3.0, is_told=True))
    assert known == LastBackup(5.0, is_told=True)
    assert LastBackup(5.0, is_told=True).newer(LastBackup()) == known


@pytest.mark.parametrize(
    "known", [LastBackup(), LastBackup(None, is_told=True), LastBackup(NOW - 5, is_told=True)]
)
def test_what_a_snapshot_keeps(known: LastBackup) -> None:
    stored = [[s.metric.name, list(s.labels), s.value] for s in samples_of(known, DAY, NOW)]
    assert restored([["clickhouse_cluster_nodes_down", [], 0.0], *stored]) == known


def visited(status: Status, succeeded_at: float = 0.0) -> Target:
    """A node by the last run of the panel on it."""
    node = Node("main", "ch1", Address("ch1", 9000, Wire.NATIVE))
    session = Session(node.address)
    target = Target(
        ClusterSettings(name="main", host="ch1", port=9000), Watch(node, session, session), 0.0, 0.0
    )
    rows = (backups.Row(succeeded_at, 0.0, 0, 0, ""),) if status is Status.OK else ()
    target.runs[backups.NAME] = PanelRun(backups.PANEL, status, rows=rows)
    return target


def overdue(known: LastBackups, *targets: Target) -> float | None:
    found = {sample.metric.name: sample.value for sample in known.samples("main", targets, DAY, NOW)}
    return found.get(OVERDUE)


def test_of_the_nodes_of_a_cluster() -> None:
    known = LastBackups()
    late, never = visited(Status.OK, NOW - 90_000), visited(Status.OK)
    assert overdue(known, late, never) is None  # what the store knows may be newer
    known.restore("main", [[AT, [], NOW - 100]])
    assert overdue(known, late, never) == 0
    known.restore("main", [])
    assert overdue(known, never) == 1
    assert overdue(known, late, visited(Status.OK, NOW - 3600)) == 0
    assert overdue(known, never, visited(Status.TIMEOUT)) == 0


@pytest.mark.parametrize("status", [Status.DISABLED, Status.UNSUPPORTED])
def test_nobody_expects_one_where_nobody_asks(status: Status) -> None:
    known = LastBackups()
    known.restore("main", [[AT, [], NOW - 90_000]])
    assert overdue(known, visited(status)) is None
    assert overdue(known, visited(status), visited(Status.TIMEOUT)) == 1
    assert overdue(known) == 1


def test_it_is_kept_when_everybody_forgets(
    own_embedded: Callable[..., EmbeddedServer], exporter: Callable[..., ExporterProcess]
) -> None:
    """A restart of the server empties its table, and the exporter is started anew."""
    server = own_embedded()
    server.execute("BACKUP DATABASE default TO Null")
    collection = QUICK | {"tier2_every": 1}
    config = {"clusters": [new(server)], "collection": collection, "backups": {"expected_every": "1s"}}
    started = exporter(config)
    before = said_by(started, since=0.0)
    assert before[OVERDUE] == 1
    assert before[AT] == pytest.approx(time.time(), abs=60)

    started.stop()
    server.restart()
    assert server.execute("SELECT count() FROM system.backups") == [[0]]
    again = time.time()
    started.start()
    after = said_by(started, since=again)
    assert (after[AT], after[OVERDUE]) == (before[AT], 1)
    assert after[AGE] > before[AGE]


def said_by(exporter: ExporterProcess, since: float) -> dict[str, float]:
    """The cluster's own samples, once its score was made; and the score knows of the backup."""
    found: dict[str, float] = {}
    deductions: list[dict[str, Any]] = []
    with Database(sqlite_url(exporter.folder / "state")) as database:

        def is_there() -> bool:
            with database.read() as db:
                for cluster in clusters.active(db):
                    for one in snapshots.of_panel(db, cluster.id, RUNNER):
                        if not one.host and one.finished_at >= since:
                            found.update({family: value for family, _, value in one.samples})
                    score = health_scores.latest(db, cluster.id, time.time() + 60)
                    parts = score.explanation["components"] if score is not None else {}
                    deductions[:] = parts.get("errors", {}).get("deductions", [])
            return found.get(OVERDUE) == 1 and bool(deductions)

        wait_until(is_there, 30, "the cluster's own samples are stored")
    [of_backups] = [one for one in deductions if one["metric_key"] == "backups.age_seconds"]
    assert of_backups["points"] == 30
    assert of_backups["reason"].startswith("the newest backup is ")
    return found
