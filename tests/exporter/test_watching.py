"""The exporter against real servers on good and on bad days."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from importlib.resources import files

import pytest
import yaml

from clustersight.panels import NAMES
from tests.exporter.conftest import QUICK, new, old
from tests.servers.clickhouse18 import ClickHouse18, Options
from tests.servers.embedded import EmbeddedServer
from tests.servers.exporter import ExporterProcess
from tests.servers.misbehaving import DrippingPeer, SilentPeer
from tests.servers.process import free_port
from tests.servers.prometheus import Prometheus, promtool

Exporters = Callable[..., ExporterProcess]


def test_every_panel_of_both_ends_of_the_version_range_has_one_status(
    exporter: Exporters, replicas: list[ClickHouse18], embedded: EmbeddedServer
) -> None:
    running = exporter({"clusters": [old(replicas[0]), new(embedded)], "collection": QUICK})
    running.wait_collected()

    statuses = {
        cluster: {
            dict(labels)["panel"]: dict(labels)["status"]
            for name, labels in running.series()
            if name == "clustersight_panel_status" and ("cluster", cluster) in labels
        }
        for cluster in ("old", "new")
    }

    for cluster in ("old", "new"):
        assert set(statuses[cluster]) == set(NAMES)
        assert set(statuses[cluster].values()) <= {"ok", "unsupported"}, statuses[cluster]
    assert statuses["old"]["disk"] == "unsupported"
    assert statuses["new"]["disk"] == "ok"


def test_promtool_has_nothing_to_say(
    exporter: Exporters, replicas: list[ClickHouse18], embedded: EmbeddedServer
) -> None:
    running = exporter({"clusters": [old(replicas[0]), new(embedded)], "collection": QUICK})
    running.wait_collected()

    answer = promtool("check", "metrics", input=running.get("/metrics").text)

    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_prometheus_scrapes_the_page_of_hostile_names(
    exporter: Exporters, embedded: EmbeddedServer, own_prometheus: Callable[..., Prometheus]
) -> None:
    name = 'quote" line\n back\\ 😀 <!channel> <script>'
    sql = "`" + name.replace("\\", "\\\\").replace("`", "\\`").replace("\n", "\\n") + "`"
    embedded.execute(f"CREATE DATABASE {sql}")
    try:
        embedded.execute(f"CREATE TABLE {sql}.{sql} (x UInt8) ENGINE = MergeTree ORDER BY x")
        embedded.execute(f"INSERT INTO {sql}.{sql} VALUES (1)")
        embedded.execute(f"ALTER TABLE {sql}.{sql} DETACH PARTITION ID 'all'")
        running = exporter({"clusters": [new(embedded)], "collection": QUICK})
        running.wait_collected()
        running.wait_for(lambda: "<!channel>" in running.get("/metrics").text, "the table is on the page")
        prometheus = own_prometheus(shipped_prometheus_config(running.url.removeprefix("http://")))

        running.wait_for(
            lambda: any(
                row["metric"].get("table") == name for row in prometheus.query("clickhouse_detached_parts")
            ),
            "Prometheus knows the table by its true name",
        )

        assert prometheus.query("up")[0]["value"][1] == "1"
        assert "<script>" not in running.get("/").text
    finally:
        embedded.execute(f"DROP DATABASE {sql}")


def shipped_prometheus_config(target: str) -> dict:
    """The exporter's job of config/prometheus/prometheus.yml, but for the target and the interval."""
    config = yaml.safe_load(files("config").joinpath("prometheus/prometheus.yml").read_text())
    config["global"]["scrape_interval"] = "1s"
    job = config["scrape_configs"][0]
    job["static_configs"] = [{"targets": [target]}]
    return {"global": config["global"], "scrape_configs": [job]}


def test_a_frozen_server_is_down_within_two_intervals_and_its_neighbour_stays_fresh(
    exporter: Exporters, own_clickhouse18: Callable[..., ClickHouse18]
) -> None:
    first, second = own_clickhouse18(Options(replica="1")), own_clickhouse18(Options(replica="2"))
    running = exporter({"clusters": [old(first, "one"), old(second, "two")], "collection": QUICK})
    running.wait_collected()
    running.wait_for(lambda: running.value("clickhouse_up", cluster="two") == 1, "both are up")

    second.pause()
    running.wait_for(
        lambda: running.value("clickhouse_up", cluster="two") == 0, "the frozen one is down", 2 * 5 + 5
    )
    frozen_at = last_success(running, "one")
    running.wait_for(lambda: last_success(running, "one") > frozen_at, "its neighbour stays fresh", 2 * 5)
    stale = [
        key
        for key in running.series()
        # What is said of the cluster as a whole is no number of the server that is gone.
        if ("cluster", "two") in key[1] and "host" in dict(key[1]) and key[0].startswith("clickhouse_")
    ]
    second.resume()
    running.wait_for(lambda: running.value("clickhouse_up", cluster="two") == 1, "it comes back by itself")

    assert {name for name, _ in stale} <= {"clickhouse_up"}
    assert running.value("clickhouse_uptime_seconds", cluster="two") is not None


def last_success(running: ExporterProcess, cluster: str) -> float:
    return (
        running.value("clustersight_panel_last_success_timestamp_seconds", cluster=cluster, panel="server")
        or 0
    )


def test_a_killed_server_is_down_and_returns_without_a_restart_of_ours(
    exporter: Exporters, own_clickhouse18: Callable[..., ClickHouse18]
) -> None:
    server = own_clickhouse18()
    running = exporter({"clusters": [old(server)], "collection": QUICK})
    running.wait_for(lambda: running.value("clickhouse_up", cluster="old") == 1, "it is up")

    server.kill()
    running.wait_for(lambda: running.value("clickhouse_up", cluster="old") == 0, "it is down")
    server.start()

    running.wait_for(lambda: running.value("clickhouse_up", cluster="old") == 1, "it is up again")


