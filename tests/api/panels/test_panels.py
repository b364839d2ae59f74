"""The routes of the panels on real servers: shapes, freshness, and what is answered on bad days."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter

from api.panels import routes
from api.panels.board import Board
from api.panels.composing import Composed, Composing
from api.panels.routes import PanelRoute
from api.panels.shapes import RangeData
from clustersight import panels
from clustersight.clickhouse.sql import ident
from clustersight.panels import disk
from clustersight.store import clusters
from tests.api.answers import bad, good, meta
from tests.api.conftest import Client
from tests.api.panels.conftest import QUICK, Watching, new, old
from tests.panels.tables import HOSTILE, database, insert, make_table
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.zookeeper import ZooKeeper

# spec/api.md, "Panels".
SPEC = {
    "replication": "host database table lag_seconds lag_unknown is_readonly readonly_since is_session_expired"
    " queue_size inserts_in_queue merges_in_queue oldest_task_age_seconds stuck_tasks last_exception status",
    "merges": "host database table result_part elapsed_seconds progress eta_seconds num_parts size_bytes"
    " memory_bytes is_mutation",
    "disk": "host disk path type used_bytes free_bytes unreserved_bytes total_bytes usage_pct is_broken"
    " is_read_only full_in_hours",
    "mutations": "host database table mutation_id command created_at age_seconds parts_to_do parts_done_pct"
    " is_stuck is_failing latest_fail_reason latest_failed_part fix_command",
    "broken-parts": "host database table reason reason_class count bytes",
    "keeper": "status host session_uptime_seconds connected_to last_error",
    "keeper-nodes": "node host port status state latency_ms role version outstanding_requests znode_count"
    " ephemerals watches followers synced_followers error",
    "zookeeper": "host sessions session_expired watches requests_in_flight transactions_per_sec"
    " hardware_exceptions_per_min user_exceptions_per_min wait_ms_avg",
    "compression": "host database table compressed_bytes uncompressed_bytes ratio ratio_pct rows",
    "errors": "name code count_in_range total last_error_time last_error_message remote is_critical",
}
META = {
    "cluster_id", "collected_at", "status", "errors", "unsupported", "cache_hit", "age_sec", "stale",
}  # fmt: skip


def rows_of(route: PanelRoute, data: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = data["current"] if issubclass_of_range(route) else data
    return rows


def issubclass_of_range(route: PanelRoute) -> bool:
    return isinstance(route.data, type) and issubclass(route.data, RangeData)


def check(route: PanelRoute, data: Any) -> list[dict[str, Any]]:
    """The rows, which are what the document says, and no field of them is missing or unknown."""
    TypeAdapter(route.data).validate_python(data, strict=False)
    rows = rows_of(route, data)
    shape = route.data.model_fields["current"].annotation if issubclass_of_range(route) else route.data
    [row_type] = shape.__args__
    for row in rows:
        assert set(row) == set(row_type.model_fields), route.panel.name
        assert set(SPEC.get(route.panel.name, "").split()) <= set(row), route.panel.name
    return rows


def only_id(client: Client) -> str:
    with client.store.database.read() as db:
        return clusters.active(db)[0].id


def test_every_panel_has_its_route() -> None:
    assert {route.panel for route in routes.ALL} == set(panels.ALL)


def test_each_panel_answers_live_as_the_document_says(watching: Watching, embedded: EmbeddedServer) -> None:
    client = watching.client(new(embedded))

    with database(embedded) as name:
        quoted = make_table(embedded, (name, HOSTILE))
        insert(embedded, quoted, 2)
        embedded.execute(f"ALTER TABLE {quoted} DETACH PARTITION 202001")
        insert(embedded, quoted)
        embedded.execute(
            f"ALTER TABLE {quoted} UPDATE s = toString(throwIf(a = 0, 'no')) WHERE 1", mutations_sync=0
        )
        rows = {}
        for route in routes.ALL:
            answer = client.get(f"/panels/{route.panel.name}")
            rows[route.panel.name] = check(route, good(answer))
            found = meta(answer)
            assert set(found) >= META
            assert found["cluster_id"] == only_id(client)
            assert found["cache_hit"] is False
            assert found["stale"] is False
            assert set(found["status"].values()) <= {"ok", "unsupported"}, (route.panel.name, found)
    mine = {"database": name, "table": HOSTILE, "host": f"127.0.0.1:{embedded.port}"}
    for panel in ("mutations", "broken-parts", "compression"):
        assert any(mine.items() <= row.items() for row in rows[panel]), panel
    assert rows["disk"][0]["used_bytes"] > 0
    assert rows["server"][0]["version"].startswith("26.")


def test_a_live_answer_is_kept_for_the_cache_ttl_and_no_longer(
    watching: Watching, embedded: EmbeddedServer
) -> None:
    client = watching.client(new(embedded), api={"cache_ttl_sec": 30})

    first = meta(client.get("/panels/disk"))
    second = meta(client.get("/panels/disk"))
    client.time.now += 31
    third = meta(client.get("/panels/disk"))

    assert (first["cache_hit"], second["cache_hit"], third["cache_hit"]) == (False, True, False)
    assert second["collected_at"] == first["collected_at"]
    assert second["age_sec"] >= first["age_sec"]


def test_a_cache_of_nothing_asks_every_time(watching: Watching, embedded: EmbeddedServer) -> None:
    client = watching.client(new(embedded), api={"cache_ttl_sec": 0})

    assert [meta(client.get("/panels/disk"))["cache_hit"] for _ in range(3)] == [False] * 3


def asked(server: EmbeddedServer, since: float) -> int:
    """How often the panel disk has asked the server since a moment."""
    server.execute("SYSTEM FLUSH LOGS")
    [[count]] = server.execute(
        "SELECT count() FROM system.query_log WHERE type = 1 AND query LIKE '%FROM system.disks%'"
        f" AND query NOT LIKE '%query_log%'"
        f" AND toUnixTimestamp64Micro(event_time_microseconds) >= {since * 1e6:.0f}"
    )
    return int(count)


def test_those_who_ask_at_once_share_one_run_and_so_do_the_workers_of_an_api(
    watching: Watching, embedded: EmbeddedServer
) -> None:
    workers = [watching.client(new(embedded)) for _ in range(2)]
    began = time.time()
    answers: list[Any] = []
    start = threading.Barrier(12)

    def ask(client: Client) -> None:
        start.wait()
        answers.append(client.get("/panels/disk"))

    threads = [threading.Thread(target=ask, args=(workers[n % 2],)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({good(answer)[0]["free_bytes"] for answer in answers}) == 1
    assert asked(embedded, began) == 1
    assert all(meta(worker.get("/panels/disk"))["cache_hit"] for worker in workers)


def test_what_the_exporter_stored_is_served_without_asking(
    watching: Watching, embedded: EmbeddedServer
) -> None:
    watching.export(new(embedded)).stop()
    client = watching.client(new(embedded))
    began = time.time()

    answers = {route.panel.name: client.get(f"/panels/{route.panel.name}") for route in routes.ALL}

    for route in routes.ALL:
        check(route, good(answers[route.panel.name]))
        assert meta(answers[route.panel.name])["cache_hit"] is True, route.panel.name
    assert asked(embedded, began) == 0


def test_a_panels_own_interval_decides_how_long_it_is_fresh(
    watching: Watching, embedded: EmbeddedServer
) -> None:
    # Tier 2 every minute: a loaded machine takes seconds to stop the exporter.
    slow = {**QUICK, "tier2_every": 12}
    watching.export(new(embedded), collection=slow).stop()
    client = watching.client(new(embedded), api={"cache_ttl_sec": 0}, collection=slow)

    client.time.now += 6  # beyond the 5 s of tier 1, within the 60 s of tier 2

    assert meta(client.get("/panels/disk"))["cache_hit"] is False
    assert meta(client.get("/panels/compression"))["cache_hit"] is True


def snapshot_of(data: Any) -> Any:
    """What comes from the snapshot alone: history moves on."""
    if not isinstance(data, dict):
        return [{name: value for name, value in row.items() if name != "full_in_hours"} for row in data]
    if "current" not in data:
        return data
    return [
        {name: value for name, value in row.items() if name != "count_in_range"} for row in data["current"]
    ]


def test_stopped_one_after_the_other_fresh_live_503_and_stale_by_max_age(
    watching: Watching, own_embedded: Callable[..., EmbeddedServer]
) -> None:
    server = own_embedded()
    watching.export(new(server)).stop()
    client = watching.client(new(server))
    names = [
        "health-score",
        *(route.panel.name for route in routes.ALL if route.panel.name != "keeper-nodes"),
    ]

    data = {name: good(client.get(f"/panels/{name}")) for name in names}
    fresh = {name: meta(client.get(f"/panels/{name}")) for name in names}
    client.time.now += 600
    live = {name: meta(client.get(f"/panels/{name}")) for name in names}
    server.stop()
    client.time.now += 600

    for name in names:
        assert (fresh[name]["cache_hit"], fresh[name]["stale"]) == (True, False), name
        assert (live[name]["cache_hit"], live[name]["stale"]) == (False, False), name
        error = bad(client.get(f"/panels/{name}"), 503, "clickhouse_unreachable")
        assert str(server.port) in error["message"]
        last = client.get(f"/panels/{name}?max_age=3600")
        assert meta(last)["stale"] is True, name
        assert 1200 <= meta(last)["age_sec"] < 1300
        assert snapshot_of(good(last)) == snapshot_of(data[name]), name
        bad(client.get(f"/panels/{name}?max_age=600"), 503, "clickhouse_unreachable")


def test_a_server_that_comes_back_is_seen_at_once(
    watching: Watching, own_embedded: Callable[..., EmbeddedServer]
) -> None:
    server = own_embedded()
    client = watching.client(new(server))
    server.stop()
    bad(client.get("/panels/disk"), 503, "clickhouse_unreachable")

    server.start()
    client.time.now += 2

    assert good(client.get("/panels/disk"))


def pair(replicas: list[ClickHouse18], **more: Any) -> dict[str, Any]:
    return old(replicas[0], discover=True, logical_cluster="pair", **more)


def test_one_of_two_nodes_down_is_said_and_its_rows_are_left_out(
    watching: Watching, replicas: list[ClickHouse18]
) -> None:
    client = watching.client(pair(replicas))
    first, second = (f"127.0.0.1:{server.port}" for server in replicas)

    both = client.get("/panels/server")
    assert [row["host"] for row in good(both)] == [first, second]
    replicas[1].kill()
    try:
        client.time.now += 60
        one = client.get("/panels/server")
        assert [row["host"] for row in good(one)] == [first]
        assert meta(one)["status"] == {first: "ok", second: "error"}
        assert "refused" in meta(one)["errors"][second]
    finally:
        replicas[1].start()


def test_what_is_of_the_whole_cluster_is_asked_of_one_node(
    watching: Watching, replicas: list[ClickHouse18], zookeeper: ZooKeeper
) -> None:
    client = watching.client(pair(replicas, keeper_nodes=[f"127.0.0.1:{zookeeper.port}"]))

    answer = client.get("/panels/keeper-nodes")

    assert meta(answer)["status"] == {f"127.0.0.1:{replicas[0].port}": "ok"}
    [row] = good(answer)
    assert (row["host"], row["port"], row["status"], row["state"]) == (
        "127.0.0.1", zookeeper.port, 1, "standalone",
    )  # fmt: skip


def test_every_node_says_how_it_stands_with_keeper(watching: Watching, replicas: list[ClickHouse18]) -> None:
    client = watching.client(pair(replicas))

    rows = good(client.get("/panels/keeper"))

    assert [row["status"] for row in rows] == ["ONLINE", "ONLINE"]
    assert {row["host"] for row in rows} == {f"127.0.0.1:{server.port}" for server in replicas}


def test_a_node_that_the_exporter_found_down_is_not_mixed_in(
    watching: Watching, replicas: list[ClickHouse18]
) -> None:
    started = watching.export(pair(replicas))
    first, second = (f"127.0.0.1:{server.port}" for server in replicas)
    client = watching.client(pair(replicas))
    started.wait_for(lambda: len(good(client.get("/panels/server"))) == 2, "both are stored")

    replicas[1].kill()
    try:
        started.wait_for(
            lambda: meta(client.get("/panels/server"))["status"] == {first: "ok", second: "error"},
            "the node is known to be down",
        )
        answer = client.get("/panels/server")
        assert meta(answer)["cache_hit"] is True
        assert [row["host"] for row in good(answer)] == [first]
    finally:
        replicas[1].start()


def test_what_a_version_lacks_is_said_with_the_reason(
    watching: Watching, replicas: list[ClickHouse18]
) -> None:
    client = watching.client(old(replicas[0]))

    answer = client.get("/panels/disk")

    assert good(answer) == []
    assert meta(answer)["unsupported"] == "system.disks is not in ClickHouse 18.16.1"
    assert set(meta(answer)["status"].values()) == {"unsupported"}
    errors = client.get("/panels/errors")
    assert good(errors)["current"] == []
    assert "18.16" in meta(errors)["unsupported"]


def test_replicas_on_18_16_have_their_rows(watching: Watching, replicas: list[ClickHouse18]) -> None:
    client = watching.client(pair(replicas))
    with database(replicas[0]) as name, database(replicas[1], name) as other:
        for server, where in ((replicas[0], name), (replicas[1], other)):
            server.execute(
                f"CREATE TABLE {ident(where, HOSTILE)} (d Date, a Int32) ENGINE ="
                f" ReplicatedMergeTree('/clickhouse/tables/{name}', '{server.port}', d, a, 8192)"
            )
        answer = client.get("/panels/replication?range=6h")
        for server, where in ((replicas[0], name), (replicas[1], other)):
            server.execute(f"DROP TABLE {ident(where, HOSTILE)}")
    [route] = [route for route in routes.ALL if route.panel.name == "replication"]
    rows = [row for row in check(route, good(answer)) if row["table"] == HOSTILE]
    assert {row["host"] for row in rows} == {f"127.0.0.1:{server.port}" for server in replicas}
    assert all(row["status"] == "ok" for row in rows)


def test_a_missing_grant_is_403_with_the_statement(
    watching: Watching, own_embedded: Callable[..., EmbeddedServer]
) -> None:
    server = own_embedded(grants=["GRANT SELECT ON system.*"])
    client = watching.client(new(server))

    server.execute("SELECT 1")
    error = bad(client.get("/panels/broken-parts"), 403, "permission_denied")

    assert "GRANT SHOW TABLES" in error["message"]
    assert good(client.get("/panels/disk"))


def test_a_disabled_panel_is_not_asked(watching: Watching, embedded: EmbeddedServer) -> None:
    client = watching.client(new(embedded, panels={"disk": {"enabled": False}}))

    answer = client.get("/panels/disk")

    assert good(answer) == []
    assert set(meta(answer)["status"].values()) == {"disabled"}


def test_the_cluster_is_chosen_by_its_id_or_is_the_oldest(
    watching: Watching, embedded: EmbeddedServer, replicas: list[ClickHouse18]
) -> None:
    client = watching.client(new(embedded), old(replicas[0]))
    with client.store.database.read() as db:
        first, second = (cluster.id for cluster in clusters.active(db))

    assert meta(client.get("/panels/server"))["cluster_id"] == first
    assert meta(client.get(f"/panels/server?cluster_id={second}"))["cluster_id"] == second
    bad(client.get("/panels/server?cluster_id=cl_000000000000"), 404, "not_found")
    bad(client.get("/panels/server?cluster_id=nonsense"), 422, "validation_error")
    with client.store.database.begin() as db:
        clusters.delete(db, first, time.time())
    client.time.now += 1
    bad(client.get(f"/panels/server?cluster_id={first}"), 404, "not_found")
    assert meta(client.get("/panels/server"))["cluster_id"] == second


def test_without_clusters_there_is_nothing_to_ask(watching: Watching) -> None:
    client = watching.client()

    for path in ("/panels", "/panels/disk", "/panels/health-score"):
        bad(client.get(path), 404, "no_cluster")


@pytest.mark.parametrize(
    "query",
    ["replication?range=2h", "merges?range=3600", "errors?range=59", "errors?range=604801", "errors?range=1h",
     "disk?range=1h", "disk?max_age=-1", "disk?max_age=x", "compression?limit=0", "health-score?at=soon",
     "health-score?at=2026-03-22T14:00:00", "health-score?at=0001-01-01T00:00:00%2B23:59"],
)  # fmt: skip
def test_wrong_parameters_are_422(watching: Watching, embedded: EmbeddedServer, query: str) -> None:
    client = watching.client(new(embedded))

    bad(client.get(f"/panels/{query}"), 422, "validation_error")


@pytest.mark.parametrize("value", ["59", "604801", "24h", "60.5", "", "true"])
def test_a_wrong_range_of_seconds_says_which_are_right(
    watching: Watching, embedded: EmbeddedServer, value: str
) -> None:
    client = watching.client(new(embedded))

    error = bad(client.get(f"/panels/errors?range={value}"), 422, "validation_error")

    assert error["detail"] == [
        {"path": "range", "message": "must be seconds, a whole number from 60 to 604800"}
    ]


def test_the_largest_tables_come_first(watching: Watching, embedded: EmbeddedServer) -> None:
    client = watching.client(new(embedded))
    with database(embedded) as name:
        for number in range(3):
            quoted = make_table(embedded, (name, f"t{number}"))
            insert(embedded, quoted, select=f"number, toString(number) FROM numbers({10 ** (number + 3)})")
        one = good(client.get("/panels/compression?limit=1"))
        many = good(client.get("/panels/compression?limit=1000"))
    assert len(one) == 1
    assert one == many[:1]
    sizes = [row["uncompressed_bytes"] for row in many]
    assert sizes == sorted(sizes, reverse=True)


def test_a_cluster_of_another_file_is_a_clear_503(watching: Watching, embedded: EmbeddedServer) -> None:
    watching.client(new(embedded))
    client = watching.client(provisioned=False)

    error = bad(client.get("/panels/disk"), 503, "clickhouse_unreachable")

    assert "configuration file" in error["message"]


def test_rows_are_rendered_once(watching: Watching, embedded: EmbeddedServer) -> None:
    watching.export(new(embedded)).stop()
    client = watching.client(new(embedded))
    good(client.get("/panels/disk"))
    context = client.app.extensions["clustersight"]
    shelf = context.of(Board)._shelf
    [key] = shelf._items

    before = shelf.get(key)
    good(client.get("/panels/disk"))

    assert shelf.get(key) is before


def test_while_an_answer_is_put_together_the_one_before_it_is_given(
    watching: Watching, embedded: EmbeddedServer
) -> None:
    watching.export(new(embedded)).stop()
    client = watching.client(new(embedded))
    begun, go = threading.Event(), threading.Event()
    made: list[int] = []

    def compose(_: Composing) -> Composed:
        made.append(1)
        if len(made) > 1:
            begun.set()
            go.wait(30)
        return Composed(len(made), seconds=0)

    def ask() -> bytes:
        with client.app.app_context():
            board = client.app.extensions["clustersight"].of(Board)
            answer = board.answer(None, disk.PANEL, compose, "slow", None)
        json: bytes = answer.data.json
        return json

    assert ask() == b"1"
    slow = threading.Thread(target=ask)
    slow.start()
    begun.wait(30)
    try:
        assert ask() == b"1"
    finally:
        go.set()
        slow.join()
    assert len(made) == 2


def test_the_list_says_how_each_panel_is(watching: Watching, replicas: list[ClickHouse18]) -> None:
    client = watching.client(old(replicas[0]))
    never = {row["name"]: row for row in good(client.get("/panels"))}
    assert never["disk"]["supported"] is None
    assert never["disk"]["last_run"] is None

    watching.export(old(replicas[0])).stop()
    client.time.now += 1
    rows = {row["name"]: row for row in good(client.get("/panels"))}

    assert set(rows) == {"health-score", *(panel.name for panel in panels.ALL)}
    assert rows["disk"]["supported"] is False
    assert rows["server"]["supported"] is True
    assert rows["server"]["status"] == {f"127.0.0.1:{replicas[0].port}": "ok"}
    assert rows["server"]["tier"] == 1
    assert rows["compression"]["interval_sec"] == 10
    assert rows["health-score"]["last_run"] is not None
    for row in rows.values():
        good(client.ask("GET", row["path"]))
