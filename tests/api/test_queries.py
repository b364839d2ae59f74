"""The query inspector over HTTP, on real servers."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.answers import bad, envelope, good

if TYPE_CHECKING:
    from tests.api.conftest import Client
    from tests.servers.clickhouse18 import ClickHouse18
    from tests.servers.embedded import EmbeddedServer

Clients = Callable[..., "Client"]


def watching(new_client: Clients, port: int, protocol: str, **more: Any) -> Client:
    """A client whose API watches a server that its configuration names."""
    cluster = {"name": "one", "host": "127.0.0.1", "port": port, "protocol": protocol, **more}
    client = new_client(clusters=[cluster])
    client.provision()
    return client


@pytest.fixture
def modern(new_client: Clients, embedded: EmbeddedServer) -> Client:
    return watching(new_client, embedded.port, "http", username="clustersight")


def test_slow_queries_have_no_literals_and_can_be_explained(modern: Client, embedded: EmbeddedServer) -> None:
    secret = uuid.uuid4().hex
    embedded.execute(f"SELECT sleep(0.1), '{secret}' AS remembered_by_test_queries")
    embedded.execute("SYSTEM FLUSH LOGS")

    answer = modern.get("/queries/slow?hours=1&limit=200")
    [mine] = [row for row in good(answer) if "remembered_by_test_queries" in row["query"]]
    assert mine["count"] >= 1
    assert mine["p95_ms"] >= 100
    assert mine["last_seen"].endswith("Z")
    assert secret not in answer.text
    assert list(envelope(answer)["meta"]["nodes"].values()) == ["ok"]

    embedded.execute("SELECT count() AS explained_by_test_queries FROM numbers(30000000)")
    embedded.execute("SYSTEM FLUSH LOGS")
    rows = good(modern.get("/queries/slow?hours=1&limit=200&sort=read_bytes"))
    [mine] = [row for row in rows if "explained_by_test_queries" in row["query"]]
    explained = good(modern.post("/queries/explain", {"query_hash": mine["query_hash"]}))
    assert explained["query_hash"] == mine["query_hash"]
    assert any("ReadFromSystemNumbers" in line or "Numbers" in line for line in explained["lines"])


def test_failed_queries_are_grouped_by_code(modern: Client, embedded: EmbeddedServer) -> None:
    with pytest.raises(Exception, match="UNKNOWN_TABLE"):
        embedded.execute("SELECT * FROM failed_by_test_queries")
    embedded.execute("SYSTEM FLUSH LOGS")

    found = {row["name"]: row for row in good(modern.get("/queries/failed?hours=1"))}

    assert found["UNKNOWN_TABLE"]["code"] == 60
    assert found["UNKNOWN_TABLE"]["count"] >= 1
    assert found["UNKNOWN_TABLE"]["last_seen"].endswith("Z")


def test_parts_are_counted_by_size(modern: Client, embedded: EmbeddedServer) -> None:
    embedded.execute("CREATE TABLE parts_by_test_queries (x UInt8) ENGINE = MergeTree ORDER BY x")
    try:
        embedded.execute("INSERT INTO parts_by_test_queries SELECT 1")
        rows = good(modern.get("/queries/parts-distribution?limit=500"))
    finally:
        embedded.execute("DROP TABLE parts_by_test_queries")

    [mine] = [row for row in rows if row["table"] == "parts_by_test_queries"]
    assert (mine["parts"], mine["rows"]) == (1, 1)
    assert mine["histogram"]["<1MB"] == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("hours=0", "validation_error"),
        ("hours=169", "validation_error"),
        ("limit=201", "validation_error"),
        ("sort=name", "validation_error"),
        ("sql=1", "validation_error"),
    ],
)
def test_wrong_parameters_are_refused(modern: Client, query: str, code: str) -> None:
    bad(modern.get(f"/queries/slow?{query}"), 422, code)


def test_an_unknown_hash_is_not_found_and_what_is_no_hash_is_invalid(modern: Client) -> None:
    bad(modern.post("/queries/explain", {"query_hash": "1"}), 404, "not_found")
    bad(modern.post("/queries/explain", {"query_hash": "1 OR 1=1"}), 422, "validation_error")
    bad(modern.post("/queries/explain", {"query_hash": "1", "kind": "ast"}), 422, "validation_error")


def test_an_old_server_says_that_it_cannot_explain(new_client: Clients, replicas: list[ClickHouse18]) -> None:
    old = watching(new_client, replicas[0].port, "native")
    # Slow, so that it is among the first however many the server has seen.
    replicas[0].execute("SELECT sleep(1) AS asked_by_test_queries")
    replicas[0].execute("SYSTEM FLUSH LOGS")

    rows = good(old.get("/queries/slow?hours=1&limit=200"))
    [mine] = [row for row in rows if "asked_by_test_queries" in row["query"]]

    bad(old.post("/queries/explain", {"query_hash": mine["query_hash"]}), 422, "not_explainable")


def test_a_server_that_is_down_is_503(new_client: Clients) -> None:
    down = watching(new_client, 1, "native")

    for path in ("slow", "failed", "parts-distribution"):
        bad(down.get(f"/queries/{path}"), 503, "clickhouse_unreachable")
    bad(down.post("/queries/explain", {"query_hash": "1"}), 503, "clickhouse_unreachable")


def test_without_a_cluster_there_is_nothing_to_ask(new_client: Clients) -> None:
    bad(new_client().get("/queries/slow"), 404, "no_cluster")
