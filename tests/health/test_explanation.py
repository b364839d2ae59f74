"""A score can be explained: each deduction names the metric, its labels and the value."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clustersight.health import Deduction
from clustersight.health import families as f
from clustersight.health.windows import BROKEN_PARTS, FAULTS, REFUSED, REJECTED, RESTARTS
from clustersight.panels import ALL
from tests.health.cluster import Cluster, healthy

SHOP = {"host": "ch1", "database": "shop", "table": "orders"}


def only(cluster: Cluster, component: str) -> Deduction:
    [found] = cluster.health().components[component].deductions
    return found


Case = tuple[Callable[[Cluster], None], str, str, dict[str, str], float, str]
CASES: dict[str, Case] = {
    "lag": (
        lambda c: c.table(f.LAG, 720),
        *("replication", "replication.lag_seconds", SHOP, 720, "a replica is 720 s behind"),
    ),
    "read-only": (
        lambda c: c.table(f.READONLY_UNEXPECTED, 1),
        *("replication", "replication.readonly_unexpected", SHOP, 1),
        "1 of 500 replicated tables are read-only or without session: shop.orders",
    ),
    "read-only by the total": (
        lambda c: c.set(f.REPLICAS_READONLY, 40),
        *("replication", "replication.replicas_readonly", {"host": "ch1"}, 40),
        "40 of 500 replicated tables are read-only or without session",
    ),
    "disk": (
        lambda c: c.set(f.DISK_USAGE, 0.925, disk="default"),
        *("storage", "disk.usage_pct", {"host": "ch1", "disk": "default"}, 92.5, "a disk is 92.5 % full"),
    ),
    "pressure": (
        lambda c: c.table(f.PARTS_PRESSURE, 0.75),
        *("storage", "parts.pressure_pct", SHOP, 75, "a partition has 75 % of the allowed parts"),
    ),
    "broken parts": (
        lambda c: c.change(BROKEN_PARTS, 3, database="shop", table="orders", reason_class="broken"),
        *("storage", "broken_parts.count", {**SHOP, "reason_class": "broken"}, 3),
        "3 parts broke within 24 hours: shop.orders",
    ),
    "code": (
        lambda c: c.error("CORRUPTED_DATA", 30),
        *("errors", "errors.per_min", {"host": "ch1", "error": "CORRUPTED_DATA"}, 2),
        "30 exceptions within 15 minutes (corrupt data): CORRUPTED_DATA 30",
    ),
    "mutation": (
        lambda c: c.table(f.MUTATIONS_FAILING, 2),
        *("errors", "mutations.failing", SHOP, 2, "2 mutations fail"),
    ),
    "memory": (
        lambda c: c.set(f.MEMORY_USAGE, 0.96),
        *("infrastructure", "memory.usage_pct", {"host": "ch1"}, 96, "a server uses 96 % of its memory"),
    ),
    "restarts": (
        lambda c: c.change(RESTARTS, 2),
        *("infrastructure", "server.restarts_1h", {"host": "ch1"}, 2),
        "the server started 2 times within an hour",
    ),
    "Keeper node": (
        lambda c: c.set(f.KEEPER_NODE_UP, 0, node="k3"),
        *("infrastructure", "keeper_nodes.up", {"host": "ch1", "node": "k3"}, 0),
        "1 of 3 Keeper nodes are down: k3",
    ),
    "Keeper": (
        lambda c: c.set(f.KEEPER_ONLINE, 0),
        *("infrastructure", "keeper.online", {"host": "ch1"}, 0, "1 of 1 nodes work without Keeper: ch1"),
    ),
    "panel": (
        lambda c: c.panel("compression", "timeout"),
        *("infrastructure", "collector.ok", {"host": "ch1", "panel": "compression"}, 0),
        f"1 of {len(ALL)} panels of ch1 fail: compression",
    ),
    "p95": (
        lambda c: c.set(f.DURATION, 0.9, quantile="0.95"),
        *("queries", "queries.p95_ms", {"host": "ch1", "quantile": "0.95"}, 900),
        "the p95 of 900 ms is 4.5 times its 24 h median of 200 ms",
    ),
    "failures": (
        lambda c: c.change(FAULTS, 12.34),
        *("queries", "queries.server_fault_pct", {"host": "ch1"}, 12.34),
        "12.3 % of the queries failed by the server's fault within 15 minutes",
    ),
    "refused": (
        lambda c: c.change(REFUSED, 30),
        *("queries", "queries.refused_per_min", {"host": "ch1"}, 2),
        "30 queries were refused within 15 minutes",
    ),
    "rejected": (
        lambda c: c.change(REJECTED, 30),
        *("queries", "inserts.rejected_per_min", {"host": "ch1"}, 2),
        "30 inserts were refused within 15 minutes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_deduction_says_why(name: str) -> None:
    step, component, key, labels, value, reason = CASES[name]
    cluster = healthy()
    step(cluster)
    found = only(cluster, component)

    assert (found.metric_key, found.labels) == (key, labels)
    assert found.value == pytest.approx(value)
    assert found.reason == reason


def test_the_worst_node_and_table_are_named() -> None:
    cluster = healthy(replicas=2)
    cluster.table(f.LAG, 400, "orders", "ch1")
    cluster.table(f.LAG, 900, "carts", "ch2")

    assert only(cluster, "replication").labels == {"host": "ch2", "database": "shop", "table": "carts"}


def test_nodes_and_shards_are_named() -> None:
    cluster = healthy(shards=2, replicas=2)
    cluster.down("ch2")
    found = only(cluster, "infrastructure")
    assert found.reason == "1 of 4 nodes are unreachable: ch2"
    assert (found.metric_key, found.labels, found.value) == ("server.up", {"host": "ch2"}, 0)

    cluster.down("ch1")
    found = only(cluster, "infrastructure")
    assert found.reason == "no replica is reachable of shard 1"
    assert (found.labels, found.value) == ({"host": "ch1", "shard": "1"}, 0)


def test_several_codes_are_all_named() -> None:
    cluster = healthy()
    cluster.error("TOO_MANY_PARTS", 60)
    cluster.error("NOT_ENOUGH_SPACE", 90)
    found = only(cluster, "errors")

    assert found.reason.endswith("(no room): NOT_ENOUGH_SPACE 90, TOO_MANY_PARTS 60")
    assert (found.labels, found.value) == ({"host": "ch1"}, 10)


def test_what_the_cap_on_codes_leaves_nothing_of_is_not_listed() -> None:
    cluster = healthy()
    for code in ("CORRUPTED_DATA", "TOO_MANY_PARTS", "NETWORK_ERROR"):
        cluster.error(code, 9000)
    found = cluster.health().components["errors"].deductions

    assert [one.points for one in found] == [40, 20]


def test_backups_are_told_in_hours() -> None:
    cluster = healthy()
    cluster.backup_every_seconds = 86400
    cluster.panel("backups", "ok")
    assert only(cluster, "errors").reason == "no backup has been seen"

    cluster.set(f.BACKUP_AGE, 30 * 3600)
    found = only(cluster, "errors")
    assert found.reason == "the newest backup is 30 hours old, expected every 24"
    assert (found.metric_key, found.labels, found.value) == ("backups.age_seconds", {}, 108000)


def test_the_dearest_deduction_comes_first() -> None:
    cluster = healthy()
    cluster.set(f.CLOCK_SKEW, 3)
    cluster.set(f.MEMORY_USAGE, 1.0)
    points = [one.points for one in cluster.health().components["infrastructure"].deductions]

    assert points == [60, 10]


def test_components_carry_label_and_weight() -> None:
    found = healthy().with_settings(weights={"replication": 80, "queries": 70}).health().components

    assert [(one.label, one.weight) for one in found.values()] == [
        ("Replication", 40), ("Storage", 10), ("Errors", 10), ("Infrastructure", 5), ("Queries", 35),
    ]  # fmt: skip


def test_the_settings_replace_points_by_name() -> None:
    cluster = healthy().with_settings(thresholds={"disk_usage_pct": [[40, 0], [60, 100]]})

    assert only(cluster, "storage").points == pytest.approx(50)


def test_names_that_replace_nothing_change_nothing() -> None:
    cluster = healthy().with_settings(thresholds={"disk": [[40, 0], [60, 100]]})

    assert cluster.health().score == 100
