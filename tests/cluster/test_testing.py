"""`clustersight cluster test` on real servers, on good and on bad days."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from clustersight.commands.cluster import cluster
from clustersight.panels import NAMES
from tests.cluster.conftest import Run, http, native
from tests.servers.certificates import Certificates
from tests.servers.clickhouse18 import PASSWORD, ClickHouse18, Options
from tests.servers.embedded import EmbeddedServer
from tests.servers.misbehaving import DrippingPeer, GarbagePeer, SilentPeer
from tests.servers.process import free_port

WRONG = "hunter2-wrong"


def one_message(result: Any) -> str:
    """The only message of a failed command: nothing on standard output, one line after the progress."""
    assert result.exit_code == 1, (result.output, result.exception)
    assert result.stdout == ""
    messages = [line for line in result.stderr.splitlines() if not line.endswith(" …")]
    assert len(messages) == 1, result.stderr
    return messages[0]


def test_a_good_cluster_is_ok(run: Run, replicas: list[ClickHouse18]) -> None:
    result = run(native(replicas[0].port, username="monitor", password=PASSWORD))

    assert result.exit_code == 0, result.output
    assert "ClickHouse 18.16." in result.stdout
    assert "native, no TLS" in result.stdout
    assert result.stdout.endswith("ok: reachable, nothing is missing\n")
    assert "connecting to 127.0.0.1" in result.stderr
    assert "\x1b" not in result.output
    assert PASSWORD not in result.output


def test_the_newest_version_over_http(run: Run, embedded: EmbeddedServer) -> None:
    result = run(http(embedded.port), "--json")

    found = json.loads(result.stdout)
    assert (result.exit_code, found["ok"], found["up"]) == (0, True, True), found
    assert found["version"].startswith("26.9.")
    assert {panel["panel"] for panel in found["panels"]} == set(NAMES)
    assert {panel["status"] for panel in found["panels"]} <= {"ok", "unsupported"}
    assert found["missing_grants"] == []


def test_readonly_1_works_and_is_named(run: Run, replicas: list[ClickHouse18]) -> None:
    result = run(native(replicas[0].port, username="readonly1"))

    assert result.exit_code == 0, result.output
    assert "readonly = 1: limits cannot be sent" in result.stdout


def test_discover_finds_both_replicas(run: Run, replicas: list[ClickHouse18]) -> None:
    settings = native(replicas[0].port, discover=True, logical_cluster="pair")

    found = json.loads(run(settings, "--json").stdout)
    shown = run(settings)

    assert [(n["address"], n["shard"], n["replica"], n["answers"]) for n in found["nodes"]] == [
        (f"127.0.0.1:{replicas[0].port}", "1", "1", True),
        (f"127.0.0.1:{replicas[1].port}", "1", "2", True),
    ]
    assert [n["configured"] for n in found["nodes"]] == [True, False]
    assert shown.exit_code == 0
    line = next(n for n in shown.stdout.splitlines() if n.startswith(f"127.0.0.1:{replicas[1].port}"))
    assert line.split()[1:4] == ["1", "2", "yes"]


def test_a_dead_replica_is_seen(run: Run, own_clickhouse18: Callable[..., ClickHouse18]) -> None:
    dead = free_port()
    server = own_clickhouse18()
    server.stop()
    server.options = Options(clusters={"pair": [[server.port, dead]]})
    server.start()

    result = run(native(server.port, discover=True, logical_cluster="pair"), "--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [n["answers"] for n in found["nodes"]] == [True, False]
    assert "Connection refused" in found["nodes"][1]["error"]


def test_discover_hosts_that_refuse_are_listed(run: Run, replicas: list[ClickHouse18]) -> None:
    # By the name localhost, 127.0.0.1 is another host, to which nobody allowed our credentials to go.
    settings = native(replicas[0].port, discover=True, logical_cluster="pair", discover_hosts=["*.internal"])

    result = run({**settings, "host": "localhost"})

    assert result.exit_code == 0, result.output
    refused = f"127.0.0.1:{replicas[1].port}  outside discover_hosts: our credentials do not go there"
    assert refused in result.stdout


def test_an_unknown_logical_cluster_names_those_there_are(run: Run, replicas: list[ClickHouse18]) -> None:
    result = run(native(replicas[0].port, discover=True, logical_cluster="nosuch"))

    assert result.exit_code == 1
    assert "no cluster 'nosuch'; set logical_cluster to one that it has: pair" in result.stdout


@pytest.mark.parametrize("username", ["monitor", "nobody"])
def test_a_wrong_login(run: Run, replicas: list[ClickHouse18], username: str) -> None:
    message = one_message(run(native(replicas[0].port, username=username, password=WRONG)))

    assert "look at `username` and `password`" in message
    assert WRONG not in message


def test_a_wrong_login_over_http(run: Run, own_embedded: Callable[..., EmbeddedServer]) -> None:
    server = own_embedded(user="root", password="right")

    message = one_message(run(http(server.port, username="root", password=WRONG)))

    assert "Authentication failed" in message
    assert "look at `username` and `password`" in message
    assert WRONG not in message


def test_wrong_ports_name_the_protocol(run: Run, replicas: list[ClickHouse18]) -> None:
    ports = replicas[0].ports

    assert "if this is the HTTP port, set protocol: http" in one_message(run(native(ports.http)))
    assert "this is the native port" in one_message(run(http(ports.native)))


def test_nobody_listens(run: Run) -> None:
    message = one_message(run(native(free_port())))

    assert "Connection refused; is ClickHouse running there" in message


@pytest.mark.parametrize("settings", [native, http])
def test_tls_to_a_plain_port(
    run: Run, replicas: list[ClickHouse18], settings: Callable[..., dict[str, Any]]
) -> None:
    ports = replicas[0].ports
    port = ports.native if settings is native else ports.http

    message = one_message(run(settings(port, secure=True)))

    assert "the port does not speak TLS; set secure: false" in message


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("expired", "renew the server's certificate"),
        ("wrong_host", "set `host` to a name that the certificate is for"),
        ("self_signed", "set `ca_cert`"),
    ],
)
def test_certificates_that_are_not_to_be_trusted(
    run: Run,
    own_clickhouse18: Callable[..., ClickHouse18],
    certificates: Certificates,
    name: str,
    remedy: str,
) -> None:
    server = own_clickhouse18(Options(certificate=getattr(certificates, name)))
    secure = {"secure": True, "ca_cert": str(certificates.authority)}

    for settings in (native(server.ports.native_secure, **secure), http(server.ports.https, **secure)):
        message = one_message(run(settings))
        assert "TLS failed" in message
        assert remedy in message


@pytest.mark.parametrize("settings", [native, http])
def test_a_silent_server_is_given_up_on(run: Run, settings: Callable[..., dict[str, Any]]) -> None:
    with SilentPeer() as peer:
        began = time.monotonic()
        message = one_message(run(settings(peer.port)))

    assert time.monotonic() - began < 15
    assert "no answer within 7 s; is the process stopped" in message


@pytest.mark.parametrize("peer_type", [GarbagePeer, DrippingPeer])
def test_what_is_no_clickhouse(run: Run, peer_type: type[GarbagePeer]) -> None:
    with peer_type() as peer:
        for settings in (native(peer.port), http(peer.port)):
            assert "127.0.0.1" in one_message(run(settings))


def test_an_overloaded_server_is_up_and_refuses(
    run: Run, own_clickhouse18: Callable[..., ClickHouse18], busy: Callable[[ClickHouse18], Any]
) -> None:
    server = own_clickhouse18(Options(config={"max_concurrent_queries": 1}))
    with busy(server):
        result = run(native(server.port))
        machine = run(native(server.port), "--json")

    assert "the server is up and refuses queries" in one_message(result)
    assert (machine.exit_code, json.loads(machine.stdout)["up"]) == (1, True)


def test_missing_grants_are_named_exactly(run: Run, own_embedded: Callable[..., EmbeddedServer]) -> None:
    server = own_embedded(grants=["GRANT SELECT ON system.metrics"])

    found = json.loads(run(http(server.port), "--json").stdout)
    result = run(http(server.port))

    assert result.exit_code == 1
    assert "GRANT SHOW TABLES, SHOW DICTIONARIES ON *.* TO `default`;" in found["missing_grants"]
    assert "GRANT SHOW TABLES, SHOW DICTIONARIES ON *.* TO `default`;" in result.stdout.splitlines()


def test_hidden_columns_are_no_missing_tables(run: Run, own_embedded: Callable[..., EmbeddedServer]) -> None:
    """system.columns leaves out the tables that we may not read: they are there all the same."""
    server = own_embedded(grants=["GRANT SHOW TABLES, SHOW DICTIONARIES ON *.*"])

    found = json.loads(run(http(server.port), "--json").stdout)

    statuses = {panel["panel"]: panel["status"] for panel in found["panels"]}
    assert (statuses["disk"], statuses["server"]) == ("ok", "ok")


def test_an_unknown_cluster_names_the_known(run: Run) -> None:
    result = run(native(9000), name="prodcution")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "unknown cluster 'prodcution'; allowed: c\n"


def test_without_clusters_it_says_so(configured: Callable[..., list[str]]) -> None:
    result = CliRunner().invoke(cluster, ["test", "x", *configured()])
    bare = CliRunner(env={"CLUSTERSIGHT_CONFIG": ""}).invoke(cluster, ["test", "x"])

    assert (result.exit_code, bare.exit_code) == (2, 2)
    assert result.stderr.startswith("there is no cluster 'x': ")
    assert "names no clusters" in result.stderr
    assert "--config FILE or CLUSTERSIGHT_CONFIG" in bare.stderr


def test_a_broken_configuration_is_shown_with_its_place(tmp_path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("clusters: [{name: a}]\n")

    result = CliRunner().invoke(cluster, ["test", "a", "--config", str(path)])

    assert result.exit_code == 2
    assert f"{path}:1:" in result.stderr


def test_hostile_names_do_not_drive_the_terminal(run: Run, replicas: list[ClickHouse18]) -> None:
    name = "c\x9b31m\u202e <!channel>"

    shown = run(native(replicas[0].port, name=name)).output
    unknown = run(native(replicas[0].port, name=name), name="x\x1b]0;").output

    assert "c\\x9b31m\\u202e <!channel>" in shown
    assert all(character.isprintable() or character == "\n" for character in shown + unknown)


def test_colours_only_on_a_terminal(configured: Callable[..., list[str]], replicas) -> None:
    arguments = ["test", "c", *configured(native(replicas[0].port))]

    assert "\x1b[" in CliRunner().invoke(cluster, arguments, color=True).stdout
    assert "\x1b[" not in CliRunner(env={"NO_COLOR": "1"}).invoke(cluster, arguments).stdout


def test_a_disabled_panel_is_not_a_failure(run: Run, embedded: EmbeddedServer) -> None:
    found = json.loads(run(http(embedded.port, panels={"disk": {"enabled": False}}), "--json").stdout)

    assert found["ok"]
    assert {p["status"] for p in found["panels"] if p["panel"] == "disk"} == {"disabled"}
