"""Which nodes a cluster has, and to which of them our credentials may go: system.clusters."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from clustersight.clickhouse.connection import Address, Wire
from clustersight.clickhouse.session import Session

SQL = """
SELECT cluster, shard_num, replica_num, host_name, port, is_local
FROM system.clusters ORDER BY cluster, shard_num, replica_num LIMIT 100000
"""
# Ports that say nothing about which server it is: the label leaves them out.
STANDARD_PORTS = frozenset({8123, 8443, 443, 9000, 9440})
# Suffixes of one label that only a private network has.
PRIVATE_SUFFIXES = frozenset(
    {"internal", "local", "localdomain", "lan", "home", "corp", "intranet", "private", "test"}
)
HOST_NAME = re.compile(r"[A-Za-z0-9_.-]+")
NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|\d+")
# A bare name (ch1) has bare neighbours (ch2): nothing with a dot or a colon.
BARE_NAMES = "<bare names>"


@dataclass(frozen=True, slots=True)
class Member:
    """One row of system.clusters. `port` is the native one: the table knows no other."""

    cluster: str
    shard: int
    replica: int
    host: str
    port: int
    is_local: bool


@dataclass(frozen=True, slots=True)
class Node:
    """One server of a cluster. `host` is its label: the address, with the port unless it is a usual one."""

    cluster: str
    host: str
    address: Address
    shard: str = ""
    replica: str = ""
    logical_cluster: str = ""
    is_configured: bool = True


@dataclass(frozen=True, slots=True)
class Topology:
    """The nodes to ask, and the hosts that are known but must not see our credentials."""

    nodes: tuple[Node, ...]
    refused_hosts: tuple[str, ...] = ()
    logical_clusters: tuple[str, ...] = ()


def read_members(session: Session, timeout_seconds: float) -> list[Member]:
    """Every row of system.clusters. Raises ClickHouseError."""
    rows = session.query(SQL, timeout_seconds=timeout_seconds).rows
    return [Member(c, int(s), int(r), host, int(port), bool(local)) for c, s, r, host, port, local in rows]


def alone(cluster: str, address: Address) -> Topology:
    """The topology of which nothing is known but the configured address."""
    return Topology((Node(cluster, host_label(address), address),))


def resolve(
    cluster: str,
    configured: Address,
    members: Sequence[Member],
    logical_cluster: str,
    discover_hosts: Sequence[str],
) -> Topology:
    """The nodes of one logical cluster; the row with is_local is the configured address itself (pure)."""
    names = tuple(sorted({m.cluster for m in members}))
    wanted = [m for m in members if m.cluster == logical_cluster]
    itself = _itself(wanted, configured)
    nodes = [Node(cluster, "", configured, logical_cluster=logical_cluster if wanted else "")]
    refused: list[str] = []
    for member in wanted:
        address = configured if member is itself else _address_of(member, configured)
        if address == configured:
            nodes[0] = _placed(nodes[0], member)
        elif not may_send(address.host, configured.host, discover_hosts):
            refused.append(address.endpoint)
        elif all(address != node.address for node in nodes):
            nodes.append(_placed(replace(nodes[0], address=address, is_configured=False), member))
    return Topology(tuple(label(nodes)), tuple(dict.fromkeys(refused)), names)


def _itself(members: Sequence[Member], configured: Address) -> Member | None:
    """The row of the configured server; 18.16 calls every server on its own machine local."""
    local = [m for m in members if m.is_local]
    exact = [m for m in local if configured.wire is Wire.NATIVE and m.port == configured.port]
    return next(iter(exact or local), None)


def _placed(node: Node, member: Member) -> Node:
    if node.is_configured and node.shard:
        return node  # circular replication names a host in several shards: the first one counts
    return replace(node, shard=str(member.shard), replica=str(member.replica))


def _address_of(member: Member, configured: Address) -> Address:
    port = member.port if configured.wire is Wire.NATIVE else configured.port
    return replace(configured, host=member.host, port=port)


def host_label(address: Address) -> str:
    """The label of an address that stands alone."""
    return address.host if address.port in STANDARD_PORTS else address.endpoint


def label(nodes: Iterable[Node]) -> list[Node]:
    """Nodes with labels that are unique in their cluster: a repeat costs Prometheus the whole page."""
    nodes = list(nodes)
    short = Counter(host_label(node.address) for node in nodes)
    return [
        replace(node, host=node.address.endpoint if short[host] > 1 else host)
        for node in nodes
        for host in [host_label(node.address)]
    ]


def may_send(host: str, configured_host: str, discover_hosts: Sequence[str]) -> bool:
    """Whether our credentials may go to a host that only system.clusters names.

    By `discover_hosts` (patterns such as *.internal, or networks such as 10.0.0.0/8); by default to
    the configured host's own domain suffix or network (/24, /64, the loopback).
    """
    if host.lower() == configured_host.lower():
        return True
    if not _is_host(host):
        return False
    patterns = discover_hosts or _own_neighbourhood(configured_host)
    return any(_matches(host, pattern) for pattern in patterns)


def _is_host(host: str) -> bool:
    """What a URL or a resolver could read as another place (evil/x, 0x08080808) is no host name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(HOST_NAME.fullmatch(host)) and not NUMBER.fullmatch(host.rpartition(".")[2])
    return True


def _own_neighbourhood(host: str) -> list[str]:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        _, dot, suffix = host.partition(".")
        if not dot:
            return [BARE_NAMES]
        # Of shop.example, *.example would be the whole world's: only below the host itself.
        private = "." in suffix or suffix.lower() in PRIVATE_SUFFIXES
        return [f"*.{suffix}" if private else f"*.{host}"]
    bits = 8 if address.is_loopback and address.version == 4 else 24 if address.version == 4 else 64
    return [str(ipaddress.ip_network(f"{host}/{bits}", strict=False))]


def _matches(host: str, pattern: str) -> bool:
    if pattern == BARE_NAMES:
        return "." not in host and ":" not in host
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(pattern, strict=False)
    except ValueError:
        return fnmatch.fnmatchcase(host.lower(), pattern.lower())
