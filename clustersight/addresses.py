"""A cluster of the configuration as an address that can be connected to."""

from __future__ import annotations

from clustersight.clickhouse.connection import Address, Wire
from clustersight.settings.cluster import ClusterSettings


def address_of(cluster: ClusterSettings) -> Address:
    """The configured address, with its credentials."""
    return Address(
        host=cluster.host,
        port=cluster.port,
        wire=Wire(str(cluster.protocol)),
        secure=bool(cluster.secure),
        username=cluster.username,
        password=cluster.password.get_secret_value() if cluster.password else "",
        verify=cluster.verify,
        ca_cert=cluster.ca_cert,
        client_cert=cluster.client_cert,
        client_key=cluster.client_key,
    )
