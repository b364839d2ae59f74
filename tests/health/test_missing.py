"""What is not known is neither well nor ill: named as missing, and null where it is too much."""

from __future__ import annotations

import pytest

from clustersight.health import Component, families, health
from clustersight.health import Windows as NoHistory
from clustersight.health.windows import ERRORS, FAULTS, QUERIES, WANTED
from tests.health.cluster import NOW, Cluster, healthy


def component(cluster: Cluster, name: str) -> Component:
    return cluster.health().components[name]


def test_a_missing_input_is_named() -> None:
    cluster = healthy()
    cluster.fail("replication-queue")
    found = component(cluster, "replication")

    assert found.missing == ("stuck tasks of ch1: panel replication-queue is timeout",)
    assert found.score == 100


def test_a_panel_that_never_ran_is_missing() -> None:
    cluster = healthy()
    cluster.fail("replication-queue", status="absent")

    assert component(cluster, "replication").missing == (
        "stuck tasks of ch1: panel replication-queue has not been read",
    )


def test_samples_that_are_fresh_outlive_a_failed_run() -> None:
    cluster = healthy()
    cluster.panel("replication", "timeout")
    found = component(cluster, "replication")

    assert (found.score, found.missing) == (100, ())


def test_with_half_of_its_inputs_missing_a_component_is_null() -> None:
    cluster = healthy()
    cluster.set(families.CLOCK_SKEW, 5)
    cluster.fail("disk")  # two of the four inputs of storage
    found = cluster.health()

    assert found.components["storage"].score is None
    assert found.components["storage"].note == "half of its inputs are missing"
    # Infrastructure has 80, less 30 for one panel of all; its tenth is now an eighth.
    infrastructure = found.components["infrastructure"].score
    assert infrastructure is not None
    assert found.score == round((30 + 20 + 20 + infrastructure / 10) / 0.8, 1)


def test_half_is_of_the_inputs_of_all_nodes_that_answer() -> None:
    cluster = healthy(replicas=2)
    cluster.fail("replication")  # three of the eight
    found = component(cluster, "replication")

    assert found.score == 100
    assert "lag of ch1: panel replication is timeout" in found.missing
    cluster.fail("replication-queue", host="ch2")
    assert component(cluster, "replication").score is None


def test_a_share_of_failures_is_known_to_be_of_enough_queries_where_their_number_is_not() -> None:
    cluster = healthy()
    cluster.change(FAULTS, 20)
    cluster.set(families.DURATION, 60, quantile="0.95")
    cluster.forget(QUERIES)

    assert [one.points for one in component(cluster, "queries").deductions] == [70]


def test_what_is_known_against_a_null_component_holds_the_score_down() -> None:
    cluster = healthy()
    cluster.set(families.DISK_USAGE, 0.99, disk="default")
    cluster.fail("parts", "broken-parts")
    found = cluster.health()

    assert found.components["storage"].score is None
    assert found.components["storage"].deductions[0].metric_key == "disk.usage_pct"
    assert (found.score, found.grade) == (35.0, "F")


@pytest.mark.parametrize("status", ["unsupported", "disabled"])
def test_what_cannot_be_known_is_not_missing(status: str) -> None:
    cluster = healthy()
    cluster.fail("disk", "broken-parts", "errors", status=status)
    found = cluster.health()

    assert found.score == 100
    assert all(not one.missing for one in found.components.values())


def test_a_component_of_which_nothing_can_be_known_is_null() -> None:
    cluster = healthy()
    cluster.fail("disk", "broken-parts", "parts", status="unsupported")
    found = cluster.health()

    assert found.components["storage"].score is None
    assert found.components["storage"].note == "no input of it can be read here"
    assert found.score == 100


def test_the_tables_of_a_node_that_is_down_are_unknown() -> None:
    cluster = healthy(replicas=2)
    cluster.down("ch2")

    for name in ("replication", "storage", "errors", "queries"):
        assert component(cluster, name).missing == ("everything of ch2: unreachable",)


def test_many_nodes_are_counted_and_not_all_named() -> None:
    cluster = healthy(shards=5, replicas=2)
    cluster.down(*(f"ch{number}" for number in range(2, 7)))
    assert component(cluster, "storage").missing == ("everything of ch2, ch3, ch4, ch5, ch6: unreachable",)

    cluster.down(*(f"ch{number}" for number in range(7, 10)))
    assert component(cluster, "storage").missing == (
        "everything of ch2, ch3, ch4, ch5, ch6 and 3 more: unreachable",
    )


def test_without_history_changes_are_missing() -> None:
    cluster = healthy()
    cluster.forget(ERRORS)
    cluster.forget(QUERIES)
    cluster.forget(FAULTS)

    assert component(cluster, "errors").missing == ("error codes of ch1: no history yet",)
    assert component(cluster, "queries").missing == (
        "failures of ch1: no history yet",
        "p95 of ch1: no history yet",
    )


def test_without_any_history_only_what_is_now_is_known() -> None:
    found = health(healthy().nodes(), NoHistory(), NOW)

    assert found.components["storage"].score == 100
    assert found.components["errors"].score == 100
    assert found.components["errors"].missing == ("error codes of ch1: no history yet",)
    assert found.components["queries"].score is None
    assert found.score == 100


def test_a_new_broken_part_without_history_is_missing() -> None:
    cluster = healthy()
    assert component(cluster, "storage").missing == ()

    cluster.set(families.DETACHED, 2, database="shop", table="orders", reason_class="broken")
    assert component(cluster, "storage").missing == ("broken parts of ch1: no history yet",)


def test_with_no_node_there_is_no_score_and_not_the_last_good_one() -> None:
    cluster = healthy(replicas=2)
    cluster.down("ch1", "ch2")
    found = cluster.health()

    assert (found.score, found.grade) == (None, None)
    assert found.components["infrastructure"].deductions[0].labels == {"host": "ch1", "shard": "1"}
    assert all(found.components[name].score is None for name in ("replication", "storage", "errors"))


def test_with_no_panel_there_is_no_score() -> None:
    cluster = healthy()
    every = [panel for _, panel in list(cluster.statuses)]
    cluster.fail(*every, status="unauthorized")

    assert (cluster.health().score, cluster.health().grade) == (None, None)


def test_a_node_of_which_nothing_is_fresh_has_no_score() -> None:
    cluster = healthy()
    cluster.values.clear()
    cluster.statuses.clear()

    assert cluster.health().score is None


def test_every_window_is_asked_for_once() -> None:
    assert len(set(WANTED)) == len(WANTED)
    assert set(WANTED) >= {window for window, *_ in healthy().changes}
