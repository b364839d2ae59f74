"""Every panel, one module and one line each; the order is the order of a visit and of the documents."""

from clustersight.panels import (
    broken_parts,
    compression,
    disk,
    errors,
    keeper,
    keeper_nodes,
    merges,
    mutations,
    parts,
    queries,
    replication,
    replication_queue,
    server,
    zookeeper,
)
from clustersight.panels.panel import Panel

ALL: tuple[Panel, ...] = (
    server.PANEL,
    queries.PANEL,
    parts.PANEL,
    replication.PANEL,
    replication_queue.PANEL,
    merges.PANEL,
    mutations.PANEL,
    disk.PANEL,
    errors.PANEL,
    zookeeper.PANEL,
    broken_parts.PANEL,
    compression.PANEL,
    keeper.PANEL,
    keeper_nodes.PANEL,
)

NAMES: frozenset[str] = frozenset(panel.name for panel in ALL)
