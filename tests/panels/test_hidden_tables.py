"""A user without SHOW TABLES sees no rows and no error (ClickHouse#35239): the panels must say so."""

from __future__ import annotations

from collections.abc import Callable

from clustersight.panels import (
    broken_parts,
    compression,
    dictionaries,
    distribution,
    kafka,
    merges,
    mutations,
    parts,
    replication,
    replication_queue,
    views,
)
from clustersight.panels.panel import Status
from tests.panels.tables import address_of
from tests.panels.visiting import visit
from tests.servers.embedded import EmbeddedServer

READS = (
    "metrics", "events", "asynchronous_metrics", "merge_tree_settings", "replicated_merge_tree_settings",
    "merges", "mutations", "parts", "detached_parts", "settings", "replicas", "replication_queue",
    "distribution_queue", "dictionaries", "view_refreshes", "kafka_consumers",
)  # fmt: skip
PANELS = (
    merges.PANEL, mutations.PANEL, broken_parts.PANEL, parts.PANEL, compression.PANEL, replication.PANEL,
    replication_queue.PANEL, distribution.PANEL, dictionaries.PANEL, views.PANEL, kafka.PANEL,
)  # fmt: skip


def test_hidden_rows_are_access_denied(own_embedded: Callable[..., EmbeddedServer]) -> None:
    server = own_embedded(grants=[f"GRANT SELECT ON system.{table}" for table in READS])
    panels = PANELS
    found = visit(address_of(server), *panels)
    assert {run.panel.name: run.status for run in found.runs} == {
        panel.name: Status.ACCESS_DENIED for panel in panels
    }
    assert all("GRANT SHOW TABLES" in run.error for run in found.runs)


def test_with_show_tables_nothing_is_denied(own_embedded: Callable[..., EmbeddedServer]) -> None:
    grants = [*(f"GRANT SELECT ON system.{table}" for table in READS), "GRANT SHOW TABLES ON *.*"]
    server = own_embedded(grants=grants)
    panels = PANELS
    found = visit(address_of(server), *panels)
    assert {run.panel.name: (run.status, run.error) for run in found.runs} == {
        panel.name: (Status.OK, "") for panel in panels
    }
