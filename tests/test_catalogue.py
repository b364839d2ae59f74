"""The catalogue is whole: every panel listed, every fixed name there, the document as the code."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import Counter
from pathlib import Path

import pytest

from clustersight import catalogue, panels
from clustersight.alerter_metrics import ALERTER
from clustersight.metrics import Kind, Metric, Unit
from clustersight.panels import ALL
from clustersight.panels.panel import Panel

ROOT = Path(__file__).parents[1]

# What spec/metrics.md fixes for the panels that exist; names are other people's queries by now.
FIXED = {
    "server.up": "clickhouse_up",
    "server.version_mismatch": "clickhouse_version_mismatch",
    "server.uptime_seconds": "clickhouse_uptime_seconds",
    "replication.lag_seconds": "clickhouse_replica_lag_seconds",
    "replication.lag_unknown": "clickhouse_replica_lag_unknown",
    "replication.readonly": "clickhouse_replica_readonly",
    "replication.session_expired": "clickhouse_replica_session_expired",
    "replication.queue_size": "clickhouse_replica_queue_size",
    "replication.stuck_tasks": "clickhouse_replication_queue_stuck_tasks",
    "replication.oldest_task_seconds": "clickhouse_replication_queue_oldest_task_seconds",
    "merges.active": "clickhouse_merges_active",
    "merges.longest_seconds": "clickhouse_merge_longest_elapsed_seconds",
    "parts.active": "clickhouse_table_parts",
    "parts.max_in_partition": "clickhouse_table_parts_max_per_partition",
    "parts.pressure_pct": "clickhouse_table_parts_pressure_ratio",
    "parts.delay_pressure_pct": "clickhouse_table_parts_delay_pressure_ratio",
    "parts.total_pressure_pct": "clickhouse_table_parts_total_pressure_ratio",
    "disk.usage_pct": "clickhouse_disk_usage_ratio",
    "disk.free_bytes": "clickhouse_disk_free_bytes",
    "disk.total_bytes": "clickhouse_disk_total_bytes",
    "disk.broken": "clickhouse_disk_broken",
    "mutations.active": "clickhouse_mutations_active",
    "mutations.failing": "clickhouse_mutations_failing",
    "mutations.oldest_seconds": "clickhouse_mutation_oldest_age_seconds",
    "broken_parts.count": "clickhouse_detached_parts",
    "tables.load_failed": "clickhouse_tables_load_failed",
    "pools.merge_saturation_pct": "clickhouse_merge_pool_saturation_ratio",
    "keeper.online": "clickhouse_keeper_online",
    "keeper_nodes.up": "clickhouse_keeper_node_up",
    "keeper_nodes.latency_ms": "clickhouse_keeper_node_latency_seconds",
    "compression.ratio_pct": "clickhouse_table_compression_ratio",
    "queries.running": "clickhouse_queries_running",
    "queries.running_pct": "clickhouse_queries_running_ratio",
    "queries.longest_seconds": "clickhouse_query_longest_running_seconds",
    "memory.usage_pct": "clickhouse_memory_usage_ratio",
    "distribution.pending_files": "clickhouse_distribution_queue_files",
    "distribution.broken_files": "clickhouse_distribution_queue_broken_files",
    "distribution.blocked": "clickhouse_distribution_queue_blocked",
    "distribution.errors": "clickhouse_distribution_queue_errors",
    "dictionaries.failing": "clickhouse_dictionary_failing",
    "dictionaries.stale": "clickhouse_dictionary_stale",
    "views.failing": "clickhouse_view_refresh_failing",
    "kafka.failing": "clickhouse_kafka_consumer_failing",
    "ddl.oldest_seconds": "clickhouse_ddl_queue_oldest_entry_seconds",
    "backups.age_seconds": "clickhouse_backup_last_success_age_seconds",
    "backups.failed": "clickhouse_backups_failed",
    "collector.age_seconds": "clustersight_panel_last_success_timestamp_seconds",
    "collector.ok": "clustersight_panel_up",
    "collector.isolated": "clustersight_targets_isolated",
    "cluster.nodes_down": "clickhouse_cluster_nodes_down",
    "cluster.shards_down": "clickhouse_cluster_shards_down",
    "cluster.versions": "clickhouse_cluster_versions",
}
FIXED_RATES = {
    "collector.age_intervals": "clustersight_panel_last_success_timestamp_seconds",
    "disk.full_in_hours": "clickhouse_disk_usage_ratio",
    "broken_parts.new_24h": "clickhouse_detached_parts",
    "distribution.grown_30m": "clickhouse_distribution_queue_files",
    "queries.p95_times_usual": "clickhouse_query_duration_seconds",
    "server.restarted": "clickhouse_uptime_seconds",
    "zookeeper.exceptions_per_min": "clickhouse_zookeeper_exceptions_total",
    "errors.per_min": "clickhouse_errors_total",
    "queries.per_sec": "clickhouse_queries_total",
    "async_inserts.failed_per_min": "clickhouse_failed_async_inserts_total",
    "inserts.delayed_per_min": "clickhouse_delayed_inserts_total",
    "inserts.rejected_per_min": "clickhouse_rejected_inserts_total",
}
LABELS = {
    "clickhouse_replica_lag_seconds": ("database", "table"),
    "clickhouse_detached_parts": ("database", "table", "reason_class"),
    "clickhouse_disk_usage_ratio": ("disk",),
    "clickhouse_keeper_node_up": ("node",),
    "clickhouse_zookeeper_exceptions_total": ("type",),
    "clickhouse_errors_total": ("error",),
    "clickhouse_queries_total": ("kind",),
    "clickhouse_failed_queries_total": ("kind",),
    "clickhouse_query_duration_seconds": ("quantile",),
    "clickhouse_info": ("version", "shard", "replica", "logical_cluster"),
    "clickhouse_up": (),
    "clickhouse_dictionary_failing": ("database", "dictionary"),
    "clickhouse_distribution_queue_files": ("database", "table"),
    "clickhouse_view_refresh_failing": ("database", "view"),
    "clickhouse_kafka_consumer_failing": ("database", "table"),
    "clickhouse_ddl_queue_oldest_entry_seconds": (),
    "clickhouse_backup_last_success_age_seconds": (),
}
PANELS = {
    "replication", "merges", "disk", "mutations", "broken-parts", "keeper", "keeper-nodes", "zookeeper",
    "compression", "errors", "parts", "queries", "replication-queue", "server",
    "distribution", "dictionaries", "views", "kafka", "backups", "ddl-queue",
    "tables", "part-log", "async-inserts",
}  # fmt: skip


def by_name() -> dict[str, Metric]:
    return {metric.name: metric for metric in catalogue.metrics()}


def test_every_panel_of_the_issue_is_in_all() -> None:
    assert {panel.name for panel in ALL} >= PANELS


def test_every_panel_module_is_listed_and_named_after_its_panel() -> None:
    modules = [name for _, name, _ in pkgutil.iter_modules(panels.__path__)]
    defining = {
        name.replace("_", "-")
        for name in modules
        for module in [importlib.import_module(f"clustersight.panels.{name}")]
        if isinstance(getattr(module, "PANEL", None), Panel)
    }

    assert defining - {"builtin"} == {panel.name for panel in ALL}


@pytest.mark.parametrize(("key", "name"), FIXED.items())
def test_a_fixed_key_has_its_fixed_name(key: str, name: str) -> None:
    assert by_name()[name].key == key


@pytest.mark.parametrize(("key", "source"), FIXED_RATES.items())
def test_a_fixed_rate_is_made_of_its_fixed_counter(key: str, source: str) -> None:
    (rate,) = [rate for rate in catalogue.rates() if rate.key == key]

    assert source in rate.sources
    assert source in rate.expr


@pytest.mark.parametrize(("name", "labels"), LABELS.items())
def test_labels_are_those_of_the_contract(name: str, labels: tuple[str, ...]) -> None:
    assert by_name()[name].labels == labels


def test_no_family_and_no_key_is_declared_twice() -> None:
    names = Counter(metric.name for metric in catalogue.metrics())
    keys = Counter([m.key for m in catalogue.metrics() if m.key] + [rate.key for rate in catalogue.rates()])

    assert [name for name, count in (names + keys).items() if count > 1] == []


@pytest.mark.parametrize("metric", catalogue.metrics(), ids=lambda m: m.name)
def test_a_metric_is_named_as_prometheus_has_it(metric: Metric) -> None:
    assert re.fullmatch(r"(clickhouse|clustersight)_[a-z0-9_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert not re.search(r"_(ms|pct|percent|kb|mb|minutes)$", metric.name)
    assert metric.help.endswith(".")
    # Only the page of clusters' metrics has cluster and host by itself; the alerter speaks of clusters too.
    assert not {"cluster", "host", "instance"} & set(metric.labels) or metric in ALERTER
    if metric.unit is Unit.PERCENT:
        assert metric.name.endswith("_ratio")
    if metric.unit is Unit.MILLISECONDS:
        assert metric.name.endswith("_seconds")


def test_the_document_is_what_the_code_says() -> None:
    written = (ROOT / "docs" / "METRICS.md").read_text(encoding="utf-8")

    assert written == catalogue.document(), "run `make generate`"


def test_sql_on_system_tables_is_only_where_it_belongs() -> None:
    allowed = (
        "clustersight/clickhouse/",
        "clustersight/panels/",
        "clustersight/inspector/",
        "clustersight/demo/",
        "clustersight/collect.py",
    )
    offenders = [
        str(file.relative_to(ROOT))
        for package in ("clustersight", "exporter", "config")
        for file in (ROOT / package).rglob("*.py")
        if re.search(r"\bFROM\s+system\.", file.read_text(encoding="utf-8"))
        and not str(file.relative_to(ROOT)).startswith(allowed)
    ]

    assert offenders == []
