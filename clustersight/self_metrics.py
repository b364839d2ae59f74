"""What the runner itself produces of each node and panel: the catalogue list beside panels.ALL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clustersight.clickhouse.topology import Node
from clustersight.collection import Collection, PanelRun
from clustersight.metrics import Kind, Metric, Sample, Unit
from clustersight.panels.panel import Status

UP = Metric(
    "clickhouse_up",
    "1 if the server answered, be it with an exception; 0: no connection, or no answer in time.",
    key="server.up",
    unit=Unit.BOOL,
    history=True,
)
INFO = Metric(
    "clickhouse_info",
    "1; version and place of the server stand in the labels (join with group_left).",
    ("version", "shard", "replica", "logical_cluster"),
)
LAST_SUCCESS = Metric(
    "clustersight_panel_last_success_timestamp_seconds",
    "When a panel was last read well; its age is now minus this.",
    ("panel",),
    key="collector.age_seconds",
    unit=Unit.SECONDS,
)
PANEL_UP = Metric(
    "clustersight_panel_up",
    "1 if the panel's last run ended ok; absent where it is unsupported or disabled.",
    ("panel",),
    key="collector.ok",
    unit=Unit.BOOL,
    history=True,
)
STATUS = Metric(
    "clustersight_panel_status",
    "1 for the status in which a panel's last run ended; the other statuses are absent.",
    ("panel", "status"),
)
DURATION = Metric("clustersight_panel_duration_seconds", "Duration of a panel's last run.", ("panel",))
READ_ROWS = Metric("clustersight_panel_read_rows", "Rows that ClickHouse read for the last run.", ("panel",))
DROPPED = Metric(
    "clustersight_series_dropped",
    "Series of the panel that are not on this page, cut by max_rows_per_panel or max_series.",
    ("panel",),
)
COLLECTION = Metric("clustersight_collection_duration_seconds", "Duration of the last visit to the node.")
REFUSED_HOSTS = Metric(
    "clustersight_discovery_refused_hosts",
    "Hosts in system.clusters that are not asked, since discover_hosts does not let credentials go there.",
    cluster_only=True,
)
VERSION_MISMATCH = Metric(
    "clickhouse_version_mismatch",
    "1 if the nodes of the cluster that answer run more than one version.",
    key="server.version_mismatch",
    unit=Unit.BOOL,
    cluster_only=True,
    history=True,
)

BUILD_INFO = Metric("clustersight_build_info", "1; the version.", ("version",))
RELOAD_SUCCESSFUL = Metric(
    "clustersight_config_last_reload_successful",
    "1 if the last reload of the configuration was taken over.",
)
RELOADED_AT = Metric(
    "clustersight_config_last_reload_success_timestamp_seconds", "When a configuration was last taken over."
)
SERIES = Metric("clustersight_exporter_series", "Series of the clusters on this page.")
VISITS = Metric("clustersight_exporter_visits_total", "Visits to nodes since the start.", kind=Kind.COUNTER)
STORE_UP = Metric(
    "clustersight_store_up", "1 if the last write to the store succeeded; collecting goes on without it."
)
LEADER = Metric(
    "clustersight_exporter_leader", "1 if this exporter works on its store, 0 while it stands by for another."
)
VISITS_STORED = Metric(
    "clustersight_exporter_visits_stored_total", "Visits that were written to the store.", kind=Kind.COUNTER
)
VISITS_NOT_STORED = Metric(
    "clustersight_exporter_visits_not_stored_total",
    "Visits that were not: the store failed, or a later visit to the node overtook them.",
    kind=Kind.COUNTER,
)

# Of the exporter as a process: without cluster and host.
EXPORTER: tuple[Metric, ...] = (
    BUILD_INFO, RELOAD_SUCCESSFUL, RELOADED_AT, SERIES, VISITS, STORE_UP, LEADER, VISITS_STORED,
    VISITS_NOT_STORED,
)  # fmt: skip

RUNNER: tuple[Metric, ...] = (
    UP, INFO, VERSION_MISMATCH, PANEL_UP, LAST_SUCCESS, STATUS, DURATION, READ_ROWS, DROPPED, COLLECTION,
    REFUSED_HOSTS,
)  # fmt: skip

_NEITHER = frozenset({Status.UNSUPPORTED, Status.DISABLED})


def node_samples(collection: Collection, node: Node) -> Iterator[Sample]:
    """Of the node as a whole: whether it answered, who it is, how long the visit took (seconds)."""
    greeting = collection.greeting
    yield Sample(UP, (), float(collection.up))
    yield Sample(COLLECTION, (), collection.duration_seconds)
    if greeting is not None:
        labels = (greeting.version, node.shard, node.replica, node.logical_cluster)
        yield Sample(INFO, labels, 1.0)


def panel_samples(
    runs: Mapping[str, PanelRun], last_success: Mapping[str, float], dropped: Mapping[str, int]
) -> Iterator[Sample]:
    """Of each panel's last run; the times of `last_success` are wall seconds."""
    for name, run in runs.items():
        labels = (name,)
        yield Sample(STATUS, (name, run.status.value), 1.0)
        if run.status not in _NEITHER:
            yield Sample(PANEL_UP, labels, float(run.status is Status.OK))
            yield Sample(DURATION, labels, run.duration_seconds)
            yield Sample(READ_ROWS, labels, float(run.read_rows))
            yield Sample(DROPPED, labels, float(dropped.get(name, 0)))
        if name in last_success:
            yield Sample(LAST_SUCCESS, labels, last_success[name])
