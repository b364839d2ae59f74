"""The 17 situations of facts/clickhouse-facts.md section 9, with the score that each must give.

The section tells a situation in a line. Where the score needs more than the line says, the docstring
of the situation is our reading of it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clustersight.health import families as f
from clustersight.health.windows import BROKEN_PARTS, FAULTS, REFUSED, REJECTED, RESTARTS
from tests.health.cluster import Cluster, healthy


def ad_hoc_query() -> Cluster:
    """One 241 an hour, so a quarter of one in 15 minutes on average, and a client that disconnects."""
    cluster = healthy()
    cluster.error("MEMORY_LIMIT_EXCEEDED", 0.25)
    cluster.error("NETWORK_ERROR", 1)
    return cluster


def one_readonly_of_500() -> Cluster:
    cluster = healthy(replicas=2)
    readonly(cluster, "orders")
    cluster.set(f.REPLICAS_READONLY, 1)
    return cluster


def keeper_quorum_lost() -> Cluster:
    """Every replica of every node is read-only with an expired session, and two Keeper nodes are down."""
    cluster = healthy(shards=2, replicas=2)
    for host in cluster.hosts:
        cluster.set(f.REPLICAS_READONLY, 500, host)
        cluster.set(f.KEEPER_ONLINE, 0, host)
        for table in ("orders", "carts"):
            readonly(cluster, table, host)
            cluster.table(f.SESSION_EXPIRED, 1, table, host)
    for node in ("k1", "k2"):
        cluster.set(f.KEEPER_NODE_UP, 0, node=node)
    return cluster


def keeper_node_down() -> Cluster:
    cluster = healthy()
    cluster.set(f.KEEPER_NODE_UP, 0, node="k3")
    return cluster


def node_down_of_2() -> Cluster:
    cluster = healthy(replicas=2)
    cluster.down("ch2")
    return cluster


def node_down_of_50() -> Cluster:
    cluster = healthy(shards=25, replicas=2)
    cluster.down("ch50")
    return cluster


def shard_down() -> Cluster:
    cluster = healthy(shards=25, replicas=2)
    cluster.down("ch49", "ch50")
    return cluster


def disk_92() -> Cluster:
    cluster = healthy()
    cluster.set(f.DISK_USAGE, 0.92, disk="default")
    return cluster


def disk_full() -> Cluster:
    cluster = healthy()
    cluster.set(f.DISK_USAGE, 0.999, disk="default")
    cluster.error("NOT_ENOUGH_SPACE", 300)
    return cluster


def too_many_parts() -> Cluster:
    """Inserts are rejected for minutes: code 252, and a fifth of all queries fail by it."""
    cluster = healthy()
    cluster.table(f.PARTS_PRESSURE, 1.0)
    cluster.change(REJECTED, 900)
    cluster.error("TOO_MANY_PARTS", 900)
    cluster.change(FAULTS, 20)
    return cluster


def mutation_failing() -> Cluster:
    cluster = healthy()
    cluster.table(f.MUTATIONS_FAILING, 1)
    cluster.table(f.MUTATIONS_STUCK, 0)
    cluster.set(f.ALL_MUTATIONS, 1)
    return cluster


def broken_parts() -> Cluster:
    """The restart is more than an hour ago; a query has met the damage within the last 15 minutes."""
    cluster = healthy()
    cluster.set(f.DETACHED, 3, database="shop", table="orders", reason_class="broken")
    cluster.change(BROKEN_PARTS, 3, database="shop", table="orders", reason_class="broken")
    cluster.error("CHECKSUM_DOESNT_MATCH", 3)
    return cluster


def restart_loop() -> Cluster:
    """The memory is read just before it is full."""
    cluster = healthy(replicas=2)
    cluster.change(RESTARTS, 4)
    cluster.set(f.MEMORY_USAGE, 0.98)
    return cluster


def query_storm() -> Cluster:
    """The limit is reached, some of the monitor's own visits get through, and a tenth of all is refused."""
    cluster = healthy()
    cluster.set(f.RUNNING_RATIO, 1.0)
    cluster.change(REFUSED, 500)
    cluster.error("TOO_MANY_SIMULTANEOUS_QUERIES", 500)
    cluster.change(FAULTS, 10)
    return cluster


def ddl_stuck() -> Cluster:
    cluster = healthy()
    cluster.panel("ddl-queue", "ok")
    cluster.set(f.DDL_OLDEST, 5000)
    return cluster


