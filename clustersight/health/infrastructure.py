"""Nodes, shards and Keeper that are there, and memory, restarts and clocks of the nodes."""

from __future__ import annotations

from collections.abc import Iterator

from clustersight.health import families as f
from clustersight.health.deduction import Deduction, largest, names, number
from clustersight.health.node import Found, NodeState
from clustersight.health.part import Part
from clustersight.health.picture import RUNNER, Input, Picture
from clustersight.health.windows import RESTARTS

INPUTS = (
    Input("reachability", RUNNER),
    Input("panels", RUNNER, (f.PANEL_UP,)),
    Input("Keeper", "keeper", (f.KEEPER_ONLINE,)),
    Input("Keeper nodes", "keeper-nodes", (f.KEEPER_NODES,)),
    Input("memory", "server", (f.MEMORY_USAGE, f.UPTIME)),
    Input("restarts", "server", (f.UPTIME,), (RESTARTS,)),
    Input("clock", "server", (f.CLOCK_SKEW, f.UPTIME)),
)


def deductions(picture: Picture) -> Iterator[Deduction | None]:
    yield largest(_shards_down(picture), _nodes_down(picture))
    yield _keeper_offline(picture)
    yield _keeper_nodes(picture)
    yield picture.worst(
        "memory_usage_pct", f.MEMORY_USAGE, lambda pct: f"a server uses {number(pct)} % of its memory"
    )
    yield largest(*_restarts(picture))
    yield picture.worst("clock_skew_seconds", f.CLOCK_SKEW, lambda s: f"a clock is {number(s)} s off")
    yield largest(*(_panels(picture, node) for node in picture.reachable))


def _nodes_down(picture: Picture) -> Deduction | None:
    down = [node.host for node in picture.down]
    if not down:
        return None
    points = picture.lines["nodes_down_pct"].at(100 * len(down) / len(picture.nodes))
    reason = f"{len(down)} of {len(picture.nodes)} nodes are unreachable: {names(down)}"
    return Deduction(points, reason, "server.up", {"host": down[0]}, 0.0)


def _shards_down(picture: Picture) -> Deduction | None:
    """A node whose shard is not known has none that could be down."""
    alive = {node.shard for node in picture.reachable}
    dead = [node for node in picture.down if node.shard and node.shard not in alive]
    points = picture.lines["shards_down"].at(len({node.shard for node in dead}))
    if not points:
        return None
    reason = f"no replica is reachable of shard {names(node.shard for node in dead)}"
    labels = {"host": dead[0].host, "shard": dead[0].shard}
    return Deduction(points, reason, "server.up", labels, 0.0)


def _keeper_offline(picture: Picture) -> Deduction | None:
    told = list(picture.found(f.KEEPER_ONLINE))
    offline = [one for one in told if not one.value]
    if not offline:
        return None
    few = picture.lines["keeper_offline_nodes"].at(len(offline))
    half = picture.lines["keeper_offline_pct"].at(100 * len(offline) / len(told))
    reason = f"{len(offline)} of {len(told)} nodes work without Keeper: {names(_hosts(offline))}"
    return Deduction(max(few, half), reason, offline[0].key, offline[0].labels, 0.0)


def _hosts(found: list[Found]) -> list[str]:
    return [one.labels["host"] for one in found]


def _keeper_nodes(picture: Picture) -> Deduction | None:
    """Down against those that the ensemble can do without; a node that never answered is not down."""
    # Should several hosts tell of one node, the last one stays: it is down.
    all_told = sorted(picture.found(f.KEEPER_NODE_UP), key=_is_up, reverse=True)
    told = {one.labels["node"]: one for one in all_told}
    down = [one for one in told.values() if not one.value]
    if not down:
        return None
    known = max((one.value for one in picture.found(f.KEEPER_NODES)), default=0.0)
    ensemble = int(max(known, len(told)))
    tolerable = (ensemble - 1) // 2
    points = picture.lines["keeper_nodes_beyond"].at(len(down) - tolerable)
    if tolerable:
        points = max(points, picture.lines["keeper_nodes_down_pct"].at(100 * len(down) / tolerable))
    reason = f"{len(down)} of {ensemble} Keeper nodes are down: {names(one.labels['node'] for one in down)}"
    return Deduction(points, reason, down[0].key, down[0].labels, 0.0)


def _is_up(one: Found) -> float:
    return one.value


def _restarts(picture: Picture) -> Iterator[Deduction]:
    for change in picture.changes(RESTARTS):
        points = picture.lines["restarts_1h"].at(change.value)
        if points:
            reason = f"the server started {number(change.value)} times within an hour"
            yield Deduction(points, reason, "server.restarts_1h", {"host": change.host}, change.value)


def _panels(picture: Picture, node: NodeState) -> Deduction | None:
    """A panel that is unsupported or disabled has no such sample."""
    told = list(node.found(f.PANEL_UP))
    failing = [one for one in told if not one.value]
    if not failing:
        return None
    points = picture.lines["panels_failing_pct"].at(100 * len(failing) / len(told))
    panels = names(one.labels["panel"] for one in failing)
    reason = f"{len(failing)} of {len(told)} panels of {node.host} fail: {panels}"
    return Deduction(points, reason, failing[0].key, failing[0].labels, 0.0)


PART = Part("infrastructure", "Infrastructure", INPUTS, deductions)
