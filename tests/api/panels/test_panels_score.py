"""The panel health-score: the exporter's, a live one, an earlier one, and none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from api.panels.scoring import HealthScore
from clustersight.store import health_scores
from clustersight.store.health_scores import StoredScore
from clustersight.times import iso
from tests.api.answers import bad, good, meta
from tests.api.conftest import Client
from tests.api.panels.conftest import Watching, new, old
from tests.api.panels.test_panels import only_id
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer

COMPONENTS = {"replication", "storage", "errors", "infrastructure", "queries"}


def explanation(score: float | None, at: float) -> dict[str, Any]:
    return {
        "overall_score": score, "grade": "B+" if score else None, "trend": "stable",
        "previous_score": 85.0, "components": {}, "calculated_at": iso(at),
    }  # fmt: skip


def store(client: Client, score: float | None, at: float) -> None:
    with client.store.database.begin() as db:
        health_scores.put(db, StoredScore(only_id(client), int(at), score, None, explanation(score, at)))


def check(data: Any) -> dict[str, Any]:
    TypeAdapter(HealthScore).validate_python(data)
    assert set(data) == set(HealthScore.model_fields)
    found: dict[str, Any] = data
    return found


def test_a_live_score_is_explained(watching: Watching, embedded: EmbeddedServer) -> None:
    client = watching.client(new(embedded))

    answer = client.get("/panels/health-score")

    data = check(good(answer))
    assert set(data["components"]) == COMPONENTS
    assert data["overall_score"] is not None
    assert sum(one["weight"] for one in data["components"].values()) == 100
    assert meta(answer)["cache_hit"] is False
    assert meta(answer)["status"] == {f"127.0.0.1:{embedded.port}": "ok"}
    assert meta(answer)["collected_at"] == data["calculated_at"]
    assert meta(client.get("/panels/health-score"))["cache_hit"] is True


def test_a_live_score_knows_of_a_node_that_is_down(watching: Watching, replicas: list[ClickHouse18]) -> None:
    client = watching.client(old(replicas[0], discover=True, logical_cluster="pair"))
    good(client.get("/panels/server"))

    replicas[1].kill()
    try:
        answer = client.get("/panels/health-score")
    finally:
        replicas[1].start()

    deductions = good(answer)["components"]["infrastructure"]["deductions"]
    assert any(one["metric_key"] == "server.up" for one in deductions), deductions
    assert set(meta(answer)["status"].values()) == {"ok", "error"}


def test_the_exporters_score_is_served_while_it_is_fresh(
    watching: Watching, embedded: EmbeddedServer
) -> None:
    client = watching.client(new(embedded), api={"cache_ttl_sec": 10})
    now = time.time()
    store(client, 87.4, now)

    fresh = client.get("/panels/health-score")
    client.time.now += 20
    live = client.get("/panels/health-score")

    assert check(good(fresh))["overall_score"] == 87.4
    assert meta(fresh)["cache_hit"] is True
    assert meta(live)["cache_hit"] is False
    assert good(live)["calculated_at"] != iso(now)


def test_an_earlier_score_is_what_was_published_then(watching: Watching, embedded: EmbeddedServer) -> None:
    client = watching.client(new(embedded))
    now = int(time.time())
    for hours, score in ((3, 70.0), (2, 80.0), (1, None)):
        store(client, score, now - 3600 * hours)

    def at(moment: float | str | None) -> Any:
        return good(client.get(f"/panels/health-score?at={moment}"))["overall_score"]

    assert at(now - 3 * 3600) == 70.0
    assert at(iso(now - 2 * 3600 + 60)) == 80.0
    assert at(now - 3600) is None
    assert meta(client.get(f"/panels/health-score?at={now - 3600}"))["stale"] is True
    bad(client.get(f"/panels/health-score?at={now - 4 * 3600}"), 404, "not_found")
    bad(client.get(f"/panels/health-score?at={now + 3 * 86400}"), 404, "not_found")


def test_without_any_node_there_is_no_score_but_the_last_by_max_age(
    watching: Watching, own_embedded: Callable[..., EmbeddedServer]
) -> None:
    server = own_embedded()
    client = watching.client(new(server))
    server.stop()
    now = time.time()
    store(client, 87.4, now - 300)
    store(client, None, now)  # what an exporter writes while nothing answers

    bad(client.get("/panels/health-score"), 503, "clickhouse_unreachable")
    last = client.get("/panels/health-score?max_age=3600")
    assert good(last)["overall_score"] == 87.4
    assert meta(last)["stale"] is True
    client.time.now += 3
    bad(client.get("/panels/health-score?max_age=60"), 503, "clickhouse_unreachable")
