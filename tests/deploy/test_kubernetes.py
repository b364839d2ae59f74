"""The Kubernetes manifests. No cluster runs here: schemas, and that names in them meet each other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from click.testing import CliRunner

from clustersight.cli import main
from clustersight.known import KNOWN
from clustersight.settings import environment
from clustersight.settings.file import load
from tests.deploy.documents import DEPLOY, PROCESSES, document, filled_in, pinned

FOLDER = DEPLOY / "kubernetes"
# Not part of the API: of kustomize, and of the Prometheus operator.
ELSEWHERE = ("kustomization.yaml", "servicemonitor.yaml")
FILES = sorted(file.name for file in FOLDER.glob("*.yaml"))
DATA = {name: document(FOLDER / name) for name in FILES}
POD = DATA["deployment.yaml"]["spec"]["template"]
CONTAINERS: dict[str, Any] = {one["name"]: one for one in POD["spec"]["containers"]}
# The oldest and the newest that the schemas know of and that have pod security by label.
VERSIONS = ("1.25", "latest")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [name for name in FILES if name not in ELSEWHERE])
def test_it_follows_the_schema(name: str, version: str) -> None:
    wanted = kubernetes_validate.latest_version() if version == "latest" else version
    kubernetes_validate.validate(DATA[name], wanted, strict=True)


def test_kustomize_applies_everything_but_the_example_of_a_secret() -> None:
    listed = DATA["kustomization.yaml"]["resources"]

    assert sorted(listed) == sorted(set(FILES) - {"kustomization.yaml", "secret.example.yaml"})


@pytest.mark.parametrize(
    "name", [name for name in FILES if name not in ("kustomization.yaml", "namespace.yaml")]
)
def test_it_is_in_our_namespace(name: str) -> None:
    assert DATA[name]["metadata"]["namespace"] == DATA["namespace.yaml"]["metadata"]["name"]


def test_there_is_a_container_for_each_process_on_its_port() -> None:
    ports = {name: one["ports"] for name, one in CONTAINERS.items()}

    assert ports == {name: [{"name": name, "containerPort": port}] for name, port in PROCESSES.items()}
    assert {name: one["args"] for name, one in CONTAINERS.items()} == {name: [name] for name in PROCESSES}


@pytest.mark.parametrize("name", PROCESSES)
def test_a_container_is_hardened(name: str) -> None:
    container = CONTAINERS[name]

    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["spec"]["securityContext"]["runAsNonRoot"] is True
    assert f"USER {POD['spec']['securityContext']['runAsUser']}:" in (DEPLOY / "Dockerfile").read_text()
    assert pinned(container["image"])
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", PROCESSES)
def test_a_container_is_asked_how_it_is(name: str) -> None:
    def asked(probe: str) -> tuple[str, str]:
        return CONTAINERS[name][probe]["httpGet"]["path"], CONTAINERS[name][probe]["httpGet"]["port"]

    assert asked("livenessProbe") == asked("startupProbe") == ("/-/healthy", name)
    assert asked("readinessProbe") == ("/-/ready", name)


def test_one_pod_at_a_time_has_the_store() -> None:
    assert DATA["deployment.yaml"]["spec"]["replicas"] == 1
    assert DATA["deployment.yaml"]["spec"]["strategy"] == {"type": "Recreate"}


def test_what_is_mounted_is_there() -> None:
    volumes = {one["name"]: one for one in POD["spec"]["volumes"]}
    for container in CONTAINERS.values():
        assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
    assert volumes["configuration"]["configMap"]["name"] == DATA["configuration.yaml"]["metadata"]["name"]
    assert volumes["rules"]["configMap"]["name"] == DATA["rules.yaml"]["metadata"]["name"]
    assert volumes["state"]["persistentVolumeClaim"]["claimName"] == DATA["storage.yaml"]["metadata"]["name"]


def environ() -> dict[str, str]:
    return filled_in(one["name"] for one in CONTAINERS["exporter"]["env"])


def test_secrets_come_from_the_example_and_are_known() -> None:
    secret = DATA["secret.example.yaml"]
    config = DATA["configuration.yaml"]["data"]["clustersight.yaml"]
    asked = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in CONTAINERS["exporter"]["env"]}

    assert {one["name"] for one in asked.values()} == {secret["metadata"]["name"]}
    assert {one["key"] for one in asked.values()} == set(secret["stringData"]) - {"prometheus-user"}
    assert set(asked) == {
        *(name for name in asked if name in environment._NAMED),
        *re.findall(r"\$\{(\w+)", config),
    }
    assert set(secret["stringData"].values()) == {"", "prometheus"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The files of the ConfigMaps, in a folder as the kubelet lays them out: through links."""
    rules = tmp_path / "rules"
    (rules / "..2026").mkdir(parents=True)
    (rules / "..data").symlink_to("..2026")
    for name, text in DATA["rules.yaml"]["data"].items():
        (rules / "..2026" / name).write_text(text)
        (rules / name).symlink_to(f"..data/{name}")
    text = DATA["configuration.yaml"]["data"]["clustersight.yaml"]
    mounted = next(m["mountPath"] for m in CONTAINERS["alerter"]["volumeMounts"] if m["name"] == "rules")
    assert mounted in text
    (tmp_path / "clustersight.yaml").write_text(text.replace(mounted, str(rules)))
    return tmp_path / "clustersight.yaml"


def test_the_configuration_is_good(config: Path) -> None:
    loaded = load(config, environ(), KNOWN)

    assert loaded.warnings == ()
    assert {name: getattr(loaded.settings, name).listen.port for name in PROCESSES} == PROCESSES


def test_the_rules_are_good(config: Path) -> None:
    checked = CliRunner(env=environ()).invoke(main, ["rules", "check", "--config", str(config)])

    assert checked.exit_code == 0, checked.output
    assert CliRunner().invoke(main, ["rules", "check", str(config.parent / "rules")]).exit_code == 0


def test_the_service_leads_to_the_pod() -> None:
    service = DATA["service.yaml"]
    policy = DATA["networkpolicy.yaml"]["spec"]

    assert service["spec"]["selector"].items() <= POD["metadata"]["labels"].items()
    assert {p["targetPort"]: p["port"] for p in service["spec"]["ports"]} == PROCESSES
    assert policy["podSelector"]["matchLabels"].items() <= POD["metadata"]["labels"].items()
    assert {p["port"] for rule in policy["ingress"] for p in rule["ports"]} == set(PROCESSES)


def test_prometheus_finds_the_service() -> None:
    """Its schema is in a CRD of the operator, which is not here: these are the keys of its documentation."""
    monitor, service = DATA["servicemonitor.yaml"], DATA["service.yaml"]

    assert (monitor["apiVersion"], monitor["kind"]) == ("monitoring.coreos.com/v1", "ServiceMonitor")
    assert set(monitor["spec"]) == {"selector", "endpoints"}
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [e["port"] for e in monitor["spec"]["endpoints"]] == [p["name"] for p in service["spec"]["ports"]]
    for endpoint in monitor["spec"]["endpoints"]:
        assert set(endpoint) <= {"port", "interval", "honorLabels", "basicAuth"}
        assert endpoint["honorLabels"] is True
        for reference in endpoint.get("basicAuth", {}).values():
            assert reference["key"] in DATA["secret.example.yaml"]["stringData"]
