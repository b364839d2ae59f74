"""Rows of the panels that go beyond the published reference."""

from __future__ import annotations

from pydantic import Field

from api.panels.shapes import Bytes, NodeRow, Percent, Seconds, TableRow


class ServerRow(NodeRow):
    """A server: clock, memory and connections against their limits; null where it cannot be read."""

    version: str
    uptime_seconds: Seconds | None
    clock_skew_seconds: Seconds | None
    memory_bytes: float | None
    memory_limit_bytes: float | None
    memory_usage_pct: Percent | None
    connections: dict[str, float]
    max_connections: float | None
    connections_pct: Percent | None
    merge_pool_saturation_pct: Percent | None
    interserver_errors: dict[str, float]
    replicated_data_losses: float


class QueriesRow(NodeRow):
    """Queries of a node: now, since its start, and of the last window of query_log."""

    running: int
    running_pct: Percent | None
    max_concurrent_queries: float | None
    longest_seconds: Seconds
    longest_query_id: str | None
    longest_user: str | None
    longest_query_hash: str | None
    queries: dict[str, float]
    failed_queries: dict[str, float] | None
    log_read_at: str | None
    log_note: str | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    selects: int | None
    finished: int | None
    failed: int | None
    server_faults: int | None
    server_fault_pct: Percent | None


class PartsRow(TableRow):
    """A table with many parts, against its own limits."""

    active_parts: int
    partitions: int
    max_in_partition: int
    worst_partition: str
    throw_limit: int | None
    delay_limit: int | None
    total_limit: int | None
    pressure_pct: Percent | None
    delay_pressure_pct: Percent | None
    total_pressure_pct: Percent | None


class ReplicationQueueRow(TableRow):
    """What the replica of a table has still to do; `worst_*` is of the task that was tried most often."""

    tasks: int
    executing: int
    failing_tasks: int
    postponed_tasks: int
    stuck_tasks: int
    oldest_task_seconds: Seconds
    worst_type: str
    worst_part: str
    worst_source_replica: str
    worst_tries: int
    last_exception: str
    postpone_reason: str


class DistributionRow(TableRow):
    """What a Distributed table has still to send; `errors` are of targets that fail now."""

    targets: int
    pending_files: int
    pending_bytes: Bytes
    broken_files: int | None = Field(description="Null where the version does not tell.")
    is_blocked: bool
    errors: int
    last_exception_at: str | None
    last_exception: str


class DictionaryRow(NodeRow):
    """A dictionary; one of a configuration file has no database."""

    database: str
    dictionary: str
    status: str
    is_failing: bool = Field(description="Also after a restart of the server, until it is loaded.")
    is_stale: bool
    errors: int
    last_update_at: str | None
    age_seconds: Seconds | None
    lifetime_seconds: Seconds
    bytes: int
    last_exception: str


class ViewRow(NodeRow):
    """A refreshable materialized view; `age_seconds` is since its last refresh that succeeded."""

    database: str
    view: str
    status: str
    is_failing: bool
    last_success_at: str | None
    age_seconds: Seconds | None
    next_refresh_at: str | None
    retries: int
    exception: str


class KafkaRow(TableRow):
    """The consumers of a Kafka table; the last exception may be an old one."""

    consumers: int
    failing_consumers: int = Field(description="With an exception in the last 10 minutes.")
    messages: int = Field(description="Read since the table was attached.")
    last_poll_at: str | None
    last_commit_at: str | None
    last_exception_at: str | None
    last_exception: str


class BackupsRow(NodeRow):
    """Backups that a node made; `failed` are those since its last one that succeeded."""

    succeeded_at: str | None
    failed_at: str | None
    failed: int
    running: int
    last_error: str


class DdlQueueRow(NodeRow):
    """A node that DDL ON CLUSTER waits for; `host` is the one that was asked."""

    node: str
    is_live: bool | None = Field(description="Whether it is watched and answers; null where nobody watches.")
    unfinished: int
    oldest_seconds: Seconds
    oldest_entry: str
