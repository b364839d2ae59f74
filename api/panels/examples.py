"""One answer of each panel, for the document."""

from __future__ import annotations

from typing import Any

from api.panels import insert_examples

HOST = "ch1.internal"
AT = "2026-03-22T14:00:00Z"
_TABLE = {"host": HOST, "database": "shop", "table": "orders"}


def _ranged(name: str | int, metric: str, labels: dict[str, str], current: dict[str, Any]) -> dict[str, Any]:
    return {
        "range": name,
        "from": "2026-03-22T13:00:00Z",
        "to": AT,
        "step_sec": 30,
        "series": [{"metric": metric, "labels": labels, "points": [[1774184400, 3.0], [1774184430, None]]}],
        "current": [current],
    }


_REPLICA = {
    **_TABLE,
    "replica": "replica1",
    "lag_seconds": 3,
    "lag_unknown": False,
    "is_readonly": False,
    "readonly_since": None,
    "expected": False,
    "is_session_expired": False,
    "queue_size": 2,
    "inserts_in_queue": 1,
    "merges_in_queue": 1,
    "oldest_task_age_seconds": 4,
    "stuck_tasks": 0,
    "last_exception": "",
    "status": "ok",
}
_MERGE = {
    **_TABLE,
    "result_part": "202603_1_100_5",
    "elapsed_seconds": 12.5,
    "progress": 0.25,
    "eta_seconds": 37.5,
    "num_parts": 6,
    "size_bytes": 734003200,
    "memory_bytes": 52428800,
    "is_mutation": False,
    "is_stuck": False,
}
_DISK = {
    "host": HOST,
    "disk": "default",
    "path": "/var/lib/clickhouse/",
    "type": "Local",
    "used_bytes": 840000000000,
    "free_bytes": 160000000000,
    "unreserved_bytes": 159000000000,
    "total_bytes": 1000000000000,
    "usage_pct": 84.0,
    "is_broken": False,
    "is_read_only": False,
    "full_in_hours": 71.5,
}
_MUTATION = {
    **_TABLE,
    "mutation_id": "m_2",
    "command": "(UPDATE total = 0 WHERE id = 7)",
    "created_at": "2026-03-22T13:20:00Z",
    "age_seconds": 2400,
    "parts_to_do": 3,
    "parts_done_pct": 40.0,
    "is_stuck": False,
    "is_failing": True,
    "latest_fail_reason": "Code: 241. Memory limit exceeded",
    "latest_failed_part": "202603_1_1_0",
    "fix_command": "KILL MUTATION WHERE database = 'shop' AND table = 'orders' AND mutation_id = 'm_2'",
    "real_table": "orders",
}
_BROKEN = {**_TABLE, "reason": "broken-on-start", "reason_class": "broken", "count": 1, "bytes": 4723}
_KEEPER = {
    "host": HOST,
    "status": "ONLINE",
    "session_uptime_seconds": 86400,
    "connected_to": "keeper1:9181",
    "last_error": "",
}
_KEEPER_NODE = {
    "node": "keeper1:9181",
    "host": "keeper1",
    "port": 9181,
    "status": 1,
    "state": "leader",
    "latency_ms": 1.2,
    "role": "leader",
    "version": "v24.8.4.13-lts",
    "outstanding_requests": 0,
    "znode_count": 412,
    "ephemerals": 9,
    "watches": 31,
    "followers": 2,
    "synced_followers": 2,
    "source": "configuration",
    "error": "",
}
_ZOOKEEPER = {
    "host": HOST,
    "sessions": 1,
    "session_expired": 0,
    "watches": 31,
    "requests_in_flight": 0,
    "transactions_per_sec": 12.5,
    "hardware_exceptions_per_min": 0.0,
    "user_exceptions_per_min": 0.4,
    "wait_ms_avg": 1.1,
}
_COMPRESSION = {
    **_TABLE,
    "compressed_bytes": 200000000,
    "uncompressed_bytes": 1000000000,
    "ratio": 0.2,
    "ratio_pct": 20.0,
    "rows": 12000000,
}
_ERROR = {
    "host": HOST,
    "name": "MEMORY_LIMIT_EXCEEDED",
    "code": 241,
    "count_in_range": 2,
    "total": 17,
    "last_error_time": AT,
    "last_error_message": "Memory limit (total) exceeded",
    "remote": False,
    "is_critical": True,
}
_PARTS = {
    **_TABLE,
    "active_parts": 940,
    "partitions": 3,
    "max_in_partition": 900,
    "worst_partition": "202603",
    "throw_limit": 3000,
    "delay_limit": 1000,
    "total_limit": 100000,
    "pressure_pct": 30.0,
    "delay_pressure_pct": 90.0,
    "total_pressure_pct": 0.94,
}
_QUERIES = {
    "host": HOST,
    "running": 3,
    "running_pct": 3.0,
    "max_concurrent_queries": 100,
    "longest_seconds": 12.4,
    "longest_query_id": "a81a7d74-fb41-49e0-a149-09775c872e90",
    "longest_user": "reports",
    "longest_query_hash": "18384270330648720007",
    "queries": {"select": 1204, "insert": 320, "other": 12},
    "failed_queries": {"select": 3, "insert": 0, "other": 0},
    "log_read_at": AT,
    "log_note": None,
    "p50_ms": 8.0,
    "p95_ms": 120.0,
    "p99_ms": 900.0,
    "selects": 340,
    "finished": 410,
    "failed": 2,
    "server_faults": 0,
    "server_fault_pct": 0.0,
}
_QUEUE = {
    **_TABLE,
    "tasks": 4,
    "executing": 1,
    "failing_tasks": 0,
    "postponed_tasks": 1,
    "stuck_tasks": 0,
    "oldest_task_seconds": 12,
    "worst_type": "GET_PART",
    "worst_part": "202603_101_101_0",
    "worst_source_replica": "replica2",
    "worst_tries": 2,
    "last_exception": "",
    "postpone_reason": "",
}
_SERVER = {
    "host": HOST,
    "version": "26.9.2.1",
    "uptime_seconds": 864000,
    "clock_skew_seconds": 0.1,
    "memory_bytes": 8000000000,
    "memory_limit_bytes": 64000000000,
    "memory_usage_pct": 12.5,
    "connections": {"tcp": 3, "http": 5},
    "max_connections": 4096,
    "connections_pct": 0.2,
    "merge_pool_saturation_pct": 6.25,
    "interserver_errors": {"distributed": 0, "fetch": 0},
    "replicated_data_losses": 0,
}
_BACKUPS = {
    "host": HOST,
    "succeeded_at": AT,
    "failed_at": None,
    "failed": 0,
    "running": 0,
    "last_error": "",
}
_DDL_QUEUE = {
    "host": HOST,
    "node": "ch2.internal:9000",
    "is_live": True,
    "unfinished": 2,
    "oldest_seconds": 1260,
    "oldest_entry": "query-0000000412",
}
_LABELS = {"host": HOST, "database": "shop", "table": "orders"}

BY_PANEL: dict[str, Any] = {
    "replication": _ranged("1h", "replication.lag_seconds", _LABELS, _REPLICA),
    "merges": _ranged("1h", "merges.active", _LABELS, _MERGE),
    "disk": [_DISK],
    "mutations": [_MUTATION],
    "broken-parts": [_BROKEN],
    "keeper": [_KEEPER],
    "keeper-nodes": [_KEEPER_NODE],
    "zookeeper": [_ZOOKEEPER],
    "compression": [_COMPRESSION],
    "errors": _ranged(3600, "errors.per_min", {"host": HOST, "error": "MEMORY_LIMIT_EXCEEDED"}, _ERROR),
    "parts": [_PARTS],
    "queries": [_QUERIES],
    "replication-queue": [_QUEUE],
    "server": [_SERVER],
    "backups": [_BACKUPS],
    "ddl-queue": [_DDL_QUEUE],
    **insert_examples.BY_PANEL,
}
