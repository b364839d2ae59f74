"""Disks that fill, tables with too many parts, parts that broke."""

from __future__ import annotations

from collections.abc import Iterator

from clustersight.health import families as f
from clustersight.health.deduction import Deduction, largest, names, number, worst
from clustersight.health.node import Found, NodeState
from clustersight.health.part import Part
from clustersight.health.picture import Input, Picture
from clustersight.health.windows import BROKEN_PARTS, Change

# A table that is being filled has many small parts for a while.
NEW_TABLE_SECONDS = 600
INPUTS = (
    Input("disk use", "disk", (f.DISK_USAGE, f.DISK_BROKEN)),
    Input("broken disks", "disk", (f.DISK_BROKEN,)),
    Input("parts pressure", "parts", (f.TABLES,)),
    Input("broken parts", "broken-parts", (f.ALL_DETACHED,), (BROKEN_PARTS,)),
)
# The classes of detached parts that mean that rows may be lost.
LOST = frozenset({"broken", "unexpected"})


def deductions(picture: Picture) -> Iterator[Deduction | None]:
    yield picture.worst("disk_usage_pct", f.DISK_USAGE, lambda pct: f"a disk is {number(pct)} % full")
    yield picture.worst("disk_broken", f.DISK_BROKEN, lambda _: "ClickHouse found a disk broken")
    line = picture.lines["parts_pressure_pct"]
    yield worst(
        line, _pressures(picture), lambda pct: f"a partition has {number(pct)} % of the allowed parts"
    )
    yield largest(*(_broken(picture, changes) for changes in picture.by_host(BROKEN_PARTS).values()))


def _pressures(picture: Picture) -> Iterator[Found]:
    for node in picture.reachable:
        for one in node.raised(f.PARTS_PRESSURE):
            if not _is_new(node, one, picture.now):
                yield one


def _is_new(node: NodeState, one: Found, now: float) -> bool:
    seen = node.first_seen.get((one.labels["database"], one.labels["table"]))
    return seen is not None and now - seen < NEW_TABLE_SECONDS


def _broken(picture: Picture, changes: list[Change]) -> Deduction | None:
    """All tables of one node together: one crash may break a part of each."""
    new = sorted((c for c in changes if _is_lost(c)), key=lambda change: -change.value)
    count = sum(change.value for change in new)
    points = picture.lines["broken_parts_24h"].at(count)
    if not points:
        return None
    tables = names(f"{change.labels['database']}.{change.labels['table']}" for change in new)
    reason = f"{number(count)} parts broke within 24 hours: {tables}"
    labels = new[0].labels if len(new) == 1 else {}
    return Deduction(points, reason, "broken_parts.count", {"host": new[0].host, **labels}, count)


def _is_lost(change: Change) -> bool:
    return change.value > 0 and change.labels["reason_class"] in LOST


PART = Part("storage", "Storage", INPUTS, deductions)
