"""Which nodes of a cluster are asked, and to which of them its credentials may go (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from clustersight.addresses import address_of
from clustersight.clickhouse.connection import Address
from clustersight.clickhouse.topology import Node, Topology, alone, may_send
from clustersight.settings.cluster import ClusterSettings
from clustersight.store.nodes import StoredNode


def nodes_of(
    cluster: ClusterSettings, stored: Sequence[StoredNode], discover: Callable[[], Topology]
) -> tuple[Node, ...]:
    """The nodes as the exporter knows them; `discover` asks the server where it knows none.

    What the store says of a former address counts for nothing: a password never follows it there.
    """
    configured = address_of(cluster)
    own = [node for node in stored if (node.address_host, node.address_port) == _place(configured)]
    if not own:
        return discover().nodes if cluster.discover else alone(cluster.name, configured).nodes
    others = [node for node in stored if node is not own[0]] if cluster.discover else []
    allowed = [
        node for node in others if may_send(node.address_host, configured.host, cluster.discover_hosts)
    ]
    return tuple(_node(node, configured, cluster.name) for node in (own[0], *allowed))


def _place(address: Address) -> tuple[str, int]:
    return address.host, address.port


def _node(stored: StoredNode, configured: Address, cluster: str) -> Node:
    address = replace(configured, host=stored.address_host, port=stored.address_port)
    return Node(
        cluster=cluster,
        host=stored.host,
        address=address,
        shard=stored.shard,
        replica=stored.replica,
        logical_cluster=stored.logical_cluster,
        is_configured=address == configured,
    )
