"""The demo and two real replicas, with things that go wrong, watched by all processes and Prometheus."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from clustersight.demo.workload import Workload
from tests.conftest import running
from tests.grafana.expressions import PROMETHEUS
from tests.incidents.chain import Chain, of_18, of_26
from tests.panels.replicated import replicated_table
from tests.servers.api import ApiProcess
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.prometheus import Prometheus
from tests.servers.slack import SlackStub
from tests.servers.zookeeper import ZooKeeper

JOBS = ("clustersight", "clustersight-alerter", "clustersight-api")
# Quantiles of durations want twenty SELECTs in a window.
SELECTS = 30
# What the demo does not have: a view that is refreshed well, and inserts of single rows.
BESIDE_THE_DEMO = (
    "CREATE MATERIALIZED VIEW demo.fine REFRESH EVERY 1 SECOND ENGINE = Memory AS SELECT 1 AS one",
    "CREATE TABLE demo.tiny (n UInt64) ENGINE = MergeTree ORDER BY n",
    *["INSERT INTO demo.tiny VALUES (1)"] * 5,
)


@contextlib.contextmanager
def demo_server(folder: Path, zookeeper: ZooKeeper) -> Iterator[EmbeddedServer]:
    """The demo's ClickHouse with its workload, and replicas that are read-only."""
    server = EmbeddedServer(folder, zookeeper=zookeeper.address)
    with running(server):
        workload = Workload(server.url, folder / "engine" / "data", replicated=True)
        workload.set_up()
        workload.start()
        for sql in (*BESIDE_THE_DEMO, *["SELECT 1"] * SELECTS):
            server.execute(sql)
        try:
            yield server
        finally:
            workload.stop()
            workload.clear()


@contextlib.contextmanager
def lagging(replicas: Sequence[ClickHouse18]) -> Iterator[None]:
    """A table whose second replica fetches nothing."""
    with replicated_table(replicas) as table:
        replicas[1].execute(f"SYSTEM STOP FETCHES {table.quoted}")
        replicas[0].execute(f"INSERT INTO {table.quoted} SELECT today(), 1")
        try:
            yield
        finally:
            replicas[1].execute(f"SYSTEM START FETCHES {table.quoted}")


@contextlib.contextmanager
def watching(folder: Path, stub: SlackStub, clusters: Sequence[dict[str, Any]]) -> Iterator[Prometheus]:
    """The three processes on one store, and a Prometheus with the shipped configuration."""
    chain = Chain(folder / "chain", stub, clusters, settings={"backups": {"expected_every": "24h"}})
    api = ApiProcess(folder / "api", {"data_dir": str(chain.folder / "state"), "clusters": list(clusters)})
    try:
        chain.start()
        with running(api):
            config = shipped(folder, [chain.exporter.url, chain.alerter.url, api.url])
            prometheus = Prometheus(folder / "prometheus", config)
            with running(prometheus):
                yield prometheus
    finally:
        chain.stop()


def clusters_of(
    demo: EmbeddedServer, replicas: Sequence[ClickHouse18], zookeeper: ZooKeeper
) -> list[dict[str, Any]]:
    keeper = {"keeper_nodes": [zookeeper.address], "discover": True, "logical_cluster": "pair"}
    return [of_26(demo, "demo"), of_18(replicas[0], "pair", **keeper)]


def shipped(folder: Path, urls: Sequence[str]) -> dict[str, Any]:
    """prometheus.yml as it ships: only addresses and intervals are the test's."""
    shutil.copytree(PROMETHEUS / "rules", folder / "rules")
    config: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    assert tuple(job["job_name"] for job in config["scrape_configs"]) == JOBS
    for job, url in zip(config["scrape_configs"], urls, strict=True):
        job["static_configs"] = [{"targets": [url.removeprefix("http://")]}]
    config["global"] = {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"}
    config["rule_files"] = [str(folder / name) for name in config["rule_files"]]
    return config
