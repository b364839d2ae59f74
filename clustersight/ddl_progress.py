"""Which nodes of a cluster do not get on with DDL ON CLUSTER, told without a question to Keeper (pure).

Each server counts the newest entry of the queue that it is through with (MaxDDLEntryID), and the newest
that it has put in itself (MaxPushedDDLEntryID); the numbers are the queue's own, so they compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# facts/clickhouse-facts.md, "ddl-queue": a node that lags for so long is reason enough to ask Keeper.
BEHIND_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Entries:
    """The numbers of one node; `pushed` is 0 where it has put in none, or the version does not say."""

    reached: float
    pushed: float = 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A node has not reached the entry `goal`, which was there at `since` (monotonic seconds)."""

    goal: float
    since: float


def waiting(before: Mapping[str, Waiting], nodes: Mapping[str, Entries], now: float) -> dict[str, Waiting]:
    """Who waits for what, by host. A node that is busy reaches each goal in the end, and gets a new one."""
    newest = max((max(one.reached, one.pushed) for one in nodes.values()), default=0.0)
    found = {}
    for host, one in nodes.items():
        known = before.get(host)
        # A goal beyond the newest entry is of a queue that began anew.
        if known is not None and one.reached < known.goal <= newest:
            found[host] = known
        elif one.reached < newest:
            found[host] = Waiting(newest, now)
    return found


def behind(known: Mapping[str, Waiting], now: float) -> tuple[str, ...]:
    """The hosts that have waited for too long."""
    return tuple(sorted(host for host, one in known.items() if now - one.since >= BEHIND_SECONDS))