def distributed_blocked() -> Cluster:
    cluster = healthy()
    cluster.panel("distribution", "ok")
    cluster.table(f.DISTRIBUTION_FILES, 900)
    cluster.table(f.DISTRIBUTION_BLOCKED, 1)
    return cluster


def backup_failing() -> Cluster:
    cluster = healthy()
    cluster.backup_every_seconds = 86400
    cluster.panel("backups", "ok")
    cluster.set(f.BACKUP_AGE, 30 * 86400)
    return cluster


def dictionary_failed() -> Cluster:
    cluster = healthy()
    cluster.panel("dictionaries", "ok")
    cluster.set(f.DICTIONARY_FAILING, 1, database="shop", dictionary="prices")
    return cluster


def clock_off() -> Cluster:
    """A fast clock: every table seems to lag by as much."""
    cluster = healthy(replicas=2)
    cluster.set(f.CLOCK_SKEW, 600)
    cluster.set(f.MAX_LAG, 600)
    for table in ("orders", "carts"):
        cluster.table(f.LAG, 600, table)
    return cluster


def half_seen() -> Cluster:
    cluster = healthy(shards=2, replicas=2)
    cluster.down("ch2", "ch4")
    return cluster


def readonly(cluster: Cluster, table: str, host: str = "ch1") -> None:
    """As a replica without Keeper is (facts 1.2): its lag is unknown."""
    for family in (f.READONLY, f.READONLY_UNEXPECTED, f.LAG_UNKNOWN):
        cluster.table(family, 1, table, host)
    del cluster.values[host, f.LAG, (("database", "shop"), ("table", table))]


SITUATIONS: tuple[tuple[Callable[[], Cluster], float, str], ...] = (
    (ad_hoc_query, 99.9, "A+"),
    (one_readonly_of_500, 84.9, "B"),
    (keeper_quorum_lost, 35.0, "F"),
    (keeper_node_down, 85.0, "B+"),
    (node_down_of_2, 65.0, "C"),
    (node_down_of_50, 93.8, "A"),
    (shard_down, 35.0, "F"),
    (disk_92, 73.0, "C+"),
    (disk_full, 35.0, "F"),
    (too_many_parts, 35.0, "F"),
    (mutation_failing, 92.0, "A"),
    (broken_parts, 87.9, "B+"),
    (restart_loop, 35.0, "F"),
    (query_storm, 35.0, "F"),
    (ddl_stuck, 92.0, "A"),
    (distributed_blocked, 92.0, "A"),
    (backup_failing, 94.0, "A"),
    (dictionary_failed, 94.0, "A"),
    (clock_off, 84.2, "B"),
    (half_seen, 65.0, "C"),
)


def test_a_healthy_cluster_has_everything() -> None:
    found = healthy(shards=2, replicas=2).health()

    assert (found.score, found.grade) == (100.0, "A+")
    assert all(one.score == 100 and not one.missing for one in found.components.values())


@pytest.mark.parametrize(
    ("situation", "score", "grade"), SITUATIONS, ids=lambda s: getattr(s, "__name__", "")
)
def test_situation(situation: Callable[[], Cluster], score: float, grade: str) -> None:
    found = situation().health()

    assert (found.score, found.grade) == (score, grade), found


@pytest.mark.parametrize("situation", [row[0] for row in SITUATIONS], ids=lambda s: s.__name__)
def test_the_situation_is_explained(situation: Callable[[], Cluster]) -> None:
    found = situation().health()

    assert any(one.deductions for one in found.components.values())


def test_one_ad_hoc_query_within_the_15_minutes() -> None:
    cluster = healthy()
    cluster.error("MEMORY_LIMIT_EXCEEDED", 1)

    # 1/15 a minute is 1.3 points: section 9 says 99.9, which is one an hour.
    assert (cluster.health().score, cluster.health().grade) == (99.7, "A+")


def test_the_clock_is_named() -> None:
    [clock] = clock_off().health().components["infrastructure"].deductions

    assert (clock.metric_key, clock.labels, clock.value) == (
        "server.clock_skew_seconds",
        {"host": "ch1"},
        600,
    )


def test_a_storm_that_refuses_the_monitor_altogether_is_no_good_sign() -> None:
    cluster = healthy()
    every = [panel for _, panel in list(cluster.statuses)]
    cluster.fail(*every, status="refused")
    found = cluster.health()

    assert (found.score, found.grade) == (30.0, "F")
    assert found.components["storage"].score is None
    [refused] = found.components["queries"].deductions
    assert (refused.points, refused.metric_key, refused.value) == (70, "collector.ok", 0)
    assert refused.reason == "ch1 refuses queries, ours too"
