"""Debian's prometheus-sql-exporter with the SQL that its users write for what our tier 1 panels show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.scraping import scrape
from clustersight.panels.counters import EVENTS, METRICS
from tests.servers.process import ServerProcess, free_port, program

PACKAGE = "prometheus-sql-exporter"


@dataclass(frozen=True, slots=True)
class Query:
    """One metric of sql_exporter: text columns that are labels, numbers that are values."""

    name: str
    labels: tuple[str, ...]
    values: tuple[str, ...]
    sql: str


# The statements a person writes who knows ClickHouse well, one a subject; none for what this server does
# not have (asynchronous_metrics, Keeper). `db`, because the exporter has a label `database` of its own.
QUERIES = (
    Query("server", ("version",), ("uptime",), "SELECT version() AS version, uptime() AS uptime"),
    Query(
        "server_settings",
        ("name",),
        ("setting",),
        "SELECT name, toFloat64OrZero(value) AS setting FROM system.server_settings"
        " WHERE name IN ('max_server_memory_usage', 'max_concurrent_queries')",
    ),
    Query(
        "counters",
        ("source", "name"),
        ("value",),
        f"SELECT 'metric' AS source, metric AS name, toFloat64(value) AS value FROM system.metrics"
        f" WHERE metric IN {METRICS} UNION ALL SELECT 'event', event, toFloat64(value)"
        f" FROM system.events WHERE event IN {EVENTS}",
    ),
    Query(
        "disk",
        ("name",),
        ("total", "free", "broken"),
        "SELECT name, total_space AS total, free_space AS free, is_broken AS broken FROM system.disks",
    ),
    Query(
        "tables",
        (),
        ("tables", "parts"),
        "SELECT count() AS tables, sum(ifNull(active_parts, 0)) AS parts FROM system.tables"
        " WHERE engine LIKE '%MergeTree'",
    ),
    Query(
        "parts",
        ("db", "table"),
        ("parts", "partitions", "max_in_partition"),
        "SELECT database AS db, table, sum(c) AS parts, count() AS partitions, max(c) AS max_in_partition"
        " FROM (SELECT database, table, partition_id, count() AS c FROM system.parts WHERE active"
        " GROUP BY database, table, partition_id) GROUP BY database, table HAVING parts >= 100",
    ),
    Query(
        "replication",
        ("db", "table"),
        ("is_readonly", "is_session_expired", "absolute_delay", "queue_size", "parts_to_check"),
        "SELECT database AS db, table, is_readonly, is_session_expired, absolute_delay, queue_size,"
        " parts_to_check FROM system.replicas",
    ),
    Query(
        "replication_queue",
        ("db", "table"),
        ("tasks", "failing", "postponed"),
        "SELECT database AS db, table, count() AS tasks, countIf(num_tries > 10) AS failing,"
        " countIf(num_postponed > 1000) AS postponed FROM system.replication_queue GROUP BY database, table",
    ),
    Query(
        "merges",
        ("db", "table"),
        ("active", "longest", "memory"),
        "SELECT database AS db, table, count() AS active, max(elapsed) AS longest,"
        " sum(memory_usage) AS memory FROM system.merges GROUP BY db, table",
    ),
    Query(
        "mutations",
        ("db", "table"),
        ("active", "failing", "parts_to_do"),
        "SELECT database AS db, table, count() AS active, countIf(latest_fail_reason != '') AS failing,"
        " sum(parts_to_do) AS parts_to_do FROM system.mutations WHERE NOT is_done GROUP BY database, table",
    ),
    Query(
        "errors",
        ("name",),
        ("value",),
        "SELECT name, sum(value) AS value FROM system.errors WHERE NOT remote GROUP BY name",
    ),
    Query(
        "processes",
        (),
        ("running", "longest"),
        "SELECT count() AS running, max(elapsed) AS longest FROM system.processes",
    ),
)


class SqlExporter(ServerProcess):
    """Runs its queries once at its start, over a server that speaks PostgreSQL's protocol."""

    def __init__(self, folder: Path, postgres_port: int, queries: Sequence[Query] = QUERIES) -> None:
        super().__init__(folder)
        self.port = free_port()
        self._config = {
            "jobs": [
                {
                    "name": "clickhouse",
                    "interval": "1h",
                    "connections": [f"postgres://default@127.0.0.1:{postgres_port}/system?sslmode=disable"],
                    "queries": [_configured(query) for query in queries],
                }
            ]
        }

    def command(self) -> Sequence[str]:
        file = self.folder / "sql_exporter.yml"
        file.write_text(yaml.safe_dump(self._config))
        listen = f"127.0.0.1:{self.port}"
        return [program(PACKAGE, PACKAGE), "-config.file", str(file), "-web.listen-address", listen]

    def ready(self) -> bool:
        return bool(self.page())

    def page(self) -> bytes:
        return scrape(f"http://127.0.0.1:{self.port}/metrics", "identity")[1]

    def series(self) -> int:
        """Series of ClickHouse on its page."""
        return sum(
            line.startswith(b"sql_") for line in self.page().splitlines() if b"sql_exporter" not in line
        )


def _configured(query: Query) -> dict[str, Any]:
    return {
        "name": query.name,
        "help": query.name,
        "labels": list(query.labels),
        "values": list(query.values),
        "query": query.sql,
        "allow_zero_rows": True,
    }
