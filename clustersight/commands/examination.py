"""Everything that `clustersight cluster test` finds out about one cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from clustersight.addresses import address_of
from clustersight.clickhouse.capabilities import Capabilities
from clustersight.clickhouse.connection import Address
from clustersight.clickhouse.errors import AccessDenied, ClickHouseError, Unsupported
from clustersight.clickhouse.grants import (
    CHECK_GRANT_SINCE,
    SHOW,
    SQL_USERS_SINCE,
    Grant,
    denied,
    needed,
    select,
)
from clustersight.clickhouse.remedies import remedy
from clustersight.clickhouse.session import Session
from clustersight.clickhouse.topology import Node, Topology, alone
from clustersight.collect import collect
from clustersight.collection import Clock, PanelRun, Watch
from clustersight.commands.chosen_cluster import QUERY_SECONDS, Chosen
from clustersight.commands.errands import run_all
from clustersight.panels.panel import Panel, Status

# All nodes side by side; each has QUERY_SECONDS, in as many turns as there are more than 16.
NODES_SECONDS = 15.0
# Connecting, the questions about capabilities and GRANTs one after the other, on a slow server.
OVERHEAD_SECONDS = 45.0
WELL = frozenset({Status.OK, Status.UNSUPPORTED, Status.DISABLED})

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """Whether a node answers our user: `error` is empty then."""

    node: Node
    error: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found. `error` says why nothing could be; `up` is whether a server answered at all."""

    cluster: str
    address: Address
    error: str = ""
    remedy: str = ""
    failure: ClickHouseError | None = None
    up: bool = False
    able: Capabilities | None = None
    topology: Topology | None = None
    topology_error: str = ""
    nodes: tuple[NodeAnswer, ...] = ()
    runs: tuple[PanelRun, ...] = ()
    missing: tuple[Grant, ...] = ()

    @property
    def ok(self) -> bool:
        """Reachable, every node too, no panel failing and no GRANT missing."""
        problems = [self.error, self.topology_error, *(n.error for n in self.nodes), *self.missing]
        return not any(problems) and all(run.status in WELL for run in self.runs)


def examine(chosen: Chosen, panels: Sequence[Panel], clock: Clock, tell: Tell) -> Examination:
    """Examine a cluster; ends in bounded time, whatever the servers do. `tell` is told of the progress."""
    found = Examination(chosen.cluster.name, address_of(chosen.cluster))
    seconds = OVERHEAD_SECONDS + chosen.settings.collection.timeout_sec
    result = run_all([lambda: _Examiner(chosen, panels, clock, tell).examine(found)], seconds)[0]
    return result or replace(found, error=f"{found.address.endpoint}: gave up after {seconds:g} s")


class _Examiner:
    def __init__(self, chosen: Chosen, panels: Sequence[Panel], clock: Clock, tell: Tell) -> None:
        self._chosen = chosen
        self._panels = panels
        self._clock = clock
        self._tell = tell

    def examine(self, found: Examination) -> Examination:
        watch = self._chosen.watch()
        try:
            self._tell(f"connecting to {found.address.endpoint}")
            able = watch.session.capabilities(QUERY_SECONDS)
            found = self._with_nodes(replace(found, up=True, able=able), watch.session)
            return self._with_panels(found, watch)
        except ClickHouseError as error:
            up = found.up or error.answered
            return replace(found, error=error.message, remedy=remedy(error), failure=error, up=up)
        finally:
            watch.close()

    def _with_nodes(self, found: Examination, session: Session) -> Examination:
        try:
            known, error = self._chosen.topology(session), ""
        except AccessDenied as denial:
            known, error = alone(found.cluster, found.address), denial.message
            found = replace(found, missing=(select("clusters"),))
        error = error or self._no_such_logical_cluster(known)
        self._tell(f"asking {len(known.nodes)} node{'s' * (len(known.nodes) != 1)}")
        return replace(found, topology=known, topology_error=error, nodes=self._answers(known.nodes))

    def _no_such_logical_cluster(self, known: Topology) -> str:
        name = self._chosen.logical_cluster
        if not self._chosen.cluster.discover or name in known.logical_clusters:
            return ""
        names = ", ".join(known.logical_clusters) or "none"
        return f"system.clusters has no cluster {name!r}; set logical_cluster to one that it has: {names}"

    def _answers(self, nodes: Sequence[Node]) -> tuple[NodeAnswer, ...]:
        answers = run_all([partial(_answer, node, self._clock) for node in nodes], NODES_SECONDS)
        late = f"no answer within {NODES_SECONDS:g} s"
        pairs = zip(nodes, answers, strict=True)
        return tuple(answer or NodeAnswer(node, late, NODES_SECONDS) for node, answer in pairs)

    def _with_panels(self, found: Examination, watch: Watch) -> Examination:
        self._tell(f"running {len(self._panels)} panels")
        runs = collect(watch, self._chosen.plan(self._panels), self._clock).runs
        self._tell("looking for missing GRANTs")
        missing = missing_grants(watch.session, runs)
        return replace(found, runs=runs, missing=tuple(dict.fromkeys((*found.missing, *missing))))


def _answer(node: Node, clock: Clock) -> NodeAnswer:
    session, began, error = Session(node.address), clock.monotonic(), ""
    try:
        session.ask("SELECT 1", QUERY_SECONDS)
    except ClickHouseError as problem:
        error = problem.message
    finally:
        session.close()
    return NodeAnswer(node, error, clock.monotonic() - began)


def missing_grants(session: Session, runs: Sequence[PanelRun]) -> list[Grant]:
    """What our user lacks for these panels: asked with CHECK GRANT (24.10+), else told by what was denied."""
    able = session.capabilities(QUERY_SECONDS)
    if able.version_tuple < SQL_USERS_SINCE:
        return []
    asked = [run for run in runs if run.status is not Status.DISABLED]
    tables = {table for run in asked for table in run.panel.tables}
    if able.version_tuple >= CHECK_GRANT_SINCE:
        return [grant for grant in needed(tables, able) if _lacks(session, grant, able)]
    return _told(able, runs)


def _told(able: Capabilities, runs: Sequence[PanelRun]) -> list[Grant]:
    found = [SHOW] if able.sees_tables is False else []
    for run in runs:
        if run.status is Status.ACCESS_DENIED:
            found += denied(run.panel.tables, run.error)
    return found


def _lacks(session: Session, grant: Grant, able: Capabilities) -> bool:
    if session.ask(grant.check, QUERY_SECONDS).rows[0][0]:
        return False
    return grant is SHOW or not able.hides_tables or _exists(session, grant)


def _exists(session: Session, grant: Grant) -> bool:
    """Whether the table of a grant is in this version: a missing one is told apart from a denied one."""
    try:
        session.ask(grant.probe, QUERY_SECONDS)
    except Unsupported:
        return False
    except AccessDenied:
        return True
    return True
