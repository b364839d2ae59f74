"""The families that the score looks at, by their Prometheus name, and the panels that they come from.

The score imports no panel: a test compares these names with the catalogue.
"""

from __future__ import annotations

# The runner's own.
PANEL_UP = "clustersight_panel_up"
PANEL_STATUS = "clustersight_panel_status"

# replication
LAG = "clickhouse_replica_lag_seconds"
MAX_LAG = "clickhouse_replica_max_lag_seconds"
LAG_UNKNOWN = "clickhouse_replica_lag_unknown"
READONLY = "clickhouse_replica_readonly"
READONLY_UNEXPECTED = "clickhouse_replica_readonly_unexpected"
SESSION_EXPIRED = "clickhouse_replica_session_expired"
QUEUE_SIZE = "clickhouse_replica_queue_size"
REPLICAS = "clickhouse_replicas"
REPLICAS_READONLY = "clickhouse_replicas_readonly"
STUCK_TASKS = "clickhouse_replication_queue_stuck_tasks"
ALL_STUCK_TASKS = "clickhouse_replication_tasks_stuck"

# storage
DISK_USAGE = "clickhouse_disk_usage_ratio"
DISK_BROKEN = "clickhouse_disk_broken"
PARTS_PRESSURE = "clickhouse_table_parts_pressure_ratio"
TABLES = "clickhouse_tables"
DETACHED = "clickhouse_detached_parts"
ALL_DETACHED = "clickhouse_detached_parts_all"

# errors
ERRORS = "clickhouse_errors_total"
MUTATIONS_FAILING = "clickhouse_mutations_failing"
MUTATIONS_STUCK = "clickhouse_mutations_stuck"
ALL_MUTATIONS = "clickhouse_mutations_unfinished"
ALL_MUTATIONS_FAILING = "clickhouse_mutations_unfinished_failing"
ALL_MUTATIONS_STUCK = "clickhouse_mutations_unfinished_stuck"
DDL_OLDEST = "clickhouse_ddl_queue_oldest_entry_seconds"
DISTRIBUTION_FILES = "clickhouse_distribution_queue_files"
DISTRIBUTION_ERRORS = "clickhouse_distribution_queue_errors"
DISTRIBUTION_BROKEN = "clickhouse_distribution_queue_broken_files"
DISTRIBUTION_BLOCKED = "clickhouse_distribution_queue_blocked"
LOAD_FAILED = "clickhouse_tables_load_failed"
DICTIONARY_FAILING = "clickhouse_dictionary_failing"
BACKUP_AGE = "clickhouse_backup_last_success_age_seconds"
BACKUPS_FAILED = "clickhouse_backups_failed"
VIEW_FAILING = "clickhouse_view_refresh_failing"
KAFKA_FAILING = "clickhouse_kafka_consumer_failing"

# infrastructure
KEEPER_ONLINE = "clickhouse_keeper_online"
KEEPER_NODE_UP = "clickhouse_keeper_node_up"
KEEPER_NODES = "clickhouse_keeper_nodes"
MEMORY_USAGE = "clickhouse_memory_usage_ratio"
UPTIME = "clickhouse_uptime_seconds"
CLOCK_SKEW = "clickhouse_clock_skew_seconds"

# queries
FAULT_RATIO = "clickhouse_query_server_fault_ratio"
DURATION = "clickhouse_query_duration_seconds"
INITIAL_QUERIES = "clickhouse_initial_queries_total"
RUNNING = "clickhouse_queries_running"
RUNNING_RATIO = "clickhouse_queries_running_ratio"
REFUSED = "clickhouse_queries_refused_total"
DELAYED_INSERTS = "clickhouse_delayed_inserts_total"
REJECTED_INSERTS = "clickhouse_rejected_inserts_total"

# Panels of the whole cluster, which need not run on a node: where no run of them is known they are no
# input, instead of a missing one.
OPTIONAL_PANELS = frozenset({"keeper-nodes", "ddl-queue"})
