"""GET /overview: every cluster at a glance, over what the exporter stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter

from api.collector import CollectionState, CollectorStatus, collection_state, collector_status
from api.resources.overview import ClusterOverviewItem
from clustersight.ids import Prefix, new_id
from clustersight.settings.model import CollectionSettings
from clustersight.store import alert_schema, clusters
from clustersight.store.nodes import StoredNode
from clustersight.store.snapshots import Snapshot
from tests.api.answers import good
from tests.api.conftest import Client
from tests.api.panels.conftest import Watching, new, old
from tests.api.panels.test_panels import only_id
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer

COLLECTION = CollectionSettings(interval_sec=10, tier2_every=3)
NOW = 1_000_000.0


def overview(client: Client) -> list[dict[str, Any]]:
    data = good(client.get("/overview"))
    TypeAdapter(list[ClusterOverviewItem]).validate_python(data)
    assert all(set(item) == set(ClusterOverviewItem.model_fields) for item in data)
    found: list[dict[str, Any]] = data
    return found


def test_without_clusters_it_is_empty(watching: Watching) -> None:
    assert overview(watching.client()) == []


def test_a_cluster_that_nobody_has_visited_is_pending(watching: Watching, embedded: EmbeddedServer) -> None:
    [item] = overview(watching.client(new(embedded)))

    assert item | {"id": ""} == {
        "id": "", "name": "new", "host": "127.0.0.1", "port": embedded.port, "health_score": None,
        "grade": None, "active_alert_count": 0, "alert_counts": {"warning": 0, "critical": 0},
        "collector_status": "pending", "collection_state": "failed", "last_collected_at": None,
        "logical_cluster_count": 0, "version": None,
    }  # fmt: skip


def test_a_watched_cluster_is_online_and_goes_offline_with_its_collector(
    watching: Watching, embedded: EmbeddedServer
) -> None:
    watching.export(new(embedded)).stop()
    client = watching.client(new(embedded))

    [item] = overview(client)
    assert (item["collector_status"], item["collection_state"]) == ("online", "full")
    assert item["health_score"] > 0
    assert item["grade"]
    assert item["version"].startswith("26.")
    assert item["last_collected_at"] is not None

    client.time.now += 35  # five intervals of tier 1 are over, those of tier 2 are not
    [item] = overview(client)
    assert (item["collector_status"], item["collection_state"]) == ("offline", "partial")
    assert (item["health_score"], item["grade"]) == (None, None)
    client.time.now += 30
    assert overview(client)[0]["collection_state"] == "failed"


def test_18_16_has_all_that_it_can_have(watching: Watching, replicas: list[ClickHouse18]) -> None:
    watching.export(old(replicas[0], discover=True, logical_cluster="pair")).stop()

    [item] = overview(watching.client(old(replicas[0])))

    assert item["collection_state"] == "full"
    assert item["version"].startswith("18.16")
    assert item["logical_cluster_count"] == 1


def test_a_node_that_went_down_is_offline_although_it_is_visited(
    watching: Watching, own_embedded: Callable[..., EmbeddedServer]
) -> None:
    server = own_embedded()
    started = watching.export(new(server))
    client = watching.client(new(server))
    server.stop()
    started.wait_for(lambda: overview(client)[0]["collector_status"] == "offline", "it is offline")
    started.wait_for(lambda: overview(client)[0]["health_score"] is None, "there is no score of nothing")


def test_unresolved_alerts_are_counted_by_severity(watching: Watching, embedded: EmbeddedServer) -> None:
    client = watching.client(new(embedded))
    kinds = [
        ("warning", "active"),
        ("critical", "active"),
        ("critical", "acknowledged"),
        ("critical", "resolved"),
    ]
    with client.store.database.begin() as db:
        for number, (severity, status) in enumerate(kinds):
            db.execute(
                alert_schema.alerts.insert().values(
                    id=new_id(Prefix.ALERT), rule_id=new_id(Prefix.RULE), rule_name="r", status=status,
                    cluster_id=only_id(client), fingerprint=str(number), severity=severity, fired_at=1.0,
                    detail_json="{}",
                )
            )  # fmt: skip

    [item] = overview(client)

    assert item["active_alert_count"] == 3
    assert item["alert_counts"] == {"warning": 1, "critical": 2}


def test_deleted_clusters_are_not_in_it_and_the_oldest_comes_first(
    watching: Watching, embedded: EmbeddedServer, replicas: list[ClickHouse18]
) -> None:
    client = watching.client(new(embedded), old(replicas[0]))
    with client.store.database.read() as db:
        first, second = (cluster.name for cluster in clusters.active(db))
    assert [item["name"] for item in overview(client)] == [first, second]

    with client.store.database.begin() as db:
        clusters.delete(db, only_id(client), time.time())

    assert [item["name"] for item in overview(client)] == [second]


def node(*, up: bool = True, ago: float = 1) -> StoredNode:
    return StoredNode("cl", "h", "h", 1, True, up, NOW - ago)


@pytest.mark.parametrize(
    ("nodes", "status"),
    [
        ([], CollectorStatus.PENDING),
        ([node()], CollectorStatus.ONLINE),
        ([node(up=False)], CollectorStatus.OFFLINE),
        ([node(up=False), node()], CollectorStatus.ONLINE),
        ([node(ago=51)], CollectorStatus.OFFLINE),
        ([node(ago=50)], CollectorStatus.ONLINE),
    ],
)
def test_collector_status(nodes: list[StoredNode], status: CollectorStatus) -> None:
    assert collector_status(nodes, NOW, COLLECTION) is status


def run(panel: str, status: str = "ok", ago: float | None = 1.0) -> Snapshot:
    collected_at = None if ago is None else NOW - ago
    return Snapshot("cl", panel, "h", status, "", NOW, 0.1, 0, collected_at, [], [])


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ([], CollectionState.FAILED),
        ([run("disk")], CollectionState.FULL),
        ([run("disk"), run("errors", "unsupported", None)], CollectionState.FULL),
        ([run("disk"), run("errors", "disabled", None)], CollectionState.FULL),
        ([run("disk"), run("errors", "access_denied", None)], CollectionState.PARTIAL),
        ([run("errors", "access_denied", None)], CollectionState.FAILED),
        ([run("disk", ago=51)], CollectionState.FAILED),
        ([run("disk", "error", 49)], CollectionState.FULL),  # one failure is no trend
        ([run("disk", ago=51), run("compression", ago=149)], CollectionState.PARTIAL),
        ([run("compression", ago=151)], CollectionState.FAILED),
        ([run("collector")], CollectionState.FAILED),  # the runner's own samples are no panel
    ],
)
def test_collection_state(states: list[Snapshot], state: CollectionState) -> None:
    assert collection_state(states, NOW, COLLECTION) is state
