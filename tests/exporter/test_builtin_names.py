"""With `exporter.builtin_names` the dashboards of the Grafana clickhouse-mixin find their metrics.

Names and the shape of the expressions are those of grafana/jsonnet-libs, clickhouse-mixin. Not to be seen
here: OSMemoryTotal, since the embedded engine has no asynchronous metrics and 18.16 has no such one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.exporter.conftest import QUICK, new, old
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer
from tests.servers.exporter import ExporterProcess
from tests.servers.process import wait_until
from tests.servers.prometheus import Prometheus

JOB = "integrations/clickhouse"
METRICS = tuple(
    f"ClickHouseMetrics_{name}"
    for name in (
        "TCPConnection", "HTTPConnection", "MySQLConnection", "PostgreSQLConnection", "InterserverConnection",
        "MemoryTracking", "ReadonlyReplica", "ZooKeeperRequest", "ZooKeeperSession", "ZooKeeperWatch",
    )
)  # fmt: skip
EVENTS = tuple(
    f"ClickHouseProfileEvents_{name}"
    for name in (
        "SelectQuery", "InsertQuery", "AsyncInsertQuery", "FailedSelectQuery", "FailedInsertQuery",
        "RejectedInserts", "ReplicatedPartChecks", "ReplicatedPartFetches", "ReplicatedPartMerges",
        "ReplicatedPartMutations", "ZooKeeperWaitMicroseconds", "NetworkSendBytes", "NetworkReceiveBytes",
        "NetworkSendElapsedMicroseconds", "NetworkReceiveElapsedMicroseconds",
    )
)  # fmt: skip
DISK_EVENTS = tuple(f"ClickHouseProfileEvents_Disk{way}ElapsedMicroseconds" for way in ("Read", "Write"))
QUEUE = "ClickHouseAsyncMetrics_ReplicasMaxQueueSize"

Exporters = Callable[[dict[str, Any]], ExporterProcess]


def with_builtin_names(exporter: Exporters, cluster: dict[str, Any]) -> ExporterProcess:
    config = {"clusters": [cluster], "collection": QUICK, "exporter": {"builtin_names": True}}
    running = exporter(config)
    running.wait_collected()
    return running


def on_page(running: ExporterProcess, cluster: str, instance: str) -> set[str]:
    """The series that have the labels by which the dashboards choose, but the job: that is the scrape's."""
    lines = running.get("/metrics").text.splitlines()
    own = [line for line in lines if f'cluster="{cluster}"' in line and f'instance="{instance}"' in line]
    return {line.partition("{")[0] for line in own}


def test_the_expressions_of_the_mixin_have_data(
    exporter: Exporters, embedded: EmbeddedServer, own_prometheus: Callable[..., Prometheus]
) -> None:
    running = with_builtin_names(exporter, new(embedded, "one"))
    found = on_page(running, "one", f"127.0.0.1:{embedded.port}")
    assert {*METRICS, *EVENTS, *DISK_EVENTS} - found == set()
    job = {
        "job_name": JOB,
        "honor_labels": True,
        "static_configs": [{"targets": [running.url.removeprefix("http://")]}],
    }
    seconds = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    prometheus = own_prometheus({"global": seconds, "scrape_configs": [job]})
    chosen = f'job=~"{JOB}",job=~".+",cluster=~"one",instance=~"127.0.0.1:{embedded.port}"'
    missing = list(expressions(chosen))

    def all_found() -> bool:
        missing[:] = [one for one in missing if not prometheus.query(one)]
        return not missing

    try:
        wait_until(all_found, 30, "every expression has data")
    except TimeoutError as error:
        raise AssertionError(f"{error}: {missing}") from error


def expressions(chosen: str) -> Iterator[str]:
    """As on the dashboards; their variables are filled in."""
    yield f"sum by (job, cluster, instance) ({METRICS[4]}{{{chosen}}})"  # where variables come from
    for name in METRICS:
        yield f"{name}{{{chosen}}}"
    for name in EVENTS:
        yield f"rate({name}{{{chosen}}}[5s])"
    for name in DISK_EVENTS:
        # `offset -$__interval` there: a range that ends later than now, which an instant query cannot have.
        yield f"increase({name}{{{chosen}}}[5s:])"


@pytest.mark.soak  # 18.16 makes its asynchronous metrics once a minute
def test_the_longest_queue_of_18_is_found(exporter: Exporters, replicas: list[ClickHouse18]) -> None:
    running = with_builtin_names(exporter, old(replicas[0], "pair"))
    instance = f"127.0.0.1:{replicas[0].port}"
    running.wait_for(lambda: QUEUE in on_page(running, "pair", instance), "its queue", 120)
    # 18.16 knows no clients that speak like MySQL or PostgreSQL.
    absent = {*METRICS, *EVENTS, *DISK_EVENTS} - on_page(running, "pair", instance)
    assert absent == {"ClickHouseMetrics_MySQLConnection", "ClickHouseMetrics_PostgreSQLConnection"}
