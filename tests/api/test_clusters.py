"""Clusters over the API: made, changed, tried, deleted; those of a file are shown alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from clustersight.clusters import settings_of
from clustersight.ids import is_id
from clustersight.store import clusters, nodes
from clustersight.store.nodes import StoredNode
from tests.api.answers import bad, good, paths
from tests.servers.clickhouse18 import Options

if TYPE_CHECKING:
    from tests.api.conftest import Client
    from tests.servers.api import ApiProcess
    from tests.servers.certificates import Certificates
    from tests.servers.clickhouse18 import ClickHouse18
    from tests.servers.embedded import EmbeddedServer
    from tests.servers.zookeeper import ZooKeeper

Clients = Callable[..., "Client"]

# As the published reference has it.
CLUSTER: dict[str, Any] = {
    "host": "clickhouse.internal",
    "port": 8123,
    "username": "clustersight_ro",
    "password": "readonly_password",
    "name": "production",
}
FIELDS = {
    "id", "name", "host", "port", "protocol", "secure", "verify", "ca_cert", "username", "logical_cluster",
    "keeper_nodes", "expected_readonly", "managed_by", "discover", "labels", "collector_status",
    "last_collected_at", "last_error", "version", "logical_clusters", "created_at", "updated_at",
}  # fmt: skip


def password_of(client: Client, cluster_id: str) -> str | None:
    with client.store.database.read() as db:
        stored = clusters.get(db, cluster_id)
    assert stored is not None
    password = settings_of(stored, client.store).password
    return password.get_secret_value() if password else None


def test_a_cluster_is_made_shown_changed_and_deleted(client: Client) -> None:
    answer = client.post("/clusters", CLUSTER)
    made = good(answer, 201)

    assert is_id(made["id"])
    assert set(made) >= FIELDS
    assert (made["protocol"], made["secure"], made["managed_by"]) == ("http", False, "api")
    assert (made["collector_status"], made["last_collected_at"]) == ("pending", None)
    assert "readonly_password" not in answer.text
    assert password_of(client, made["id"]) == "readonly_password"
    assert good(client.get("/clusters")) == [made]
    assert good(client.get(f"/clusters/{made['id']}")) == made

    changed = good(client.put(f"/clusters/{made['id']}", {"name": "prod", "labels": {"env": "prod"}}))
    assert (changed["name"], changed["labels"], changed["port"]) == ("prod", {"env": "prod"}, 8123)
    assert password_of(client, made["id"]) == "readonly_password"

    assert good(client.delete(f"/clusters/{made['id']}")) == {"id": made["id"], "deleted": True}
    bad(client.get(f"/clusters/{made['id']}"), 404, "not_found")
    assert good(client.get("/clusters")) == []


@pytest.mark.parametrize("moved", [{"host": "elsewhere"}, {"port": 8443}])
def test_a_stored_password_never_goes_to_another_address(client: Client, moved: dict[str, Any]) -> None:
    made = good(client.post("/clusters", CLUSTER), 201)

    good(client.put(f"/clusters/{made['id']}", moved))
    assert password_of(client, made["id"]) is None

    good(client.put(f"/clusters/{made['id']}", {"password": "new"}))
    good(client.put(f"/clusters/{made['id']}", {"host": "third", "password": "sent again"}))
    assert password_of(client, made["id"]) == "sent again"


def test_null_is_as_good_as_left_out(client: Client) -> None:
    made = good(client.post("/clusters", CLUSTER), 201)

    good(client.put(f"/clusters/{made['id']}", {"password": None, "name": "same"}))
    assert password_of(client, made["id"]) == "readonly_password"

    good(client.put(f"/clusters/{made['id']}", {"password": ""}))
    assert password_of(client, made["id"]) is None


def test_a_new_port_means_what_it_usually_means(client: Client) -> None:
    made = good(client.post("/clusters", CLUSTER), 201)

    changed = good(client.put(f"/clusters/{made['id']}", {"port": 9440}))

    assert (changed["protocol"], changed["secure"]) == ("native", True)


def test_what_can_be_derived_is(client: Client) -> None:
    made = good(client.post("/clusters", {"host": "ch1", "port": 9440}), 201)

    assert made["name"] == "ch1:9440"
    assert (made["protocol"], made["secure"], made["username"]) == ("native", True, "default")
    assert (made["verify"], made["discover"]) == (True, False)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"port": 0}, "port"),
        ({"port": 1234}, "port"),  # tells no protocol
        ({"port": "8123"}, "port"),
        ({"port": 10**30}, "port"),
        ({"host": "http://ch1"}, "host"),
        ({"host": "../etc/passwd"}, "host"),
        ({"name": "two\nlines"}, "name"),
        ({"keeper_nodes": ["keeper"]}, "keeper_nodes.0"),
        ({"labels": {"host": "x"}}, "labels"),
        ({"ca_cert": "/etc/ssl/private/key.pem"}, "ca_cert"),
        ({"client_key": "/etc/passwd"}, "client_key"),
        ({"id": "cl_000000000000"}, "id"),
        ({"secure": "yes"}, "secure"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(client: Client, change: dict[str, Any], path: str) -> None:
    error = bad(client.post("/clusters", CLUSTER | change), 422, "validation_error", "readonly_password")

    assert paths(error) == {path}
    assert good(client.get("/clusters")) == []


def test_host_and_port_are_required(client: Client) -> None:
    assert paths(bad(client.post("/clusters", {}), 422, "validation_error")) == {"host", "port"}


def test_a_duplicate_is_a_conflict_and_a_deleted_one_comes_back(client: Client) -> None:
    made = good(client.post("/clusters", CLUSTER), 201)
    bad(client.post("/clusters", CLUSTER | {"name": "other"}), 409, "conflict")
    bad(client.post("/clusters", CLUSTER | {"host": "other"}), 409, "conflict")
    for same in ("ClickHouse.Internal", "clickhouse.internal."):
        bad(client.post("/clusters", CLUSTER | {"name": "other", "host": same}), 409, "conflict")

    good(client.delete(f"/clusters/{made['id']}"))
    again = good(client.post("/clusters", CLUSTER | {"name": "reborn", "password": "new"}), 201)

    assert again["id"] == made["id"]
    assert password_of(client, made["id"]) == "new"


def test_a_cluster_of_a_file_is_shown_and_not_changed(new_client: Clients) -> None:
    client = new_client(clusters=[CLUSTER])
    client.provision()

    answer = client.get("/clusters")
    [found] = good(answer)
    assert (found["name"], found["managed_by"]) == ("production", "file")
    assert "readonly_password" not in answer.text
    bad(client.put(f"/clusters/{found['id']}", {"name": "x"}), 409, "conflict")
    bad(client.delete(f"/clusters/{found['id']}"), 409, "conflict")
    bad(client.post("/clusters", CLUSTER), 409, "conflict")


def test_how_it_was_last_found_is_what_the_exporter_stored(client: Client) -> None:
    made = good(client.post("/clusters", CLUSTER), 201)
    node = StoredNode(
        made["id"],
        "ch1",
        "ch1",
        8123,
        True,
        False,
        client.time.now,
        error="ch1:8123: refused",
        version="26.9",
    )
    with client.store.database.begin() as db:
        nodes.put(db, node)

    [found] = good(client.get("/clusters"))

    assert (found["collector_status"], found["last_error"]) == ("offline", "ch1:8123: refused")
    assert found["version"] == "26.9"


def test_a_cluster_that_nobody_visits_any_more_is_not_online(client: Client) -> None:
    made = good(client.post("/clusters", CLUSTER), 201)
    with client.store.database.begin() as db:
        nodes.put(db, StoredNode(made["id"], "ch1", "ch1", 8123, True, True, client.time.now))
    assert good(client.get("/clusters"))[0]["collector_status"] == "online"

    client.time.now += 3600

    assert good(client.get("/clusters"))[0]["collector_status"] == "offline"


def test_a_certificate_is_text_and_is_used(
    client: Client, certificates: Certificates, new_client: Clients
) -> None:
    pem = certificates.authority.read_text()

    made = good(client.post("/clusters", CLUSTER | {"ca_cert": pem}), 201)

    assert made["ca_cert"] == pem
    with client.store.database.read() as db:
        stored = clusters.get(db, made["id"])
    assert stored is not None
    file = settings_of(stored, client.store).ca_cert
    assert file is not None
    assert file.read_text() == pem


def test_a_connection_is_tried_with_the_certificate_that_was_given(
    client: Client, certificates: Certificates, own_clickhouse18: Callable[..., ClickHouse18]
) -> None:
    server = own_clickhouse18(Options(certificate=certificates.valid))
    there = {"host": "127.0.0.1", "port": server.ports.native_secure, "protocol": "native", "secure": True}

    assert good(client.post("/clusters/test", there))["code"] == "tls_error"
    trusted = there | {"ca_cert": certificates.authority.read_text()}
    assert good(client.post("/clusters/test", trusted))["success"]


def test_a_connection_is_tried_and_the_server_described(client: Client, embedded: EmbeddedServer) -> None:
    body = {"host": "127.0.0.1", "port": embedded.port, "protocol": "http"}

    found = good(client.post("/clusters/test", body))

    assert (found["success"], found["message"], found["code"]) == (True, "Connected successfully", None)
    assert found["version"].startswith("26.")
    assert "keeper-nodes" in found["unsupported_panels"]
    assert good(client.get("/clusters")) == []


def test_the_topology_of_a_real_pair_is_found(
    client: Client, replicas: list[ClickHouse18], zookeeper: ZooKeeper
) -> None:
    # 18.16 does not say which Keeper nodes it has.
    there = {"host": "127.0.0.1", "port": replicas[0].port, "protocol": "native"}
    body = there | {"keeper_nodes": [zookeeper.address]}

    found = good(client.post("/clusters/test", body))

    assert found["success"], found
    assert "pair" in found["clusters"]
    assert found["keeper_nodes"] == [zookeeper.address]


def test_why_a_connection_fails_is_said(client: Client, replicas: list[ClickHouse18]) -> None:
    there = {"host": "127.0.0.1", "port": replicas[0].port, "protocol": "native"}

    def code(**change: Any) -> str:
        found = good(client.post("/clusters/test", there | change))
        assert not found["success"]
        assert found["message"]
        return str(found["code"])

    assert code(port=1) == "clickhouse_unreachable"
    assert code(password="wrong") == "authentication_failed"
    assert code(secure=True) == "tls_error"


def test_a_wrong_body_is_not_tried(client: Client) -> None:
    bad(client.post("/clusters/test", {"host": "ch1"}), 422, "validation_error")
    bad(client.ask("GET", "/api/v1/clusters/test"), 405, "method_not_allowed")


def test_a_files_clusters_are_there_before_any_exporter(api: Callable[..., ApiProcess]) -> None:
    running = api({"clusters": [CLUSTER]})

    [found] = good(running.ask("GET", "/api/v1/clusters"))

    assert (found["name"], found["managed_by"], found["collector_status"]) == (
        "production",
        "file",
        "pending",
    )
