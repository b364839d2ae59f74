"""What the published reference promises (its 37 routes, and what was added since): paths, statuses, fields.

Fields beyond these are allowed, missing or renamed ones are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Form(Enum):
    """What `data` is."""

    OBJECT = "an object"
    ROWS = "an array of objects"
    SERIES = "a time series, with rows of now in `current`"


@dataclass(frozen=True)
class Promise:
    """A route. `{cluster}`, `{rule}`, `{silence}` are made for the request, `{alert}` is one that fires.

    `data` are the fields of the object or of each row; `rows`: the demo must have some.
    """

    method: str
    path: str
    data: frozenset[str]
    form: Form = Form.OBJECT
    status: int = 200
    meta: frozenset[str] = frozenset()
    body: Any = None
    code: str = ""
    rows: bool = False
    query: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


CLUSTER = names(
    "id name host port protocol secure verify ca_cert username logical_cluster keeper_nodes expected_readonly"
    " managed_by discover labels collector_status last_collected_at last_error version logical_clusters"
    " created_at updated_at"
)
NEW_CLUSTER = {
    "host": "clickhouse.internal",
    "port": 8123,
    "username": "clustersight_ro",
    "password": "readonly_password",
    "name": "production",
}
DELETED = names("id deleted")
RULE = names(
    "id name rule_type origin metric_key match operator threshold for_sec keep_firing_for_sec"
    " resolve_threshold severity cooldown_sec enabled cluster_ids summary description runbook_url fix state"
    " last_evaluated_at last_error active_alerts"
    # Beyond it.
    " no_data raises inhibited_by group labels sql run_on interval_sec"
)
NEW_RULE = {
    "name": "My Custom Rule",
    "metric_key": "disk.usage_pct",
    "operator": ">",
    "threshold": 70.0,
    "severity": "warning",
    "cooldown_sec": 3600,
}
ALERT = names(
    "id rule_id rule_name cluster_id cluster_name metric_key labels severity status value threshold operator"
    " summary description fix_command evidence fired_at acknowledged_at acknowledged_by resolved_at"
    " resolve_reason snoozed_until escalated_at version"
    # Beyond it.
    " host runbook_url inhibited_by silenced_by channels delivery"
)
SILENCE = names("id matchers starts_at ends_at by comment")
CHANNEL = names("name kind state since paused_until last_error last_delivered_at match")
NEW_SILENCE = {
    "matchers": [{"label": "alertname", "op": "=", "value": "DiskUsage"}],
    "duration_minutes": 60,
    "by": "ada",
    "comment": "maintenance",
}
SETTINGS = names(
    "slack_webhook_url collection_interval_sec tier1_enabled tier2_enabled retention_raw_days"
    " retention_hourly_days retention_daily_days"
)
OF_PANEL = names("cache_hit cluster_id collected_at age_sec stale status unsupported")
OF_PAGE = names("total limit offset has_more")
OF_SERIES = names("range from to step_sec series current")
COMPONENT = names("score label weight deductions")
COMPONENTS = names("replication storage errors infrastructure queries")
DEDUCTION = names("points reason metric_key labels value")


def _panel(name: str, fields: str, *, rows: bool = True) -> Promise:
    return Promise("GET", f"/panels/{name}", names(fields), Form.ROWS, meta=OF_PANEL, rows=rows)


def _series(name: str, span: Any, fields: str, *, rows: bool = True) -> Promise:
    return Promise(
        "GET",
        f"/panels/{name}",
        names(fields),
        Form.SERIES,
        meta=OF_PANEL | {"series_total"},
        rows=rows,
        query={"range": span},
    )


# The published reference, in its order.
PUBLISHED: tuple[Promise, ...] = (
    Promise("GET", "/health", names("version")),
    Promise(
        "GET",
        "/overview",
        names(
            "id name host port health_score grade active_alert_count collector_status last_collected_at"
            " logical_cluster_count alert_counts collection_state version"
        ),
        Form.ROWS,
        rows=True,
    ),
    Promise("GET", "/clusters", CLUSTER, Form.ROWS, rows=True),
    Promise("POST", "/clusters", CLUSTER, status=201, body=NEW_CLUSTER),
    Promise(
        "POST",
        "/clusters/test",
        names("success message clusters keeper_nodes version nodes missing_grants unsupported_panels"),
        body=NEW_CLUSTER,
    ),
    Promise("GET", "/clusters/{cluster}", CLUSTER),
    Promise("PUT", "/clusters/{cluster}", CLUSTER, body={"labels": {"env": "test"}}),
    Promise("DELETE", "/clusters/{cluster}", DELETED),
    Promise(
        "GET",
        "/panels/health-score",
        names("overall_score grade trend previous_score components calculated_at"),
        meta=OF_PANEL,
    ),
    _series(
        "replication",
        "1h",
        "host database table lag_seconds lag_unknown is_readonly readonly_since is_session_expired queue_size"
        " inserts_in_queue merges_in_queue oldest_task_age_seconds stuck_tasks last_exception status",
    ),
    _series(
        "merges",
        "6h",
        "host database table result_part elapsed_seconds progress eta_seconds num_parts size_bytes"
        " memory_bytes is_mutation",
        rows=False,  # they come and go
    ),
    _panel(
        "disk",
        "host disk path type used_bytes free_bytes unreserved_bytes total_bytes usage_pct is_broken"
        " is_read_only full_in_hours",
    ),
    _panel(
        "mutations",
        "host database table mutation_id command created_at age_seconds parts_to_do parts_done_pct is_stuck"
        " is_failing latest_fail_reason latest_failed_part fix_command",
    ),
    _panel("broken-parts", "host database table reason reason_class count bytes"),
    _panel("keeper", "status host session_uptime_seconds connected_to last_error"),
    _panel(
        "keeper-nodes",
        "node host port status state latency_ms role version outstanding_requests znode_count ephemerals"
        " watches followers synced_followers error",
    ),
    _panel(
        "zookeeper",
        "host sessions session_expired watches requests_in_flight transactions_per_sec"
        " hardware_exceptions_per_min user_exceptions_per_min wait_ms_avg",
    ),
    _panel("compression", "host database table compressed_bytes uncompressed_bytes ratio ratio_pct rows"),
    _series(
        "errors",
        21600,
        "name code count_in_range total last_error_time last_error_message remote is_critical",
    ),
    Promise(
        "GET",
        "/alerts/rules/metrics",
        names("key unit description labels prometheus_name panel tier supported"),
        Form.ROWS,
        rows=True,
    ),
    Promise("GET", "/alerts/rules", RULE, Form.ROWS),
    Promise("POST", "/alerts/rules", RULE, status=201, body=NEW_RULE),
    Promise("PUT", "/alerts/rules/{rule}", RULE, body={"threshold": 80.0}),
    Promise("DELETE", "/alerts/rules/{rule}", DELETED),
    Promise(
        "GET",
        "/alerts/history",
        ALERT,
        Form.ROWS,
        meta=OF_PAGE,
        query={"status": "active", "severity": "critical", "hours": 24, "limit": 50, "offset": 0},
    ),
    Promise("POST", "/alerts/{alert}/acknowledge", ALERT),
    Promise(
        "POST",
        "/alerts/{alert}/snooze",
        names("snoozed_until rule_id silence_id"),
        body={"duration_minutes": 60},
    ),
    Promise("POST", "/alerts/{alert}/escalate", ALERT),
    Promise("GET", "/alerts/summary", names("count")),
    Promise("GET", "/alerts/{alert}", ALERT | names("metric_history events deliveries")),
    Promise(
        "GET",
        "/queries/slow",
        names(
            "query_hash query kind user count p50_ms p95_ms p99_ms max_ms total_ms read_rows read_bytes"
            " memory_bytes result_rows tables last_seen sample_query_id"
        ),
        Form.ROWS,
        meta=names("cluster_id"),
        rows=True,
        query={"hours": 6, "limit": 20},
    ),
    Promise(
        "POST",
        "/queries/explain",
        names("query_hash kind query lines"),
        meta=names("cluster_id"),
        body={"query_hash": "{query_hash}"},
    ),
    Promise(
        "GET",
        "/queries/failed",
        names("code name count users last_seen sample_message sample_query sample_query_id first_seen"),
        Form.ROWS,
        meta=names("cluster_id"),
        rows=True,
        query={"hours": 24, "limit": 50},
    ),
    Promise(
        "GET",
        "/queries/parts-distribution",
        names(
            "database table parts partitions rows bytes min_part_bytes avg_part_bytes median_part_bytes"
            " max_part_bytes max_parts_in_partition limit pressure histogram"
        ),
        Form.ROWS,
        meta=names("cluster_id"),
        rows=True,
        query={"limit": 100},
    ),
    Promise("GET", "/settings", SETTINGS, meta=names("origin")),
    Promise("PUT", "/settings", SETTINGS, meta=names("origin"), body={"retention_raw_days": 8}),
    Promise("POST", "/settings/test-notification", names("sent")),
)

# What the product has beyond it.
ADDED: tuple[Promise, ...] = (
    Promise("GET", "/panels", names("name tier status last_run"), Form.ROWS, rows=True),
    _panel("parts", "host database table"),
    _panel("queries", "host"),
    _panel("replication-queue", "host database table", rows=False),
    _panel("server", "host"),
    _panel("tables", "host job database table exception", rows=False),
    _panel(
        "part-log",
        "host database table created_per_min small_per_min fetched_per_min merged_per_min growth_per_min"
        " rows_per_part",
        rows=False,  # of a demo that has just begun the log has none yet
    ),
    _panel(
        "async-inserts",
        "host inserts bytes failed pending oldest_pending_seconds waiting log_note tables",
    ),
    _panel("backups", "host succeeded_at failed_at failed last_error"),
    _panel("ddl-queue", "host node is_live oldest_seconds", rows=False),
    _panel(
        "distribution",
        "host database table targets pending_files pending_bytes broken_files is_blocked errors"
        " last_exception_at last_exception",
        rows=False,
    ),
    _panel(
        "dictionaries",
        "host database dictionary status is_failing is_stale errors last_update_at age_seconds"
        " lifetime_seconds bytes last_exception",
        rows=False,
    ),
    _panel(
        "views",
        "host database view status is_failing last_success_at age_seconds next_refresh_at retries exception",
        rows=False,
    ),
    _panel(
        "kafka",
        "host database table consumers failing_consumers messages last_poll_at last_commit_at"
        " last_exception_at last_exception",
        rows=False,
    ),
    Promise("GET", "/alerts", ALERT, Form.ROWS, meta=OF_PAGE, rows=True),
    Promise("GET", "/alerts/rules/{rule}", RULE | names("evaluations")),
    Promise("GET", "/channels", CHANNEL, Form.ROWS, rows=True),
    Promise("GET", "/silences", SILENCE, Form.ROWS, meta=OF_PAGE),
    Promise("POST", "/silences", SILENCE, status=201, body=NEW_SILENCE),
    Promise("DELETE", "/silences/{silence}", DELETED),
)
