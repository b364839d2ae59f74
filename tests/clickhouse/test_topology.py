"""Which nodes are asked, under which label, and where the credentials go (pure)."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clustersight.clickhouse.connection import Address, Wire
from clustersight.clickhouse.topology import (
    NUMBER,
    STANDARD_PORTS,
    Member,
    Node,
    alone,
    host_label,
    label,
    may_send,
    resolve,
)

CONFIGURED = Address("ch1.prod.internal", 9000, Wire.NATIVE, username="u", password="hunter2")


def member(host: str, shard: int = 1, replica: int = 1, *, local: bool = False, port: int = 9000) -> Member:
    return Member("main", shard, replica, host, port, local)


def found(*members: Member, configured: Address = CONFIGURED, hosts: tuple[str, ...] = ()):
    return resolve("c", configured, members, "main", hosts)


def test_the_local_row_is_the_configured_address():
    topology = found(member("10.1.1.1", local=True), member("ch2.prod.internal", replica=2))

    assert [(n.host, n.shard, n.replica, n.is_configured) for n in topology.nodes] == [
        ("ch1.prod.internal", "1", "1", True),
        ("ch2.prod.internal", "1", "2", False),
    ]
    assert topology.nodes[0].address == CONFIGURED
    assert topology.nodes[1].address.password == "hunter2"
    assert topology.refused_hosts == ()


def test_http_nodes_have_the_configured_port_since_the_table_knows_only_the_native_one():
    configured = Address("ch1.prod.internal", 18123, Wire.HTTP)
    topology = found(
        member("ch1.prod.internal", local=True), member("ch2.prod.internal"), configured=configured
    )

    assert [n.address.port for n in topology.nodes] == [18123, 18123]


def test_two_servers_on_one_address_have_different_labels():
    configured = Address("127.0.0.1", 9000, Wire.NATIVE)
    topology = found(
        member("127.0.0.1", local=True), member("127.0.0.1", replica=2, port=9440), configured=configured
    )

    assert [n.host for n in topology.nodes] == ["127.0.0.1:9000", "127.0.0.1:9440"]


def test_when_all_servers_call_themselves_local_the_port_tells_which_is_the_configured_one():
    """18.16 does so for every server on its own machine."""
    configured = Address("127.0.0.1", 9001, Wire.NATIVE)
    members = [member("127.0.0.1", replica=n, local=True, port=9000 + n) for n in (0, 1)]
    topology = found(*members, configured=configured)

    assert [(n.address.port, n.replica) for n in topology.nodes] == [(9001, "1"), (9000, "0")]


def test_circular_replication_names_a_host_once():
    members = [
        member("ch1.prod.internal", 1, 1, local=True),
        member("ch2.prod.internal", 1, 2),
        member("ch2.prod.internal", 2, 1),
        member("ch1.prod.internal", 2, 2, local=True),
    ]
    topology = found(*members)

    assert [(n.host, n.shard, n.replica) for n in topology.nodes] == [
        ("ch1.prod.internal", "1", "1"),
        ("ch2.prod.internal", "1", "2"),
    ]


def test_hosts_elsewhere_are_refused_and_named_once():
    topology = found(member("evil.example"), member("evil.example", 2), member("ch2.prod.internal"))

    assert topology.refused_hosts == ("evil.example:9000",)
    assert [n.host for n in topology.nodes] == ["ch1.prod.internal", "ch2.prod.internal"]


def test_another_logical_cluster_leaves_the_configured_node_alone():
    topology = resolve("c", CONFIGURED, [member("ch2.prod.internal")], "nosuch", ())

    assert topology.nodes == alone("c", CONFIGURED).nodes
    assert topology.logical_clusters == ("main",)


@pytest.mark.parametrize(
    ("host", "configured", "patterns", "allowed"),
    [
        ("ch2.prod.internal", "ch1.prod.internal", [], True),
        ("ch2.other.internal", "ch1.prod.internal", [], False),
        ("evil-prod.internal", "ch1.prod.internal", [], False),
        ("CH1.Prod.Internal", "ch1.prod.internal", [], True),
        ("evil.example", "shop.example", [], False),
        ("ch2.shop.example", "shop.example", [], True),
        ("ch2", "ch1", [], True),
        ("ch2.evil.example", "ch1", [], False),
        ("2001:db8::1", "ch1", [], False),
        ("ch2.internal", "ch1.internal", [], True),
        ("10.1.1.9", "10.1.1.1", [], True),
        ("10.1.2.9", "10.1.1.1", [], False),
        ("127.0.5.5", "127.0.0.1", [], True),
        ("2001:db8::2", "2001:db8::1", [], True),
        ("2001:db8:1::2", "2001:db8::1", [], False),
        ("10.200.0.1", "10.1.1.1", ["10.0.0.0/8"], True),
        ("ch9.internal", "10.1.1.1", ["10.0.0.0/8", "*.internal"], True),
        ("10.0.0.1.evil.example", "10.1.1.1", ["10.0.0.0/8"], False),
        # Patterns replace the default; the configured host itself is always allowed.
        ("ch2.prod.internal", "ch1.prod.internal", ["*.elsewhere"], False),
        ("ch1.prod.internal", "ch1.prod.internal", ["*.elsewhere"], True),
    ],
)
def test_where_credentials_may_go(host: str, configured: str, patterns: list[str], allowed: bool):
    assert may_send(host, configured, patterns) is allowed


names = st.from_regex(r"[a-z][a-z0-9-]{0,8}(\.[a-z][a-z0-9-]{0,8}){0,3}", fullmatch=True)
hosts = st.one_of(names, st.ip_addresses().map(str))
ports = st.one_of(st.sampled_from(sorted(STANDARD_PORTS)), st.integers(1, 65535))
members_strategy = st.lists(
    st.builds(
        Member,
        cluster=st.sampled_from(["main", "other"]),
        shard=st.integers(1, 4),
        replica=st.integers(1, 4),
        host=st.one_of(hosts, st.just("ch1.prod.internal")),
        port=ports,
        is_local=st.booleans(),
    ),
    max_size=12,
)


@given(members=members_strategy, wire=st.sampled_from(list(Wire)), patterns=st.lists(names, max_size=2))
def test_labels_and_addresses_are_unique_and_credentials_stay_at_home(members, wire, patterns):
    configured = Address("ch1.prod.internal", 9000, wire, password="hunter2")

    topology = resolve("c", configured, members, "main", tuple(patterns))

    assert topology.nodes[0].address == configured
    assert [n.is_configured for n in topology.nodes] == [True] + [False] * (len(topology.nodes) - 1)
    assert len({n.host for n in topology.nodes}) == len(topology.nodes)
    assert len({n.address.endpoint for n in topology.nodes}) == len(topology.nodes)
    for node in topology.nodes:
        assert may_send(node.address.host, configured.host, patterns)


@given(members=members_strategy)
def test_every_host_of_the_logical_cluster_is_a_node_or_refused(members):
    topology = resolve("c", CONFIGURED, members, "main", ())

    asked = {n.address.host for n in topology.nodes}
    refused = {endpoint.rpartition(":")[0].strip("[]") for endpoint in topology.refused_hosts}
    remote = {m.host for m in members if m.cluster == "main" and not m.is_local}
    assert remote <= asked | refused
    assert not any(may_send(host, CONFIGURED.host, ()) for host in refused)


@given(addresses=st.lists(st.tuples(hosts, ports), unique=True, min_size=1, max_size=8))
def test_labels_are_unique_for_distinct_addresses(addresses):
    nodes = [Node("c", "", Address(host, port, Wire.NATIVE)) for host, port in addresses]

    labelled = label(nodes)

    assert len({node.host for node in labelled}) == len(nodes)
    assert all(node.host in (host_label(node.address), node.address.endpoint) for node in labelled)


@pytest.mark.parametrize(
    "host", ["evil.com/.internal", "evil.com#.internal", "134744072", "0x08080808", "evil/x"]
)
def test_what_can_be_read_as_another_place_is_no_host(host):
    assert not may_send(host, "ch1.internal", ["*"])
    assert not may_send(host, "ch1", [])


@given(host=hosts, configured=hosts)
def test_a_host_elsewhere_needs_a_pattern(host, configured):
    assume(not NUMBER.fullmatch(host.rpartition(".")[2]) or host.count(".") == 3)
    assert may_send(host, configured, ["*"])
    assert may_send(configured, configured, [])


@given(host=names.filter(lambda name: name.count(".") >= 2))
def test_a_stranger_with_the_same_ending_but_no_dot_is_refused(host):
    _, _, suffix = host.partition(".")
    assert not may_send(f"evil{suffix}", host, [])


def test_a_label_hides_the_usual_ports_and_brackets_ipv6():
    assert host_label(Address("h", 8443, Wire.HTTP)) == "h"
    assert host_label(Address("h", 19000, Wire.NATIVE)) == "h:19000"
    assert host_label(Address("::1", 19000, Wire.NATIVE)) == "[::1]:19000"
