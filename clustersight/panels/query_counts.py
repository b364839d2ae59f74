"""How many queries a server has run and how many of them failed, out of its counters (system.events)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clustersight.panels.counters import Counters
from clustersight.panels.panel import Context

# Failed* came with 20.6 (ClickHouse#11151); an event that has not happened is hidden, so the version decides.
FAILED_SINCE = (20, 6)


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the start of the server. `failed` is empty and `failed_initial` None where it is not counted."""

    queries: Mapping[str, float]
    failed: Mapping[str, float]
    initial: float
    failed_initial: float | None


def count(values: Counters, context: Context) -> Counts:
    """The counts by kind; the sum over kind is the total."""
    failing = _counts_failures(values, context)
    # InitialSelectQuery and FailedInitialQuery came together (26.1, ClickHouse#91172), and the first is
    # never hidden: our own queries are such.
    initial = values.has_event("InitialSelectQuery")
    failed = _user_failures(values, "FailedInitialQuery" if initial else "FailedQuery")
    memory = context.memory
    return Counts(
        queries=_by_kind(memory, "queries", *map(values.event, ("Query", "SelectQuery", "InsertQuery"))),
        failed=_failed_by_kind(memory, values) if failing else {},
        initial=values.event("InitialQuery" if initial else "Query"),
        failed_initial=_never_falling(memory, "failed_initial", failed) if failing else None,
    )


def _counts_failures(values: Counters, context: Context) -> bool:
    able = context.capabilities
    return values.has_event("FailedQuery") or (able is not None and able.version_tuple >= FAILED_SINCE)


def _failed_by_kind(memory: dict[str, Any], values: Counters) -> dict[str, float]:
    names = ("FailedQuery", "FailedSelectQuery", "FailedInsertQuery")
    return _by_kind(memory, "failed", *(_user_failures(values, name) for name in names))


def _user_failures(values: Counters, name: str) -> float:
    """Without what the server asked itself: a view that cannot refresh is no failed query."""
    internal = (
        "FailedInternalQuery" if name == "FailedInitialQuery" else name.replace("Failed", "FailedInternal")
    )
    return values.event(name) - values.event(internal)


def _by_kind(
    memory: dict[str, Any], what: str, total: float, select: float, insert: float
) -> dict[str, float]:
    kinds = {"select": select, "insert": insert, "other": total - select - insert}
    return {kind: _never_falling(memory, f"{what} {kind}", value) for kind, value in kinds.items()}


def _never_falling(memory: dict[str, Any], what: str, value: float) -> float:
    """A difference of counters that are not read at one moment may fall by one: a reset to its reader.

    The memory ends with the server's life, so that a real reset shows.
    """
    highest = memory[what] = max(value, memory.get(what, 0.0))
    return float(highest)
