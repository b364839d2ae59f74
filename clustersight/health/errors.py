"""Exceptions of the servers, and work that fails without anybody asking."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from clustersight.health import families as f
from clustersight.health.deduction import Deduction, largest, names, number, worst
from clustersight.health.node import Found
from clustersight.health.part import Part
from clustersight.health.picture import Input, Picture
from clustersight.health.windows import ERRORS, QUARTER_SECONDS, Change

# spec/health.md names the codes; these are their names in system.errors.
CORRUPTION = frozenset({
    "CHECKSUM_DOESNT_MATCH", "NO_FILE_IN_DATA_PART", "BAD_SIZE_OF_FILE_IN_DATA_PART",
    "TOO_MANY_UNEXPECTED_DATA_PARTS", "CORRUPTED_DATA", "POTENTIALLY_BROKEN_DATA_PART",
})  # fmt: skip
CAPACITY = frozenset({
    "CANNOT_ALLOCATE_MEMORY", "MEMORY_LIMIT_EXCEEDED", "NOT_ENOUGH_SPACE", "TOO_MANY_PARTS",
    "CANNOT_SCHEDULE_TASK",
})  # fmt: skip
CONNECTION = frozenset({
    "SOCKET_TIMEOUT", "NETWORK_ERROR", "NO_ZOOKEEPER", "ALL_CONNECTION_TRIES_FAILED", "KEEPER_EXCEPTION",
})  # fmt: skip
CODES_AT_MOST = 60.0
QUARTER_MINUTES = QUARTER_SECONDS / 60

INPUTS = (
    Input("error codes", "errors", (f.ERRORS,), (ERRORS,)),
    Input("mutations", "mutations", (f.ALL_MUTATIONS,)),
    Input("DDL queue", "ddl-queue", (f.DDL_OLDEST,)),
    Input("Distributed sends", "distribution", (f.DISTRIBUTION_FILES,)),
    Input("tables that did not load", "tables", (f.LOAD_FAILED,)),
    Input("dictionaries", "dictionaries", (f.DICTIONARY_FAILING,)),
    Input("backups", "backups", (f.BACKUPS_FAILED,)),
    Input("views", "views", (f.VIEW_FAILING,)),
    Input("Kafka consumers", "kafka", (f.KAFKA_FAILING,)),
)


def deductions(picture: Picture) -> Iterator[Deduction | None]:
    yield from _codes(picture)
    yield _mutations(picture)
    yield picture.worst("ddl_oldest_seconds", f.DDL_OLDEST, lambda s: f"a DDL entry waits for {number(s)} s")
    yield _distribution(picture)
    yield picture.worst("tables_load_failed", f.LOAD_FAILED, lambda n: f"{number(n)} tables did not load")
    yield picture.worst("dictionaries_failing", f.DICTIONARY_FAILING, lambda _: "a dictionary does not load")
    yield _backups(picture)
    yield largest(
        picture.worst("views_failing", f.VIEW_FAILING, lambda _: "a view does not refresh"),
        picture.worst("kafka_failing", f.KAFKA_FAILING, lambda _: "a Kafka consumer fails"),
    )


def _codes(picture: Picture) -> Iterator[Deduction]:
    """Corruption, capacity and connection; what is over the most that they may cost is cut off."""
    room = CODES_AT_MOST
    found = (
        _class(picture, "errors_corruption_15m", CORRUPTION, "corrupt data", 1.0),
        _class(picture, "errors_capacity_per_min", CAPACITY, "no room", QUARTER_MINUTES),
        _class(picture, "errors_connection_per_min", CONNECTION, "no connection", QUARTER_MINUTES),
    )
    for deduction in sorted(filter(None, found), key=lambda one: -one.points):
        if room > 0:
            yield dataclasses.replace(deduction, points=min(deduction.points, room))
        room -= deduction.points


def _class(picture: Picture, line: str, codes: frozenset[str], what: str, per: float) -> Deduction | None:
    """The node with the most exceptions of a class; the line is for their number divided by `per`."""
    found = []
    for changes in picture.by_host(ERRORS).values():
        risen = [c for c in changes if c.value > 0 and c.labels["error"] in codes]
        points = picture.lines[line].at(sum(c.value for c in risen) / per)
        if risen and points > 0:
            found.append(_of_codes(points, what, sorted(risen, key=lambda change: -change.value)))
    return largest(*found)


def _of_codes(points: float, what: str, risen: list[Change]) -> Deduction:
    """`value` is of all of them together, in exceptions a minute."""
    count = sum(change.value for change in risen)
    each = names(f"{change.labels['error']} {number(change.value)}" for change in risen)
    labels = {"host": risen[0].host, **(risen[0].labels if len(risen) == 1 else {})}
    reason = f"{number(count)} exceptions within 15 minutes ({what}): {each}"
    return Deduction(points, reason, "errors.per_min", labels, count / QUARTER_MINUTES)


def _mutations(picture: Picture) -> Deduction | None:
    """Failing, else stuck; the totals count where the rows of tables are cut."""
    failing = (f.MUTATIONS_FAILING, f.ALL_MUTATIONS_FAILING)
    stuck = (f.MUTATIONS_STUCK, f.ALL_MUTATIONS_STUCK)
    return largest(
        *(picture.worst("mutations_failing", family, _say_failing) for family in failing)
    ) or largest(*(picture.worst("mutations_stuck", family, _say_stuck) for family in stuck))


def _say_failing(mutations: float) -> str:
    return "1 mutation fails" if mutations == 1 else f"{number(mutations)} mutations fail"


def _say_stuck(mutations: float) -> str:
    return f"{number(mutations)} mutations are stuck"


def _distribution(picture: Picture) -> Deduction | None:
    line = picture.lines["distribution_failing"]
    return largest(
        picture.worst("distribution_failing", f.DISTRIBUTION_BROKEN, _broken_files),
        worst(line, _failing_sends(picture), lambda n: f"Distributed sends fail, with {number(n)} errors"),
        picture.worst(
            "distribution_failing", f.DISTRIBUTION_BLOCKED, lambda _: "Distributed sends are blocked"
        ),
    )


def _broken_files(files: float) -> str:
    return f"{number(files)} files of a Distributed table were set aside: their rows are not delivered"


def _failing_sends(picture: Picture) -> Iterator[Found]:
    """Old errors without a file that still waits are over."""
    waiting = {tuple(sorted(one.labels.items())) for one in picture.found(f.DISTRIBUTION_FILES) if one.value}
    for one in picture.found(f.DISTRIBUTION_ERRORS):
        if tuple(sorted(one.labels.items())) in waiting:
            yield one


def _backups(picture: Picture) -> Deduction | None:
    """The newest backup of the cluster against what is expected; none at all is overdue too."""
    every = picture.backup_every_seconds
    points = picture.lines["backups_overdue"].at(1)
    if every is None or not any("backups" in node.statuses for node in picture.reachable):
        return None
    newest = min(picture.found(f.BACKUP_AGE), key=lambda one: one.value, default=None)
    if newest is None:
        told = any(node.statuses.get("backups") == "ok" for node in picture.reachable)
        reason = "no backup has been seen"
        # Its age is not known; it is at least overdue.
        return Deduction(points, reason, "backups.age_seconds", {}, every) if told else None
    if newest.value <= every:
        return None
    reason = (
        f"the newest backup is {number(newest.value / 3600)} hours old, expected every {number(every / 3600)}"
    )
    return Deduction(points, reason, newest.key, newest.labels, newest.value)


PART = Part("errors", "Errors", INPUTS, deductions)
