"""docker-compose.yml and what it mounts. No Docker runs here: what files alone can show is shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from clustersight.known import KNOWN
from clustersight.settings import environment
from clustersight.settings.file import load
from tests.conftest import packages_needed
from tests.deploy.documents import DEPLOY, PROCESSES, ROOT, document, filled_in, pinned
from tests.servers.process import program
from tests.servers.prometheus import PACKAGE

FILE = DEPLOY / "docker-compose.yml"
COMPOSE = document(FILE)
SERVICES: dict[str, Any] = COMPOSE["services"]
CONFIG = DEPLOY / "compose" / "clustersight.yaml"
# ${NAME}, ${NAME:-default}, ${NAME:?message}
VARIABLE = re.compile(r"\$\{(\w+)")


def examples() -> dict[str, str]:
    """The variables of env.example, with something for each."""
    lines = (DEPLOY / "env.example").read_text().splitlines()
    return filled_in(line.partition("=")[0] for line in lines if line and not line.startswith("#"))


def mounts() -> list[tuple[str, str, str]]:
    """(service, source, target) of everything that is a path of the repository."""
    found = []
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source, target = volume.split(":")[:2]
            if source.startswith("."):
                found.append((name, source, target))
    return found


def test_it_follows_the_schema_of_compose_files() -> None:
    command = [str(Path(sys.executable).parent / "check-jsonschema")]
    command += ["--builtin-schema", "vendor.compose-spec", str(FILE)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(("service", "source", "target"), mounts())
def test_what_is_mounted_is_in_the_repository_and_read_only(service: str, source: str, target: str) -> None:
    assert (DEPLOY / source).exists()
    assert f"{source}:{target}:ro" in SERVICES[service]["volumes"]


def test_named_volumes_are_declared_and_used() -> None:
    used = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", ()) if v[0] != "."}
    assert used == set(COMPOSE["volumes"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened_and_watched(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert "test" in service["healthcheck"]
    assert pinned(service["image"])
    assert any(mount == "/tmp" for mount in service["tmpfs"])


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_this_machine_only(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)


@pytest.mark.parametrize(("name", "port"), PROCESSES.items())
def test_our_ports_are_the_defaults(name: str, port: int) -> None:
    settings = load(CONFIG, examples(), KNOWN).settings

    assert SERVICES[name]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert getattr(settings, name).listen.port == port
    assert SERVICES[name]["command"] == [name]
    assert SERVICES[name]["healthcheck"]["test"][-1] == name


def test_variables_are_in_the_example_and_no_other() -> None:
    asked = {
        name
        for line in FILE.read_text().splitlines()
        if line.lstrip()[:1] != "#"
        for name in VARIABLE.findall(line)
    }

    assert asked == set(examples())


def test_variables_of_ours_are_known_to_clustersight() -> None:
    given = set(SERVICES["exporter"]["environment"])
    known = {*environment._NAMED, environment._SLACK, *VARIABLE.findall(CONFIG.read_text())}

    assert given <= known
    assert set(VARIABLE.findall(CONFIG.read_text())) <= given


def test_no_secret_stands_in_it() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY$", variable):
                assert value.startswith("${"), f"{name}: {variable}"
    assert {
        line
        for line in (DEPLOY / "env.example").read_text().splitlines()
        if re.search("=.", line) and line[0] != "#"
    } == set()


def test_the_configuration_is_good_and_names_the_services() -> None:
    loaded = load(CONFIG, examples(), KNOWN)
    (cluster,) = loaded.settings.clusters

    assert loaded.warnings == ()
    assert cluster.host in SERVICES
    assert [node.split(":")[0] for node in cluster.keeper_nodes] == ["keeper"]


def test_clickhouse_knows_what_the_configuration_says() -> None:
    (cluster,) = load(CONFIG, examples(), KNOWN).settings.clusters
    servers = ET.parse(DEPLOY / "compose/clickhouse/cluster.xml")
    users = ET.parse(DEPLOY / "compose/clickhouse/users.xml")
    keeper = ET.parse(DEPLOY / "compose/clickhouse/keeper.xml")

    replicas = servers.findall(f"remote_servers/{cluster.logical_cluster}/shard/replica")
    assert [r.findtext("host") for r in replicas] == ["clickhouse1", "clickhouse2"]
    assert {r.findtext("port") for r in replicas} == {str(cluster.port)}
    assert servers.find("macros/replica").get("from_env") in SERVICES["clickhouse1"]["environment"]  # type: ignore[union-attr]
    user = users.find(f"users/{cluster.username}")
    assert user is not None
    assert user.find("password").get("from_env") in SERVICES["clickhouse1"]["environment"]  # type: ignore[union-attr]
    assert users.find(f"profiles/{user.findtext('profile')}") is not None
    place = f"{servers.findtext('zookeeper/node/host')}:{servers.findtext('zookeeper/node/port')}"
    assert [place] == list(cluster.keeper_nodes)
    assert keeper.findtext("keeper_server/tcp_port") == place.split(":")[1]
    words = keeper.findtext("keeper_server/four_letter_word_white_list") or ""
    assert {"ruok", "mntr", "srvr"} <= set(words.split(","))


def test_prometheus_scrapes_the_services(tmp_path: Path) -> None:
    config = document(DEPLOY / "compose" / "prometheus.yml")
    targets = {t for job in config["scrape_configs"] for s in job["static_configs"] for t in s["targets"]}
    with packages_needed():
        promtool = program("promtool", PACKAGE)
    # Where they are in the container; here in the repository.
    text = (DEPLOY / "compose" / "prometheus.yml").read_text()
    here = tmp_path / "prometheus.yml"
    here.write_text(text.replace("/etc/prometheus/", f"{ROOT}/config/prometheus/"))
    checked = subprocess.run([promtool, "check", "config", here], capture_output=True, text=True, check=False)

    assert targets == {f"{name}:{PROCESSES[name]}" for name in ("exporter", "alerter")}
    assert all(job["honor_labels"] for job in config["scrape_configs"])
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "rule files found" in checked.stdout


def test_grafana_is_told_what_its_provisioning_asks_for() -> None:
    files = sorted((ROOT / "grafana" / "provisioning").rglob("*.yaml"))
    asked = {
        name for file in files for name in re.findall(r"^[^#]*\$\{?([A-Z_]+)", file.read_text(), re.MULTILINE)
    }

    assert asked <= set(SERVICES["grafana"]["environment"])


def test_wrong_environments_are_told(tmp_path: Path) -> None:
    """The configuration is checked as the container would: an unset password is one message."""
    command = [sys.executable, "-P", "-m", "exporter", "--config", str(CONFIG)]
    bare = {k: v for k, v in os.environ.items() if not k.startswith(("CLUSTERSIGHT", "CLICKHOUSE"))}
    found = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)

    assert found.returncode == 1
    assert "CLICKHOUSE_PASSWORD" in found.stderr
