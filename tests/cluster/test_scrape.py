"""`clustersight scrape` on real servers."""

from __future__ import annotations

import json

from clustersight.panels import NAMES
from tests.cluster.conftest import Run, http, native
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.process import free_port


def test_every_panel_with_its_cost(run_scrape: Run, embedded: EmbeddedServer) -> None:
    found = json.loads(run_scrape(http(embedded.port), "--json").stdout)
    shown = run_scrape(http(embedded.port))

    (node,) = found["nodes"]
    assert {panel["panel"] for panel in node["panels"]} == set(NAMES)
    server = next(panel for panel in node["panels"] if panel["panel"] == "server")
    assert server["queries"] > 0
    assert server["samples"] > 0
    assert server["read_rows"] > 0
    assert shown.exit_code == 0, shown.output
    assert len(shown.stdout.splitlines()) == len(NAMES) + 2


def test_all_nodes_of_a_discovered_cluster(run_scrape: Run, replicas: list[ClickHouse18]) -> None:
    settings = native(replicas[0].port, discover=True, logical_cluster="pair")

    found = json.loads(run_scrape(settings, "--json", "--panel", "server").stdout)

    assert [node["host"] for node in found["nodes"]] == [f"127.0.0.1:{server.port}" for server in replicas]
    assert [[panel["panel"] for panel in node["panels"]] for node in found["nodes"]] == [["server"]] * 2


def test_a_dead_server(run_scrape: Run) -> None:
    result = run_scrape(native(free_port()))

    assert result.exit_code == 1
    assert "down" in result.stdout
    assert "Connection refused" in result.stdout


def test_an_unknown_panel_names_the_nearest(run_scrape: Run) -> None:
    result = run_scrape(native(9000), "--panel", "dsk")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "did you mean 'disk'?" in result.stderr


def test_an_unknown_cluster(run_scrape: Run) -> None:
    assert run_scrape(native(9000), name="x").exit_code == 2
