"""A real Prometheus with the shipped configuration, beside the demo and two real replicas: every expression
of every dashboard, recording rule and alerting rule parses, names what is in the catalogue, and has data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from grafana.lint.expressions import selectors
from grafana.lint.of_query import KNOWN
from grafana.queries import families
from tests.grafana.expressions import Shipped, measured, of_dashboards, of_rule_files, of_variables
from tests.grafana.watched import clusters_of, demo_server, lagging, watching
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.process import wait_until
from tests.servers.prometheus import Prometheus, ServerAnswer
from tests.servers.slack import SlackStub
from tests.servers.zookeeper import ZooKeeper

FILLED_SECONDS = 90.0
# What must be there before anybody asks: two visits at least, an alert, and what is slow to come.
AWAITED = (
    "clickhouse_health_score",
    "clustersight_alerter_firing_alerts",
    "clustersight_api_requests_total",
    "rate(clickhouse_queries_total[30s])",
    "rate(clustersight_alerter_notifications_total[30s])",
    "cluster:clickhouse_up:avg",
    "clickhouse_replica_lag_seconds > 0",
    "clickhouse_replica_readonly > 0",
    'clickhouse_query_duration_seconds{quantile="0.95"}',
)
# Expressions that hold one of these cannot have data here, and why.
NO_DATA: dict[str, str] = {
    'clickhouse_query_duration_seconds{quantile="0.95"} >= 1': "the SELECTs of the demo are faster",
    " offset 1d": "Prometheus is a minute old",
    " offset 6h": "Prometheus is a minute old",
    " offset 30m": "Prometheus is a minute old",
    " offset 15m": "Prometheus is a minute old",
    "deriv(clickhouse_disk_usage_ratio": "the disk of the demo does not fill up",
    "clickhouse_queries_running_ratio": "26.9 has no limit here, 18.16 does not tell its own",
    "clickhouse_keeper_node_followers": "one ZooKeeper alone leads nobody",
    "clickhouse_keeper_node_synced_followers": "one ZooKeeper alone leads nobody",
    "clickhouse_mutations_stuck": "a mutation is stuck after half an hour only",
    "clickhouse_replica_session_expired": "ZooKeeper must stop for that: tests/incidents",
    "clickhouse_replication_queue_failing_tasks": "a task is tried more than ten times for that",
    "clickhouse_replication_queue_stuck_tasks": "a task is stuck after five minutes only",
    "clustersight_series_dropped": "there are few series",
    "clickhouse_kafka_consumer_failing": "no test server has a Kafka table and a broker",
    "clickhouse_kafka_messages_read_total": "no test server has a Kafka table and a broker",
    "clickhouse_ddl_queue_oldest_entry_seconds": "no test server shows a queue of DDL",
}


def test_every_expression_names_what_is_in_the_catalogue() -> None:
    every = [*of_dashboards(), *of_variables(), *of_rule_files()]
    unknown = {
        f"{one.place}: {found.name}"
        for one in every
        for found in selectors(one.query)
        if found.name not in families() and found.name not in KNOWN
    }

    assert len(every) > 200
    assert unknown == set()


def test_every_expression_has_data(
    tmp_path: Path, stub: SlackStub, zookeeper: ZooKeeper, replicas: list[ClickHouse18]
) -> None:
    with (
        demo_server(tmp_path / "demo", zookeeper) as demo,
        lagging(replicas),
        watching(tmp_path, stub, clusters_of(demo, replicas, zookeeper)) as prometheus,
    ):
        for one in AWAITED:
            wait_until(lambda one=one: prometheus.query(one), FILLED_SECONDS, f"{one} has data")
        empty = still_empty(prometheus, [one for one in asked() if not is_explained(one)])

    unexplained = [f"{one.place}: {one.expr}" for one in empty]
    assert unexplained == [], "\n".join(unexplained)


def test_no_explanation_outlives_what_it_explains() -> None:
    expressions = [one.expr for one in asked()]

    assert [name for name in NO_DATA if not any(name in expr for expr in expressions)] == []


def still_empty(prometheus: Prometheus, wanted: list[Shipped]) -> list[Shipped]:
    """Those that never had data: a merge is there for a moment only, so that they are asked again."""
    left = list(wanted)

    def all_answered() -> bool:
        left[:] = [one for one in left if not answers(prometheus, one.query)]
        return not left

    with contextlib.suppress(TimeoutError):
        wait_until(all_answered, FILLED_SECONDS, "every expression has had data")
    return left


def is_explained(one: Shipped) -> bool:
    return any(name in one.expr for name in NO_DATA)


def asked() -> Iterator[Shipped]:
    yield from of_dashboards()
    yield from of_variables()
    for one in of_rule_files():
        yield from (Shipped(one.place, expr) for expr in measured(one.query))


def answers(prometheus: Prometheus, query: str) -> bool:
    try:
        return bool(prometheus.query(query))
    except ServerAnswer as error:
        raise AssertionError(f"{query}: {error}") from error
