"""What the runner itself produces of each node and panel: the catalogue list beside panels.ALL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from clustersight import last_backup
from clustersight.clickhouse.topology import Node
from clustersight.collection import Collection, PanelRun
from clustersight.metrics import Kind, Metric, Rate, Reading, Sample, Unit
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
PANEL_INTERVAL = Metric(
    "clustersight_panel_interval_seconds",
    "Time between two runs of a panel; absent where it is unsupported or disabled.",
    ("panel",),
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
VERSIONS = Metric(
    "clickhouse_cluster_versions",
    "Different versions that the nodes of the cluster that answer run.",
    key="cluster.versions",
    unit=Unit.COUNT,
    cluster_only=True,
    history=True,
)
NODES_DOWN = Metric(
    "clickhouse_cluster_nodes_down",
    "Nodes of the cluster that do not answer.",
    key="cluster.nodes_down",
    unit=Unit.COUNT,
    cluster_only=True,
    history=True,
)
SHARDS_DOWN = Metric(
    "clickhouse_cluster_shards_down",
    "Shards of the cluster none of whose replicas answers; absent where its shards are not known.",
    key="cluster.shards_down",
    unit=Unit.COUNT,
    cluster_only=True,
    history=True,
)
ISOLATED = Metric(
    "clustersight_targets_isolated",
    "1 while half of the nodes of all clusters, and three at least, do not answer: then it is rather this"
    " exporter that is cut off.",
    key="collector.isolated",
    unit=Unit.BOOL,
    cluster_only=True,
    history=True,
)
# Two nodes fail together now and then.
LEAST_ISOLATED = 3

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

# Of the API as a process: without cluster and host too.
API_REQUESTS = Metric(
    "clustersight_api_requests_total",
    "Answered requests of all workers since the start.",
    ("route", "method", "status"),
    Kind.COUNTER,
)
API_DURATION = Metric(
    "clustersight_api_request_duration_seconds",
    "Time from the head of a request to its answer, without sending it.",
    ("route",),
    Kind.HISTOGRAM,
)
API: tuple[Metric, ...] = (API_REQUESTS, API_DURATION)

RUNNER: tuple[Metric, ...] = (
    UP, INFO, VERSION_MISMATCH, PANEL_UP, LAST_SUCCESS, STATUS, DURATION, READ_ROWS, DROPPED, COLLECTION,
    REFUSED_HOSTS, PANEL_INTERVAL, VERSIONS, NODES_DOWN, SHARDS_DOWN, ISOLATED, *last_backup.METRICS,
)  # fmt: skip

# What readers compute from them.
RUNNER_RATES: tuple[Rate, ...] = (
    Rate(
        "collector.age_intervals",
        Unit.NONE,
        "How long ago a panel was last read well, in its own intervals; absent where it does not run.",
        (LAST_SUCCESS.name, PANEL_INTERVAL.name),
        f"(time() - {LAST_SUCCESS.name}) / {PANEL_INTERVAL.name}",
        ("panel",),
        reading=Reading.AGE_INTERVALS,
    ),
)

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
    runs: Mapping[str, PanelRun],
    last_success: Mapping[str, float],
    dropped: Mapping[str, int],
    intervals: Mapping[str, float] | None = None,
) -> Iterator[Sample]:
    """Of each panel's last run; the times of `last_success` are wall seconds, `intervals` are seconds."""
    for name, run in runs.items():
        labels = (name,)
        yield Sample(STATUS, (name, run.status.value), 1.0)
        if run.status not in _NEITHER:
            yield Sample(PANEL_UP, labels, float(run.status is Status.OK))
            yield Sample(DURATION, labels, run.duration_seconds)
            yield Sample(READ_ROWS, labels, float(run.read_rows))
            yield Sample(DROPPED, labels, float(dropped.get(name, 0)))
            if intervals is not None:
                yield Sample(PANEL_INTERVAL, labels, intervals[name])
        if name in last_success:
            yield Sample(LAST_SUCCESS, labels, last_success[name])


def cluster_samples(nodes: Mapping[Node, Collection | None]) -> Iterator[Sample]:
    """Of a cluster as a whole, from the last visit to each node; None: not visited yet."""
    visited = [visit for visit in nodes.values() if visit is not None]
    versions = {visit.greeting.version for visit in visited if visit.up and visit.greeting}
    if versions:
        yield Sample(VERSION_MISMATCH, (), float(len(versions) > 1))
        yield Sample(VERSIONS, (), float(len(versions)))
    yield Sample(NODES_DOWN, (), float(sum(not visit.up for visit in visited)))
    shards = {node.shard for node in nodes if node.shard}
    if shards:
        answering = {n.shard for n, visit in nodes.items() if visit is None or visit.up}
        yield Sample(SHARDS_DOWN, (), float(len(shards - answering)))


def isolated_sample(visits: Sequence[Collection | None]) -> Sample:
    """Of all nodes of all clusters, for each of them: whether it is rather the monitor that is cut off."""
    down = sum(visit is not None and not visit.up for visit in visits)
    return Sample(ISOLATED, (), float(down >= LEAST_ISOLATED and 2 * down >= len(visits)))
