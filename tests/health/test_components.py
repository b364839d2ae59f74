"""Every row of spec/health.md: what a fault costs its component, at its points and between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from clustersight.health import Change, Windows, health
from clustersight.health import families as f
from clustersight.health.errors import CAPACITY, CONNECTION, CORRUPTION
from clustersight.health.windows import (
    BROKEN_PARTS,
    DELAYED,
    FAULTS,
    P95,
    QUERIES,
    REFUSED,
    REJECTED,
    RESTARTS,
)
from clustersight.panels import errors as panel
from tests.health.cluster import NOW, Cluster, healthy

Step = Callable[[Cluster], None]


def lost(component: str, *steps: Step, cluster: Cluster | None = None) -> float:
    """Points that a component of an otherwise healthy cluster loses."""
    cluster = cluster or healthy()
    for step in steps:
        step(cluster)
    found = cluster.health().components
    assert [name for name, one in found.items() if one.deductions and name != component] == []
    score = found[component].score
    assert score is not None
    return round(100 - score, 6)


def table(family: str, value: float, name: str = "orders", host: str = "ch1") -> Step:
    return lambda cluster: cluster.table(family, value, name, host)


def node(family: str, value: float, host: str = "ch1", **labels: str) -> Step:
    return lambda cluster: cluster.set(family, value, host, **labels)


def error(name: str, count: float, host: str = "ch1") -> Step:
    return lambda cluster: cluster.error(name, count, host)


def later(panel_name: str, *steps: Step) -> Step:
    def ran(cluster: Cluster) -> None:
        cluster.panel(panel_name, "ok")
        for step in steps:
            step(cluster)

    return ran


@pytest.mark.parametrize(
    ("seconds", "points"), [(0, 0), (60, 0), (180, 15), (300, 30), (1050, 45), (1800, 60), (90000, 60)]
)
def test_lag(seconds: float, points: float) -> None:
    assert lost("replication", table(f.LAG, seconds)) == points
    assert lost("replication", node(f.MAX_LAG, seconds)) == points


def test_the_largest_of_lag_read_only_and_unknown_counts() -> None:
    readonly = (table(f.READONLY, 1), table(f.READONLY_UNEXPECTED, 1), table(f.LAG_UNKNOWN, 1))

    assert lost("replication", table(f.LAG_UNKNOWN, 1)) == 50
    assert lost("replication", *readonly) == 50.1
    assert lost("replication", *readonly, table(f.LAG, 1800, "carts")) == 60
    assert lost("replication", table(f.SESSION_EXPIRED, 1)) == 50.1


def test_the_share_of_read_only_replicas_is_of_the_worst_node() -> None:
    cluster = healthy(replicas=2)
    for host, replicas in (("ch1", 500), ("ch2", 4)):
        cluster.set(f.REPLICAS, replicas, host)
        cluster.table(f.READONLY_UNEXPECTED, 1, host=host)

    assert lost("replication", cluster=cluster) == 62.5


def test_totals_count_where_rows_are_cut() -> None:
    assert lost("replication", node(f.REPLICAS_READONLY, 250)) == 75
    assert lost("replication", node(f.ALL_STUCK_TASKS, 3)) == 20
    assert lost("errors", node(f.ALL_MUTATIONS_FAILING, 3)) == 40
    assert lost("errors", node(f.ALL_MUTATIONS_STUCK, 3)) == 20


def test_an_expected_read_only_replica_does_not_count() -> None:
    steps = (table(f.READONLY, 1), table(f.LAG_UNKNOWN, 1), table(f.SESSION_EXPIRED, 1))

    assert lost("replication", *steps) == 0
    assert lost("replication", *steps, table(f.READONLY_UNEXPECTED, 1)) == 50.1


@pytest.mark.parametrize(("tasks", "points"), [(100, 0), (550, 10), (1000, 20), (5000, 20)])
def test_queue_and_stuck_tasks_come_on_top(tasks: float, points: float) -> None:
    assert lost("replication", table(f.QUEUE_SIZE, tasks)) == points
    assert lost("replication", table(f.QUEUE_SIZE, tasks), table(f.STUCK_TASKS, 1)) == points + 20
    assert lost("replication", table(f.QUEUE_SIZE, tasks), table(f.LAG, 300, "carts")) == points + 30


@pytest.mark.parametrize(
    ("usage", "points"), [(0.75, 0), (0.8, 10), (0.85, 20), (0.9, 50), (0.95, 80), (0.965, 90), (0.98, 100)]
)
def test_disk_use(usage: float, points: float) -> None:
    assert lost("storage", node(f.DISK_USAGE, usage, disk="default")) == points


def test_the_worst_disk_counts_and_a_broken_one_is_the_end() -> None:
    both = (node(f.DISK_USAGE, 0.85, disk="a"), node(f.DISK_USAGE, 0.8, disk="b"))

    assert lost("storage", *both) == 20
    assert lost("storage", node(f.DISK_BROKEN, 1, disk="b")) == 100


@pytest.mark.parametrize(
    ("ratio", "points"), [(0.3, 0), (0.45, 15), (0.6, 30), (0.9, 60), (0.95, 75), (1.2, 90)]
)
def test_parts_pressure(ratio: float, points: float) -> None:
    assert lost("storage", table(f.PARTS_PRESSURE, ratio)) == points


@pytest.mark.parametrize(("seconds", "points"), [(0, 0), (599, 0), (600, 90), (6000, 90)])
def test_a_new_table_may_have_many_parts(seconds: float, points: float) -> None:
    cluster = healthy()
    cluster.first_seen = {("shop", "orders"): NOW - seconds}

    assert lost("storage", table(f.PARTS_PRESSURE, 1.0), cluster=cluster) == points
    assert lost("storage", table(f.PARTS_PRESSURE, 0.6, "carts"), cluster=cluster) == max(points, 30)


@pytest.mark.parametrize(("parts", "points"), [(-2, 0), (0, 0), (1, 15), (5.5, 27.5), (10, 40), (300, 40)])
def test_parts_that_broke(parts: float, points: float) -> None:
    for reason_class in ("broken", "unexpected"):
        assert lost("storage", broke(parts, reason_class=reason_class)) == points
    for reason_class in ("temporary", "harmless", "manual"):
        assert lost("storage", broke(parts, reason_class=reason_class)) == 0


def broke(parts: float, host: str = "ch1", table: str = "orders", reason_class: str = "broken") -> Step:
    labels = {"database": "shop", "table": table, "reason_class": reason_class}
    return lambda cluster: cluster.change(BROKEN_PARTS, parts, host, **labels)


def test_parts_of_all_tables_of_the_worst_node_count() -> None:
    cluster = healthy(replicas=2)

    assert lost("storage", broke(4), broke(6, table="carts"), broke(3, "ch2"), cluster=cluster) == 40
    # What was removed from one table does not make up for what broke in another.
    assert lost("storage", broke(-4), broke(1, table="carts")) == 15


def test_the_codes_are_those_of_the_panel() -> None:
    assert frozenset(panel.CORRUPTION.values()) == CORRUPTION
    assert frozenset(panel.CAPACITY.values()) == CAPACITY
    assert frozenset(panel.CONNECTION.values()) == CONNECTION


@pytest.mark.parametrize("code", sorted(CORRUPTION))
def test_corruption(code: str) -> None:
    assert lost("errors", error(code, 1)) == lost("errors", error(code, 500)) == 40


# The counts are of 15 minutes, the points per minute.
@pytest.mark.parametrize(("count", "points"), [(3, 4), (15, 20), (82.5, 30), (150, 40), (9000, 40)])
def test_capacity(count: float, points: float) -> None:
    assert lost("errors", error("MEMORY_LIMIT_EXCEEDED", count)) == points
    assert lost("errors", *(error(code, count / len(CAPACITY)) for code in CAPACITY)) == points


@pytest.mark.parametrize(
    ("count", "points"), [(15, 0), (82.5, 5), (150, 10), (825, 20), (1500, 30), (9e9, 30)]
)
def test_connection(count: float, points: float) -> None:
    assert lost("errors", error("NETWORK_ERROR", count)) == points


def test_other_codes_cost_nothing() -> None:
    assert lost("errors", error("SYNTAX_ERROR", 1e6), error("UNKNOWN_TABLE", 1e6)) == 0


def test_codes_take_60_at_most_and_the_rest_comes_on_top() -> None:
    all_codes = (error("CORRUPTED_DATA", 1), error("TOO_MANY_PARTS", 9000), error("NETWORK_ERROR", 9000))

    assert lost("errors", *all_codes) == 60
    assert lost("errors", *all_codes[1:]) == 60
    assert lost("errors", *all_codes, table(f.MUTATIONS_STUCK, 1)) == 80


def test_codes_are_of_the_worst_node() -> None:
    cluster = healthy(replicas=2)

    assert (
        lost("errors", error("TOO_MANY_PARTS", 15), error("TOO_MANY_PARTS", 15, "ch2"), cluster=cluster) == 20
    )


def test_a_failing_mutation_counts_or_else_a_stuck_one() -> None:
    assert lost("errors", table(f.MUTATIONS_STUCK, 2)) == 20
    assert lost("errors", table(f.MUTATIONS_STUCK, 2), table(f.MUTATIONS_FAILING, 1, "carts")) == 40


FAILING: Mapping[str, tuple[float, Step]] = {
    "ddl": (40, later("ddl-queue", node(f.DDL_OLDEST, 601))),
    "ddl in time": (0, later("ddl-queue", node(f.DDL_OLDEST, 600))),
    "files that wait": (0, later("distribution", table(f.DISTRIBUTION_FILES, 900))),
    "sends that failed": (0, later("distribution", table(f.DISTRIBUTION_ERRORS, 9))),
    "sends that fail": (
        40,
        later("distribution", table(f.DISTRIBUTION_ERRORS, 9), table(f.DISTRIBUTION_FILES, 1)),
    ),
    "files of another table": (
        0,
        later("distribution", table(f.DISTRIBUTION_ERRORS, 9), table(f.DISTRIBUTION_FILES, 1, "carts")),
    ),
    "broken files": (40, later("distribution", table(f.DISTRIBUTION_BROKEN, 1))),
    "broken and blocked": (
        40,
        later("distribution", table(f.DISTRIBUTION_BROKEN, 1), table(f.DISTRIBUTION_BLOCKED, 1)),
    ),
    "tables": (60, later("tables", node(f.LOAD_FAILED, 1))),
    "dictionary": (30, later("dictionaries", node(f.DICTIONARY_FAILING, 1, database="d", dictionary="x"))),
    "view": (10, later("views", node(f.VIEW_FAILING, 1, database="d", view="v"))),
    "kafka": (10, later("kafka", table(f.KAFKA_FAILING, 1))),
    "view and kafka": (
        10,
        later("views", node(f.VIEW_FAILING, 1, database="d", view="v"), table(f.KAFKA_FAILING, 1)),
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_what_fails_unasked(name: str) -> None:
    points, step = FAILING[name]

    assert lost("errors", step) == points


@pytest.mark.parametrize(
    ("every", "ages", "points"),
    [(None, [9e9], 0), (86400, [86400], 0), (86400, [86401], 30), (86400, [9e9, 3600], 0), (86400, [], 30)],
)
def test_backups(every: float | None, ages: list[float], points: float) -> None:
    cluster = healthy(replicas=2)
    cluster.backup_every_seconds = every
    cluster.panel("backups", "ok")
    for host, age in zip(cluster.hosts, ages, strict=False):
        cluster.set(f.BACKUP_AGE, age, host)

    assert lost("errors", cluster=cluster) == points


@pytest.mark.parametrize("status", ["absent", "unsupported", "timeout"])
def test_without_a_panel_nobody_knows_of_backups(status: str) -> None:
    cluster = healthy()
    cluster.backup_every_seconds = 86400
    cluster.panel("backups", status)

    assert cluster.health().components["errors"].deductions == ()


@pytest.mark.parametrize(("down", "points"), [(1, 55), (2, 70), (3, 85)])
def test_nodes_down(down: int, points: float) -> None:
    cluster = healthy(replicas=4)
    cluster.down(*[f"ch{number + 2}" for number in range(down)])

    assert lost("infrastructure", cluster=cluster) == points


def test_a_shard_without_a_replica() -> None:
    cluster = healthy(shards=10)
    cluster.down("ch7")

    assert lost("infrastructure", cluster=cluster) == 100


def test_a_node_of_no_known_shard_leaves_none_empty() -> None:
    cluster = healthy(replicas=2)
    cluster.hosts = {"ch1": "1", "ch2": ""}
    cluster.down("ch2")

    assert lost("infrastructure", cluster=cluster) == 70


@pytest.mark.parametrize(("offline", "points"), [(1, 60), (2, 100), (4, 100)])
def test_keeper_offline(offline: int, points: float) -> None:
    cluster = healthy(replicas=4)
    for host in list(cluster.hosts)[:offline]:
        cluster.set(f.KEEPER_ONLINE, 0, host)

    assert lost("infrastructure", cluster=cluster) == points


def test_nodes_without_keeper_are_not_among_those_that_lost_it() -> None:
    cluster = healthy(replicas=4)
    cluster.drop("ch1", [f.KEEPER_ONLINE])
    cluster.drop("ch2", [f.KEEPER_ONLINE])
    cluster.set(f.KEEPER_ONLINE, 0, "ch3")

    assert lost("infrastructure", cluster=cluster) == 100


@pytest.mark.parametrize(
    ("ensemble", "down", "points"),
    [
        (1, 1, 100),
        (2, 1, 100),
        (3, 0, 0),
        (3, 1, 50),
        (3, 2, 100),
        (4, 1, 50),
        (5, 1, 25),
        (5, 2, 50),
        (5, 3, 100),
    ],
)
def test_keeper_nodes(ensemble: int, down: int, points: float) -> None:
    cluster = healthy()
    cluster.drop("ch1", [f.KEEPER_NODE_UP])
    cluster.set(f.KEEPER_NODES, ensemble)
    for number in range(ensemble):
        cluster.set(f.KEEPER_NODE_UP, float(number >= down), node=f"k{number}")

    assert lost("infrastructure", cluster=cluster) == points


def test_a_keeper_node_that_never_answered_is_one_of_the_ensemble_but_not_down() -> None:
    cluster = healthy()
    cluster.drop("ch1", [f.KEEPER_NODE_UP])
    cluster.set(f.KEEPER_NODE_UP, 1, node="k1")
    assert lost("infrastructure", cluster=cluster) == 0

    cluster.set(f.KEEPER_NODE_UP, 0, node="k2")
    assert lost("infrastructure", cluster=cluster) == 50


def test_keeper_nodes_are_known_while_the_node_that_is_asked_for_them_is_down() -> None:
    cluster = healthy(replicas=2)
    cluster.set(f.KEEPER_NODE_UP, 0, node="k3")
    cluster.set(f.MEMORY_USAGE, 1.0)
    cluster.down("ch1")
    found = [one.metric_key for one in cluster.health().components["infrastructure"].deductions]

    assert found == ["server.up", "keeper_nodes.up"]


@pytest.mark.parametrize(("usage", "points"), [(0.85, 0), (0.9, 15), (0.95, 30), (0.975, 45), (1.0, 60)])
def test_memory(usage: float, points: float) -> None:
    assert lost("infrastructure", node(f.MEMORY_USAGE, usage)) == points


@pytest.mark.parametrize(("restarts", "points"), [(0, 0), (1, 10), (2, 35), (3, 60), (30, 60)])
def test_restarts(restarts: float, points: float) -> None:
    assert lost("infrastructure", lambda c: c.change(RESTARTS, restarts)) == points


@pytest.mark.parametrize(("seconds", "points"), [(1, 0), (3, 10), (5, 20), (32.5, 35), (60, 50), (3600, 50)])
def test_clock_skew(seconds: float, points: float) -> None:
    assert lost("infrastructure", node(f.CLOCK_SKEW, seconds)) == points


def test_panels_that_fail_are_a_share_of_those_that_run() -> None:
    cluster = healthy(replicas=2)
    cluster.statuses = {key: status for key, status in cluster.statuses.items() if key[0] == "ch1"}
    for host, status in (("ch1", "timeout"), ("ch2", "ok")):
        cluster.statuses.update({(host, f"p{number}"): status for number in range(15)})
    cluster.statuses |= {("ch1", "x"): "unsupported", ("ch1", "y"): "disabled"}
    ran = sum(1 for host, _ in cluster.statuses if host == "ch1") - 2

    [found] = cluster.health().components["infrastructure"].deductions
    assert found.points == pytest.approx(30 * 15 / ran)


@pytest.mark.parametrize(("share", "points"), [(1, 0), (3, 15), (5, 30), (12.5, 50), (20, 70), (100, 70)])
def test_failures_by_the_servers_fault(share: float, points: float) -> None:
    assert lost("queries", lambda c: c.change(FAULTS, share)) == points


@pytest.mark.parametrize(("queries", "points"), [(49, 0), (50, 70)])
def test_a_share_of_few_queries_says_nothing(queries: float, points: float) -> None:
    assert lost("queries", lambda c: c.change(QUERIES, queries), lambda c: c.change(FAULTS, 100)) == points


@pytest.mark.parametrize(
    ("seconds", "queries", "points"),
    [(0.6, 3000, 0), (0.601, 3000, 20), (60, 3000, 20), (60, 49, 0), (60, 50, 20)],
)
def test_p95_against_its_median_of_200_ms(seconds: float, queries: float, points: float) -> None:
    steps: tuple[Step, ...] = (
        node(f.DURATION, seconds, quantile="0.95"),
        node(f.DURATION, 999, quantile="0.99"),
        lambda c: c.change(QUERIES, queries),
    )

    assert lost("queries", *steps) == points


def test_a_median_of_nothing_is_no_measure() -> None:
    assert lost("queries", lambda c: c.change(P95, 0, quantile="0.95")) == 0


def test_running_and_refused_queries() -> None:
    running = (node(f.RUNNING_RATIO, 0.8), node(f.RUNNING_RATIO, 0.81))
    refused: Step = lambda c: c.change(REFUSED, 1)  # noqa: E731 - a step as all others

    assert [lost("queries", step) for step in running] == [0, 30]
    assert lost("queries", refused) == 70
    assert lost("queries", running[1], refused) == 70


def test_delayed_and_rejected_inserts() -> None:
    assert lost("queries", lambda c: c.change(DELAYED, 1)) == 30
    assert lost("queries", lambda c: c.change(REJECTED, 1)) == 60
    assert lost("queries", lambda c: c.change(REJECTED, 1), lambda c: c.change(DELAYED, 1)) == 60


def test_hosts_that_left_the_cluster_do_not_count() -> None:
    cluster = healthy()
    cluster.change(RESTARTS, 9, "old")
    cluster.error("CORRUPTED_DATA", 9, "old")

    assert cluster.health().score == 100


def test_samples_of_a_node_that_is_down_do_not_count() -> None:
    cluster = healthy(replicas=2)
    cluster.table(f.LAG, 1800, host="ch2")
    cluster.down("ch2")

    assert lost("infrastructure", cluster=cluster) == 70


def test_what_history_says_of_a_node_that_is_down_counts() -> None:
    cluster = healthy(replicas=2)
    cluster.change(RESTARTS, 3, "ch2")
    cluster.down("ch2")

    assert lost("infrastructure", cluster=cluster) == 100


def test_replication_without_replicas_says_so() -> None:
    cluster = healthy()
    cluster.drop("ch1", [f.LAG, f.LAG_UNKNOWN, f.READONLY, f.READONLY_UNEXPECTED, f.SESSION_EXPIRED])
    cluster.drop("ch1", [f.QUEUE_SIZE, f.MAX_LAG])
    assert cluster.health().components["replication"].note == ""

    cluster.set(f.REPLICAS, 0)
    found = cluster.health().components["replication"]
    assert (found.score, found.note) == (100, "no replicated table")


def test_no_nodes_is_no_data() -> None:
    windows = Windows({RESTARTS: [Change("ch1", {}, 3)]})

    assert health([], windows, NOW).score is None
