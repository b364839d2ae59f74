"""SIGHUP and POST /-/reload: all or nothing, the last good configuration stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.exporter.conftest import QUICK, new
from tests.servers.embedded import EmbeddedServer
from tests.servers.exporter import ExporterProcess
from tests.servers.misbehaving import SilentPeer

Exporters = Callable[..., ExporterProcess]


def clusters(running: ExporterProcess) -> set[str]:
    return {dict(labels)["cluster"] for name, labels in running.series() if name == "clickhouse_up"}


def test_a_reload_adds_and_removes_clusters(exporter: Exporters, embedded: EmbeddedServer) -> None:
    running = exporter({"clusters": [new(embedded, "one")], "collection": QUICK})
    running.wait_for(lambda: clusters(running) == {"one"}, "one is watched")

    running.configure({"clusters": [new(embedded, "two")], "collection": QUICK})
    answer = requests.post(running.url + "/-/reload", timeout=10)

    assert answer.ok
    running.wait_for(lambda: clusters(running) == {"two"}, "two is watched, one is gone")
    assert running.value("clustersight_config_last_reload_successful") == 1


def test_sighup_reloads_too(exporter: Exporters, embedded: EmbeddedServer) -> None:
    running = exporter({"clusters": [new(embedded, "one")], "collection": QUICK})

    running.configure({"clusters": [new(embedded, "two")], "collection": QUICK})
    os.kill(running.pid, signal.SIGHUP)

    running.wait_for(lambda: clusters(running) == {"two"}, "two is watched")


def test_a_bad_configuration_changes_nothing_and_says_why(
    exporter: Exporters, embedded: EmbeddedServer
) -> None:
    running = exporter({"clusters": [new(embedded, "one")], "collection": QUICK})
    running.wait_for(lambda: clusters(running) == {"one"}, "one is watched")

    running.configure({"clusters": [new(embedded, "two")], "collection": {"intervall_sec": 5}})
    answer = requests.post(running.url + "/-/reload", timeout=10)

    assert answer.status_code == 500
    assert "clustersight.yaml:" in answer.text
    assert "interval_sec" in answer.text
    running.wait_for(
        lambda: running.value("clustersight_config_last_reload_successful") == 0, "the page says so"
    )
    assert clusters(running) == {"one"}


def test_a_reload_during_a_hung_visit_does_not_bring_the_old_cluster_back(
    exporter: Exporters, embedded: EmbeddedServer
) -> None:
    with SilentPeer() as silent:
        hung = {"name": "hung", "host": "127.0.0.1", "port": silent.port, "protocol": "native"}
        running = exporter({"clusters": [hung], "collection": QUICK})
        running.wait_for(lambda: silent.accepted > 0, "the visit hangs")
        running.configure({"clusters": [new(embedded, "one")], "collection": QUICK})
        requests.post(running.url + "/-/reload", timeout=10)
        running.wait_for(lambda: "node is up cluster=one" in running.logs(), "the new cluster is visited")
        first = running.value("clustersight_exporter_visits_total") or 0
        running.wait_for(
            lambda: (running.value("clustersight_exporter_visits_total") or 0) > first + 1,
            "some time goes by",
        )

        assert clusters(running) == {"one"}


def test_a_reload_while_nodes_wait_for_a_worker_loses_none(exporter: Exporters) -> None:
    with SilentPeer() as silent:
        hung = [
            {"name": f"c{n}", "host": f"127.0.0.{n + 1}", "port": silent.port, "protocol": "native"}
            for n in range(4)
        ]
        quick = {**QUICK, "workers": 1}
        running = exporter({"clusters": hung, "collection": quick})
        running.wait_for(lambda: silent.accepted > 0, "one visit hangs, the others wait")
        running.configure({"clusters": [{**c, "username": "other"} for c in hung], "collection": quick})
        requests.post(running.url + "/-/reload", timeout=10)

        running.wait_for(lambda: clusters(running) == {"c0", "c1", "c2", "c3"}, "all are visited", 60)


def test_a_reload_takes_the_builtin_names_away_again(exporter: Exporters, embedded: EmbeddedServer) -> None:
    config = {"clusters": [new(embedded, "one")], "collection": QUICK}
    running = exporter({**config, "exporter": {"builtin_names": True}})

    def there() -> bool:
        return any(name.startswith("ClickHouseMetrics_") for name, _ in running.series())

    running.wait_for(there, "ClickHouse's own names are on the page")
    instances = {
        dict(labels)["instance"] for name, labels in running.series() if name == "ClickHouseMetrics_Query"
    }
    running.configure(config)
    requests.post(running.url + "/-/reload", timeout=10)

    running.wait_for(lambda: not there(), "they are gone")
    assert instances == {f"127.0.0.1:{embedded.port}"}


def start(config: str, tmp_path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "clustersight.yaml"
    file.write_text(config)
    command = [sys.executable, "-P", "-m", "exporter", "--config", str(file), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("clusters:\n  - {name: a, host: h, port: 8123, protokol: http}\n", ":2:"),
        ("exporter: {listen: '0.0.0.0:9116'}\n", "allow_open"),
        ("clusters: [\n", "clustersight.yaml:"),
        ("clusters:\n  - {name: a, host: h, port: 8123, password: '${NOPE_UNSET}'}\n", "NOPE_UNSET"),
        ("clusters:\n  - {name: a, host: h, port: 8123, panels: {dsk: {enabled: false}}}\n", "disk"),
    ],
)
def test_a_bad_configuration_at_the_start_ends_it_with_the_place(
    tmp_path: Path, config: str, told: str
) -> None:
    ended = start(config, tmp_path)

    assert ended.returncode == 1
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_address_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with SilentPeer() as taken:
        ended = start("clusters: []\n", tmp_path, "--listen", f"127.0.0.1:{taken.port}")

    assert ended.returncode == 1
    assert "cannot listen" in ended.stderr
    assert "Traceback" not in ended.stderr