def test_servers_that_never_answer_delay_nobody(exporter: Exporters, embedded: EmbeddedServer) -> None:
    with SilentPeer() as silent, DrippingPeer() as dripping:
        hung = [
            {"name": f"hung{n}", "host": "127.0.0.1", "port": peer.port, "protocol": protocol}
            for n, (peer, protocol) in enumerate(
                [(silent, "native"), (silent, "http"), (dripping, "native"), (dripping, "http")]
            )
        ]
        # Four hung clusters on the same addresses need other names, not other addresses.
        hung = [{**c, "host": f"127.0.0.{n + 1}"} for n, c in enumerate(hung)]
        running = exporter({"clusters": [*hung, new(embedded)], "collection": {**QUICK, "workers": 2}})
        running.wait_for(lambda: running.value("clickhouse_up", cluster="new") == 1, "the living one is up")
        running.wait_for(
            lambda: all(running.value("clickhouse_up", cluster=c["name"]) == 0 for c in hung),
            "all that hang are down",
        )
        running.wait_for(
            lambda: running.value("clustersight_targets_isolated", cluster="new") == 1,
            "so many are down that it may be us",
        )
        before = last_success(running, "new")

        running.wait_for(lambda: last_success(running, "new") > before, "it stays fresh", 5 + 5)


def test_two_servers_on_one_address_have_different_hosts(
    exporter: Exporters, replicas: list[ClickHouse18]
) -> None:
    cluster = old(replicas[0], "pair", discover=True, logical_cluster="pair")
    running = exporter({"clusters": [cluster], "collection": QUICK})

    running.wait_for(lambda: len(hosts(running)) == 2, "both replicas were discovered")
    running.wait_for(
        lambda: len([1 for name, _ in running.series() if name == "clickhouse_info"]) == 2,
        "both were visited",
    )

    assert hosts(running) == {f"127.0.0.1:{server.port}" for server in replicas}
    placed = {
        dict(labels)["replica"]: dict(labels)["shard"]
        for name, labels in running.series()
        if name == "clickhouse_info"
    }
    assert placed == {"1": "1", "2": "1"}


def hosts(running: ExporterProcess) -> set[str]:
    return {dict(labels)["host"] for name, labels in running.series() if name == "clickhouse_up"}


def test_a_discovered_node_that_is_down_is_shown_as_down(
    exporter: Exporters, own_clickhouse18: Callable[..., ClickHouse18]
) -> None:
    absent = free_port()
    port = free_port()
    from tests.servers.clickhouse18 import Ports

    server = own_clickhouse18(Options(clusters={"pair": [[port, absent]]}), Ports(native=port))
    cluster = old(server, "pair", discover=True, logical_cluster="pair")
    running = exporter({"clusters": [cluster], "collection": QUICK})

    running.wait_for(
        lambda: running.value("clickhouse_up", host=f"127.0.0.1:{absent}") == 0, "the dead replica is there"
    )

    assert running.value("clickhouse_up", host=f"127.0.0.1:{port}") == 1
    assert running.value("clickhouse_cluster_nodes_down", cluster="pair") == 1
    assert running.value("clickhouse_cluster_shards_down", cluster="pair") == 0
    assert running.value("clickhouse_cluster_versions", cluster="pair") == 1
    assert running.value("clustersight_targets_isolated", cluster="pair") == 0


@pytest.mark.soak  # system.clusters is read again after a minute
def test_a_node_that_leaves_is_reported_and_then_gone(
    exporter: Exporters, own_clickhouse18: Callable[..., ClickHouse18]
) -> None:
    from tests.servers.clickhouse18 import Ports

    leaving, port = free_port(), free_port()
    server = own_clickhouse18(Options(clusters={"pair": [[port, leaving]]}), Ports(native=port))
    cluster = old(server, "pair", discover=True, logical_cluster="pair")
    running = exporter({"clusters": [cluster], "collection": QUICK})
    running.wait_for(lambda: len(hosts(running)) == 2, "both nodes are known")

    server.options = Options(clusters={"pair": [[port]]})
    server.restart()

    running.wait_for(lambda: len(hosts(running)) == 1, "the node that left is gone", 100)
    assert "node left the cluster" in running.logs()


def test_hosts_that_discover_hosts_refuses_see_no_credentials(
    exporter: Exporters, own_clickhouse18: Callable[..., ClickHouse18]
) -> None:
    from tests.servers.clickhouse18 import Ports

    with SilentPeer() as stranger:
        port = free_port()
        server = own_clickhouse18(Options(clusters={"pair": [[port, stranger.port]]}), Ports(native=port))
        cluster = old(server, "pair", discover=True, logical_cluster="pair", discover_hosts=["*.internal"])
        cluster["host"] = "localhost"
        running = exporter({"clusters": [cluster], "collection": QUICK})
        running.wait_for(
            lambda: running.value("clustersight_discovery_refused_hosts", cluster="pair") == 1,
            "it is refused",
        )

        assert stranger.accepted == 0
        assert len(hosts(running)) == 1
        assert f"127.0.0.1:{stranger.port}" in running.get("/").text


def test_sigterm_stops_it_at_once_also_with_a_hung_server(exporter: Exporters) -> None:
    with SilentPeer() as silent:
        cluster = {"name": "hung", "host": "127.0.0.1", "port": silent.port, "protocol": "native"}
        running = exporter({"clusters": [cluster], "collection": {"interval_sec": 5, "timeout_sec": 60}})
        process = running._process
        assert process is not None

        os.kill(process.pid, signal.SIGTERM)

        assert process.wait(8) == 0
        assert "stopped" in running.logs()
