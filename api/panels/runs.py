"""How the last run of a panel ended on each node: one that the exporter stored, or a live one (pure)."""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from api.errors import ApiError, ClickHouseFailed, Unreachable, from_clickhouse
from clustersight.clickhouse import errors
from clustersight.collection import Collection, PanelRun
from clustersight.panels.panel import Panel, Status
from clustersight.store.nodes import StoredNode
from clustersight.store.snapshots import Snapshot

Row = Mapping[str, Any]

# Runs that say what there is to say, be it that there is nothing.
TELLING = frozenset({Status.OK, Status.UNSUPPORTED, Status.DISABLED, Status.LOAD_BALANCED})
_NOTHING_TO_TELL = frozenset({Status.UNSUPPORTED, Status.DISABLED})
_FAILED = "ClickHouse could not answer; the log of the process that asked says more"


@dataclass(frozen=True, slots=True)
class NodeRun:
    """One panel on one node; times in epoch seconds.

    `up`: the node answered. `seen_at` is when what there is to tell was seen: the run's end, or after
    a failure the last good one's; None without any. `rows` are those of then.
    """

    host: str
    up: bool
    status: Status
    error: str
    finished_at: float
    seen_at: float | None
    rows: Sequence[Row] = ()

    @property
    def tells(self) -> bool:
        return self.status in TELLING

    @property
    def reached(self) -> bool:
        """Something of it is known: the node answered, or the panel needs no answer of it."""
        return self.up or self.tells

    @property
    def identity(self) -> tuple[str, str, float, float | None]:
        """Changes whenever the panel has run again."""
        return (self.host, self.status, self.finished_at, self.seen_at)


def stored_run(snapshot: Snapshot, node: StoredNode) -> NodeRun:
    """A run that the exporter stored."""
    status = Status(snapshot.status)
    seen_at = snapshot.finished_at if status in _NOTHING_TO_TELL else snapshot.collected_at
    return NodeRun(
        snapshot.host, node.is_up, status, snapshot.error, snapshot.finished_at, seen_at, snapshot.payload
    )


def live_run(collection: Collection, panel: Panel, run: PanelRun | None) -> NodeRun:
    """A run of just now; without one the node did not answer in time."""
    host = collection.node.host
    if run is None:
        ended = collection.started_at + collection.duration_seconds
        return NodeRun(host, collection.up, Status.TIMEOUT, collection.error, ended, None)
    rows = panel.payload(run.rows) if run.status is Status.OK else []
    seen_at = run.finished_at if run.status in TELLING else None
    return NodeRun(host, collection.up, run.status, run.error, run.finished_at, seen_at, rows)


def plain_runs(runs: Sequence[NodeRun]) -> list[dict[str, Any]]:
    """Runs as plain values."""
    return [asdict(run) for run in runs]


def read_runs(plain: list[dict[str, Any]]) -> tuple[NodeRun, ...]:
    """The same the other way. Raises ValueError."""
    return tuple(NodeRun(**run | {"status": Status(run["status"])}) for run in plain)


def rows_of(runs: Sequence[NodeRun], hosts: Some[str]) -> list[dict[str, Any]]:
    """The rows of these hosts' runs, each with its `host` unless the panel itself names one."""
    return [{"host": run.host, **row} for run in runs if run.host in hosts for row in run.rows]


def light(run: NodeRun) -> NodeRun:
    """The run without its rows, for whoever keeps many."""
    return replace(run, rows=())


def told(run: NodeRun) -> str:
    """Why a run failed, as a client may read it: the server's own words may quote a statement."""
    if run.status is Status.UNSUPPORTED or not run.up:
        return run.error
    return failure_of(run).message


def failure_of(run: NodeRun) -> ApiError:
    """The error of a run that brought nothing, for whoever has no other."""
    if run.status is Status.ACCESS_DENIED:
        return from_clickhouse(errors.AccessDenied(run.error))
    if run.status is Status.UNAUTHORIZED:
        return from_clickhouse(errors.Unauthorized(run.error))
    if run.status is Status.TIMEOUT:
        return from_clickhouse(errors.TimedOut(f"{run.host}: no answer in time"))
    if run.status is Status.REFUSED:
        return from_clickhouse(errors.Refused(f"{run.host}: the server refuses queries"))
    if not run.up:
        return Unreachable(run.error or f"{run.host} does not answer; is ClickHouse running there?")
    return ClickHouseFailed(f"{run.host}: {_FAILED}")


# The most telling first: a missing grant is mended by a statement, a broken query by nobody.
_WORST = (Status.ACCESS_DENIED, Status.ERROR, Status.TIMEOUT, Status.REFUSED, Status.UNAUTHORIZED)


def failure_of_all(runs: Sequence[NodeRun]) -> ApiError:
    """The error of a panel of which no node said anything; those that are up speak for the others."""
    candidates = [run for run in runs if run.up] or list(runs)
    if not candidates:
        return Unreachable("no node of the cluster is known; is the exporter running?")
    return failure_of(min(candidates, key=lambda run: _WORST.index(run.status)))
