"""What `meta` says of a panel's answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from pydantic import BaseModel, Field

from api.panels.runs import NodeRun, told
from clustersight.panels.panel import Status
from clustersight.times import iso

EXAMPLE = {
    "cluster_id": "cl_0123456789ab",
    "collected_at": "2026-03-22T14:00:00Z",
    "status": {"ch1.internal": "ok", "ch2.internal": "error"},
    "errors": {"ch2.internal": "ch2.internal:8123: connection refused"},
    "unsupported": None,
    "cache_hit": True,
    "age_sec": 12.4,
    "stale": False,
}


SERIES_EXAMPLE = EXAMPLE | {"series_total": 1}


class PanelMeta(BaseModel):
    """Where an answer comes from, and how each node is."""

    cluster_id: str
    collected_at: str | None = Field(description="When the oldest of what is shown was read.")
    status: dict[str, Status] = Field(description="How the panel's last run ended, by node.")
    errors: dict[str, str] = Field(description="Why it failed, by node; rows of these nodes are left out.")
    unsupported: str | None = Field(description="Why a node's version cannot tell this.")
    cache_hit: bool = Field(description="False: ClickHouse was asked for this very answer.")
    age_sec: float | None = Field(description="Seconds since collected_at.")
    stale: bool = Field(description="Older than the panel's interval and CACHE_TTL; only with ?max_age=.")


class SeriesMeta(PanelMeta):
    """The same of a time series."""

    series_total: int = Field(description="How many series there are; the worst 50 are shown.")


def meta_of(cluster_id: str, runs: Sequence[NodeRun], shown: Collection[str]) -> dict[str, Any]:
    """What stays the same as long as the panel does not run again."""
    reasons = [told(run) for run in runs if run.status is Status.UNSUPPORTED]
    return {
        "cluster_id": cluster_id,
        "collected_at": iso(collected_at(runs, shown)),
        "status": {run.host: run.status.value for run in runs},
        "errors": {run.host: told(run) for run in runs if not run.tells},
        "unsupported": reasons[0] if reasons else None,
    }


def collected_at(runs: Sequence[NodeRun], shown: Collection[str]) -> float:
    """When the oldest of what is shown was seen, in epoch seconds."""
    return min((run.seen_at for run in runs if run.host in shown and run.seen_at is not None), default=0.0)
