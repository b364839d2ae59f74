"""The cluster that a command was told to look at, and the visits that it pays to its nodes."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import click

from clustersight.addresses import address_of
from clustersight.clickhouse import topology
from clustersight.clickhouse.session import Session
from clustersight.clickhouse.topology import Node, Topology
from clustersight.collection import Plan, Watch
from clustersight.commands import config as config_cli
from clustersight.panels.panel import Panel, Scope
from clustersight.problem import SettingsError, unknown
from clustersight.settings.cluster import ClusterSettings
from clustersight.settings.fields import Known
from clustersight.settings.file import Loaded, load
from clustersight.settings.model import Settings
from clustersight.table import visible

# A wrong call, as click's own; 1 is what a command finds out about a cluster.
EXIT_USAGE = 2
# Before it refuses a query, an overloaded server lets it wait for queue_max_wait_ms, 5 s on old ones.
QUERY_SECONDS = 7.0
# Drivers report each failed connection with a traceback; a command says the same in one line.
_NOISY = ("clickhouse_driver", "clickhouse_connect", "urllib3")

CONFIG = click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="clustersight.yaml; without it CLUSTERSIGHT_CONFIG names it.",
)


@dataclass(frozen=True)
class Chosen:
    """One cluster with the settings around it."""

    cluster: ClusterSettings
    settings: Settings

    def plan(self, panels: Sequence[Panel]) -> Plan:
        """A visit with these panels, of both tiers, that asks what the exporter would ask."""
        own = self.cluster.panels
        return Plan(
            panels=panels,
            disabled=frozenset(name for name, panel in own.items() if not panel.enabled),
            deadline_seconds=self.settings.collection.timeout_sec,
            timeouts_seconds={name: panel.timeout_sec for name, panel in own.items() if panel.timeout_sec},
            keeper_nodes=self.cluster.keeper_nodes,
            expected_readonly=self.cluster.expected_readonly,
        )

    def topology(self, session: Session) -> Topology:
        """The configured node, with `discover` all that the server names. Raises ClickHouseError."""
        address = session.address
        if not self.cluster.discover:
            return topology.alone(self.cluster.name, address)
        members = topology.read_members(session, QUERY_SECONDS)
        return topology.resolve(
            self.cluster.name, address, members, self.logical_cluster, self.cluster.discover_hosts
        )

    @property
    def logical_cluster(self) -> str:
        return self.cluster.logical_cluster or "default"

    def watch(self, node: Node | None = None) -> Watch:
        """A watch of one of its nodes, by default the configured one. The caller closes it."""
        node = node or topology.alone(self.cluster.name, address_of(self.cluster)).nodes[0]
        return Watch(node, Session(node.address), Session(node.address))


def of_node(panels: Iterable[Panel], node: Node) -> list[Panel]:
    """The panels that run on a node: those of the whole cluster on the configured one only."""
    return [p for p in panels if node.is_configured or p.scope is not Scope.CLUSTER]


def choose(context: click.Context, file: Path | None, name: str) -> Chosen:
    """Load the configuration and find the cluster; ends the command with 2 where that cannot be done."""
    if os.environ.get("NO_COLOR"):  # no-color.org
        context.color = False
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    try:
        loaded = load(file, os.environ, context.meta.get(config_cli.KNOWN_NAMES, Known()))
    except SettingsError as error:
        refuse(context, *map(str, error.problems))
    clusters = loaded.settings.clusters
    found = next((cluster for cluster in clusters if cluster.name == name), None)
    if found is None:
        known = unknown("cluster", name, [cluster.name for cluster in clusters])
        refuse(context, known if clusters else f"there is no cluster {name!r}: {_nowhere(loaded)}")
    return Chosen(found, loaded.settings)


def _nowhere(loaded: Loaded) -> str:
    if loaded.source is None:
        return "no configuration was given; name it with --config FILE or CLUSTERSIGHT_CONFIG"
    return f"{loaded.source} names no clusters"


def refuse(context: click.Context, *messages: str) -> NoReturn:
    """End the command with 2 and its reasons on standard error."""
    for message in messages:
        click.echo(visible(message), err=True)
    context.exit(EXIT_USAGE)
