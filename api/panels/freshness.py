"""Whether what is stored of a panel may still be served (pure)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from api.panels.runs import NodeRun
from clustersight.plans import SKEW_SECONDS


def is_fresh(runs: Sequence[NodeRun], hosts: Collection[str], now: float, seconds: float) -> bool:
    """Whether the panel ran in the last `seconds` on every one of `hosts`, and some node told something."""
    if not any(run.tells for run in runs) or not {run.host for run in runs}.issuperset(hosts):
        return False
    return all(-SKEW_SECONDS <= now - run.finished_at < seconds for run in runs)


def hosts_that_tell(runs: Sequence[NodeRun]) -> frozenset[str]:
    """The nodes whose last run speaks for itself."""
    return frozenset(run.host for run in runs if run.tells)


def hosts_seen(runs: Sequence[NodeRun], now: float, seconds: float) -> frozenset[str]:
    """The nodes of which something was seen within the last `seconds`, however they are now."""
    return frozenset(
        run.host for run in runs if run.seen_at is not None and -SKEW_SECONDS <= now - run.seen_at <= seconds
    )
