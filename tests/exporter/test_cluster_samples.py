"""What is said of a cluster as a whole: nodes and shards that do not answer, versions, a monitor cut off."""

from __future__ import annotations

import pytest

from clustersight.clickhouse.connection import Address, Wire
from clustersight.clickhouse.topology import Node
from clustersight.collection import Collection
from clustersight.panels.panel import Greeting
from clustersight.self_metrics import cluster_samples, isolated_sample

UP = "26.9.1"


def node(name: str, shard: str = "") -> Node:
    return Node("main", name, Address(name, 8123, Wire.HTTP), shard=shard)


def visit(version: str | None = UP) -> Collection:
    """A visit to a node of this version; None: it did not answer."""
    greeting = None if version is None else Greeting(version, 60, "host")
    return Collection(node("any"), version is not None, "", greeting, 0.0, 0.0, ())


def said(*nodes: tuple[str, Collection | None]) -> dict[str, float]:
    """By name, of nodes that are given by their shard and their visit."""
    visits = {node(f"n{number}", shard): found for number, (shard, found) in enumerate(nodes)}
    return {
        sample.metric.name.removeprefix("clickhouse_").removeprefix("cluster_"): sample.value
        for sample in cluster_samples(visits)
    }


def test_a_cluster_in_good_health() -> None:
    expected = {"version_mismatch": 0, "versions": 1, "nodes_down": 0, "shards_down": 0}
    assert said(("1", visit()), ("1", visit()), ("2", visit())) == expected


def test_a_shard_is_down_when_all_its_replicas_are() -> None:
    found = said(("1", visit()), ("1", visit(None)), ("2", visit(None)), ("2", visit(None)))
    assert (found["nodes_down"], found["shards_down"]) == (3, 1)


def test_a_replica_that_was_not_visited_yet_may_be_there() -> None:
    found = said(("1", None), ("1", visit(None)))
    assert (found["nodes_down"], found["shards_down"]) == (1, 0)


def test_without_shards_none_is_said_to_be_up() -> None:
    found = said(("", visit(None)))
    assert found == {"nodes_down": 1}


def test_versions_are_those_of_nodes_that_answer() -> None:
    found = said(("1", visit()), ("1", visit("24.8.1")), ("2", visit("24.8.1")), ("2", visit(None)))
    assert (found["versions"], found["version_mismatch"]) == (2, 1)


@pytest.mark.parametrize(
    ("down", "up", "waiting", "isolated"),
    [(0, 0, 0, 0), (2, 0, 0, 0), (3, 0, 0, 1), (3, 3, 0, 1), (3, 4, 0, 0), (3, 0, 4, 0), (25, 25, 0, 1)],
)
def test_half_of_all_nodes_and_three_at_least(down: int, up: int, waiting: int, isolated: int) -> None:
    visits = [*[visit(None)] * down, *[visit()] * up, *[None] * waiting]
    assert isolated_sample(visits).value == isolated
