"""Replicas that lag, take no inserts or have lost Keeper; the worst table of the worst node."""

from __future__ import annotations

from collections.abc import Iterator

from clustersight.health import families as f
from clustersight.health.deduction import Deduction, largest, names, number, worst
from clustersight.health.node import Found, NodeState
from clustersight.health.part import Part
from clustersight.health.picture import Input, Picture

PANEL = "replication"
INPUTS = (
    Input("lag", PANEL, (f.REPLICAS,)),
    Input("read-only replicas", PANEL, (f.REPLICAS,)),
    Input("queue", PANEL, (f.REPLICAS,)),
    Input("stuck tasks", "replication-queue", (f.ALL_STUCK_TASKS,)),
)

Table = tuple[str, str]


def deductions(picture: Picture) -> Iterator[Deduction | None]:
    yield largest(
        _unwritable(picture),
        picture.worst("replication_lag_seconds", f.LAG, _lag),
        picture.worst("replication_lag_seconds", f.MAX_LAG, _lag),
        _unknown(picture),
    )
    yield picture.worst(
        "replication_queue_size", f.QUEUE_SIZE, lambda n: f"{number(n)} tasks wait in the queue of a replica"
    )
    yield largest(
        picture.worst("replication_stuck_tasks", f.STUCK_TASKS, _stuck),
        picture.worst("replication_stuck_tasks", f.ALL_STUCK_TASKS, _stuck),
    )


def _lag(seconds: float) -> str:
    return f"a replica is {number(seconds)} s behind"


def _stuck(tasks: float) -> str:
    return f"{number(tasks)} stuck tasks in the replication queue"


def _unwritable(picture: Picture) -> Deduction | None:
    """The node with the largest share of replicas that are read-only or without session."""
    return largest(*(_unwritable_of(picture, node) for node in picture.reachable))


def _unwritable_of(picture: Picture, node: NodeState) -> Deduction | None:
    bad = _bad(node)
    # Where rows are cut, the totals still know how many there are.
    count = max(len(bad), node.value(f.REPLICAS_READONLY) or 0.0)
    if not count:
        return None
    replicas = max(node.value(f.REPLICAS) or 0.0, count)
    points = picture.lines["replication_readonly_pct"].at(100 * count / replicas)
    reason = f"{number(count)} of {number(replicas)} replicated tables are read-only or without session"
    if bad:
        reason += f": {names('.'.join(table) for table in bad)}"
    if len(bad) == count == 1:
        [only] = bad.values()
        return Deduction(points, reason, only.key, only.labels, only.value)
    return Deduction(points, reason, "replication.replicas_readonly", {"host": node.host}, count)


def _bad(node: NodeState) -> dict[Table, Found]:
    """Of the replicas that are not expected to be like that."""
    expected = _expected(node)
    found: dict[Table, Found] = {}
    for one in (*node.raised(f.READONLY_UNEXPECTED), *node.raised(f.SESSION_EXPIRED)):
        if _table(one) not in expected:
            found.setdefault(_table(one), one)
    return found


def _expected(node: NodeState) -> set[Table]:
    """Those that `expected_readonly` names, while they are read-only: nothing of them counts."""
    unexpected = set(map(_table, node.raised(f.READONLY_UNEXPECTED)))
    return set(map(_table, node.raised(f.READONLY))) - unexpected


def _unknown(picture: Picture) -> Deduction | None:
    return largest(*(_unknown_of(picture, node) for node in picture.reachable))


def _unknown_of(picture: Picture, node: NodeState) -> Deduction | None:
    expected = _expected(node)
    found = [one for one in node.raised(f.LAG_UNKNOWN) if _table(one) not in expected]
    line = picture.lines["replication_lag_unknown"]
    return worst(line, found, lambda _: "nobody can say how far a replica is behind")


def _table(one: Found) -> Table:
    return one.labels["database"], one.labels["table"]


def note(picture: Picture) -> str:
    """Says so where there is nothing to replicate."""
    counts = [node.value(f.REPLICAS) for node in picture.reachable]
    known = [count for count in counts if count is not None]
    return "no replicated table" if known and not any(known) else ""


PART = Part("replication", "Replication", INPUTS, deductions, note)
