"""What hangs costs nobody else anything: servers that accept and never answer, a Keeper, a Prometheus."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from api.live.rooms import PATIENCE_SECONDS, Crowded, Rooms
from api.live.visits import LIVE_SECONDS, Visits
from clustersight.addresses import address_of
from clustersight.clickhouse.session import Session
from clustersight.settings.cluster import ClusterSettings
from clustersight.store import clusters
from tests.api.answers import bad, good, meta
from tests.api.conftest import Client
from tests.api.panels.conftest import Watching, new, old
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.misbehaving import SilentPeer
from tests.servers.process import wait_until
from tests.servers.zookeeper import ZooKeeper

PANELS = ("disk", "server", "merges", "parts", "queries", "errors", "mutations", "replication")
# What an answer that waits for nothing takes, on a machine that is busy.
AT_ONCE_SECONDS = 2.0
# An answer may be put together for a moment after the deadline.
SLACK_SECONDS = 2.5


@pytest.fixture
def hung() -> Iterator[SilentPeer]:
    with SilentPeer() as peer:
        yield peer


def silent(peer: SilentPeer) -> dict[str, Any]:
    return {"name": "hung", "host": "127.0.0.1", "port": peer.port, "protocol": "http"}


def ids(client: Client) -> list[str]:
    with client.store.database.read() as db:
        return [one.id for one in clusters.active(db)]


def timed(client: Client, path: str) -> tuple[float, Any]:
    began = time.monotonic()
    answer = client.get(path)
    return time.monotonic() - began, answer


def test_one_hung_server_leaves_threads_for_everybody_else(
    watching: Watching, embedded: EmbeddedServer, hung: SilentPeer
) -> None:
    client = watching.client(silent(hung), new(embedded))
    first, second = ids(client)

    with ThreadPoolExecutor(24) as threads:
        asked = [
            threads.submit(timed, client, f"/panels/{PANELS[n % len(PANELS)]}?cluster_id={first}")
            for n in range(24)
        ]
        wait_until(lambda: sum(one.done() for one in asked) >= 16, 5, "only eight wait")
        waited, answer = timed(client, f"/panels/disk?cluster_id={second}")
        assert good(answer)
        assert waited < AT_ONCE_SECONDS
        found = [one.result() for one in asked]

    for seconds, refused in found:
        bad(refused, 503, "clickhouse_unreachable")
        assert seconds < LIVE_SECONDS + SLACK_SECONDS
    assert sum("Retry-After" in refused.headers for _, refused in found) >= 16


def test_what_one_panel_found_out_the_others_and_the_other_workers_know(
    watching: Watching, hung: SilentPeer
) -> None:
    workers = [watching.client(silent(hung)) for _ in range(2)]

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda worker: timed(worker, "/panels/disk"), workers))
    for seconds, answer in found:
        bad(answer, 503, "clickhouse_unreachable")
        assert seconds < LIVE_SECONDS + SLACK_SECONDS
    accepted = hung.accepted
    for worker in workers:
        for panel in PANELS:
            seconds, answer = timed(worker, f"/panels/{panel}")
            assert str(hung.port) in bad(answer, 503, "clickhouse_unreachable")["message"]
            if hung.accepted > accepted:
                break
            assert seconds < AT_ONCE_SECONDS
    assert hung.accepted == accepted


def test_a_hung_history_is_asked_once(watching: Watching, embedded: EmbeddedServer, hung: SilentPeer) -> None:
    client = watching.client(
        new(embedded), history={"prometheus_url": f"http://127.0.0.1:{hung.port}"}, api={"cache_ttl_sec": 60}
    )
    bad(client.get("/panels/merges"), 503, "history_unavailable")
    accepted = hung.accepted

    seconds, answer = timed(client, "/panels/merges?range=6h")

    bad(answer, 503, "history_unavailable")
    assert seconds < AT_ONCE_SECONDS
    assert hung.accepted == accepted


def test_a_room_has_its_size_and_those_outside_wait_a_moment_only() -> None:
    rooms = Rooms(None)  # type: ignore[arg-type]
    with rooms.room("a", 1):
        with rooms.room("b", 1):
            pass
        began = time.monotonic()
        with pytest.raises(Crowded), rooms.room("a", 1):
            pass
        assert time.monotonic() - began >= PATIENCE_SECONDS
        began = time.monotonic()
        with pytest.raises(Crowded), rooms.room("a", 1):
            pass
        assert time.monotonic() - began < PATIENCE_SECONDS
    with rooms.room("a", 1):
        pass


def pair(replicas: list[ClickHouse18], **more: Any) -> dict[str, Any]:
    return old(replicas[0], discover=True, logical_cluster="pair", **more)


def test_a_panel_of_one_node_leaves_the_others_connected(
    watching: Watching, replicas: list[ClickHouse18], zookeeper: ZooKeeper
) -> None:
    client = watching.client(pair(replicas, keeper_nodes=[f"127.0.0.1:{zookeeper.port}"]))
    assert len(meta(client.get("/panels/server"))["status"]) == 2
    watches = client.app.extensions["clustersight"].of(Visits).watches
    good(client.get("/panels/keeper-nodes"))

    assert {key.address.port for key in watches._seats} == {server.port for server in replicas}


@contextmanager
def question(server: ClickHouse18, seconds: float) -> Iterator[None]:
    """Somebody else's question to Keeper, as the server sees it."""
    settings = ClusterSettings.model_validate(old(server))
    session = Session(address_of(settings))
    looking = Session(address_of(settings))
    asking = threading.Thread(
        target=lambda: session.run(
            f"SELECT sleep({seconds})", timeout_seconds=10, query_id="clustersight-keeper-other"
        )
    )
    asking.start()
    try:
        wait_until(lambda: looking.still_runs("clustersight-keeper-", 3), 5, "it runs")
        yield
    finally:
        asking.join()
        session.close()
        looking.close()


@pytest.mark.parametrize(("seconds", "status"), [(3, "OFFLINE"), (0.15, "ONLINE")])
def test_keeper_is_not_asked_while_another_process_waits_for_it(
    watching: Watching, replicas: list[ClickHouse18], seconds: float, status: str
) -> None:
    client = watching.client(old(replicas[0]), api={"cache_ttl_sec": 5})
    assert [row["status"] for row in good(client.get("/panels/keeper"))] == ["ONLINE"]
    client.time.now += 6

    with question(replicas[0], seconds):
        assert [row["status"] for row in good(client.get("/panels/keeper"))] == [status]
