"""Runs panels on one node: deadlines, isolation, statuses. A failing panel never hides its neighbours."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from clustersight.clickhouse import errors
from clustersight.clickhouse.capabilities import Capabilities
from clustersight.clickhouse.connection import Result
from clustersight.clickhouse.session import Session
from clustersight.clickhouse.topology import Node
from clustersight.metrics import Kind, Sample
from clustersight.panels.panel import Context, Greeting, Panel, Rows, Status

log = logging.getLogger(__name__)

# One query of one panel; a panel's own `timeout_sec` replaces it.
QUERY_TIMEOUT_SECONDS = 5.0
# A server that hangs is found by its first query; frozen ones must not hold workers for long.
GREETING_TIMEOUT_SECONDS = 5.0
# A hung Keeper ignores max_execution_time; three seconds without an answer is Keeper offline (facts 1.1).
KEEPER_TIMEOUT_SECONDS = 3.0
KEEPER_QUERY_ID = "clustersight-keeper-"
SQL_OWN_KEEPER_QUERIES = """
SELECT count() FROM system.processes WHERE query_id LIKE 'clustersight-keeper-%'
"""
SQL_GREETING = "SELECT version(), uptime(), hostName(), toUnixTimestamp(now())"
# A slower answer says more about the network than about the clock.
SKEW_ROUND_TRIP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PanelRun:
    """One run of one panel on one node. `error` is one line for a person, without secrets."""

    panel: Panel
    status: Status
    error: str = ""
    rows: Rows = ()
    samples: tuple[Sample, ...] = ()
    duration_seconds: float = 0.0
    read_rows: int = 0
    queries: int = 0
    finished_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Collection:
    """One visit to one node. `up` is whether it answered at all; `started_at` is wall time."""

    node: Node
    up: bool
    error: str
    greeting: Greeting | None
    started_at: float
    duration_seconds: float
    runs: tuple[PanelRun, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one visit is to do. `timeouts_seconds` holds the panels' own, by name."""

    panels: Sequence[Panel]
    disabled: frozenset[str] = frozenset()
    deadline_seconds: float = 10.0
    timeouts_seconds: dict[str, float] = field(default_factory=dict)
    tier2_due: bool = True
    window_seconds: float = 300.0
    keeper_nodes: tuple[str, ...] = ()
    expected_readonly: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall seconds for people, monotonic seconds for everything that is decided."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]


class Watch:
    """What is kept of one node between its collections. Used by one thread at a time."""

    def __init__(self, node: Node, session: Session, keeper_session: Session) -> None:
        self.node = node
        self.session = session
        self.keeper_session = keeper_session
        self.memory: dict[str, dict[str, Any]] = {}
        # A question of an earlier run of this process may still hang on the server.
        self.keeper_in_doubt = True
        self.hostname = ""
        self.uptime_seconds = 0
        self.load_balanced = False

    def close(self) -> None:
        self.session.close()
        self.keeper_session.close()


def collect(watch: Watch, plan: Plan, clock: Clock) -> Collection:
    """Visit a node: greet it, then run every panel, those that ask Keeper last."""
    visit = _Visit(watch, plan, clock)
    started = clock.monotonic()
    started_at = clock.wall()
    try:
        visit.greet()
        failure = None
    except errors.ClickHouseError as error:
        failure = error
    runs = tuple(visit.run_all(failure))
    return Collection(
        node=watch.node,
        up=failure is None or failure.answered,
        error=failure.message if failure else "",
        greeting=visit.greeting,
        started_at=started_at,
        duration_seconds=clock.monotonic() - started,
        runs=runs,
    )


class _Visit:
    def __init__(self, watch: Watch, plan: Plan, clock: Clock) -> None:
        self._watch = watch
        self._plan = plan
        self._clock = clock
        self._ends = clock.monotonic() + plan.deadline_seconds
        self._answers: dict[str, Result | errors.ClickHouseError] = {}
        self._read_rows = 0
        self._queries = 0
        self.greeting: Greeting | None = None

    def greet(self) -> None:
        """Find out whether the server answers, and whether it is the one that we know. Raises."""
        watch = self._watch
        timeout = min(GREETING_TIMEOUT_SECONDS, self._plan.deadline_seconds)
        asked_at, began = self._clock.wall(), self._clock.monotonic()
        version, uptime, hostname, now = watch.session.ask(SQL_GREETING, timeout).rows[0]
        took = self._clock.monotonic() - began
        # The server's seconds are whole: half a second more is the middle of what they can mean.
        skew = now + 0.5 - (asked_at + took / 2) if took < SKEW_ROUND_TRIP_SECONDS else None
        self.greeting = Greeting(str(version), int(uptime), str(hostname), skew)
        self._notice_change(self.greeting)
        watch.session.capabilities(timeout)

    def _notice_change(self, greeting: Greeting) -> None:
        watch = self._watch
        restarted = greeting.uptime_seconds < watch.uptime_seconds
        moved = greeting.hostname != watch.hostname
        if watch.hostname and moved and not restarted:
            # Another server behind the same address, and no restart: its counters are not ours (facts 1.23).
            watch.load_balanced = True
        if restarted or moved or greeting.version != self._known_version():
            watch.session.forget()
            # What is known of Keeper's nodes does not end with a server of ClickHouse.
            lasting = {panel.name for panel in self._plan.panels if panel.survives_node}
            watch.memory = {name: kept for name, kept in watch.memory.items() if name in lasting}
        watch.hostname, watch.uptime_seconds = greeting.hostname, greeting.uptime_seconds

    def _known_version(self) -> str:
        known: Capabilities | None = self._watch.session.known
        return known.version if known else ""

    def run_all(self, failure: errors.ClickHouseError | None) -> Iterator[PanelRun]:
        for panel in sorted(self._plan.panels, key=lambda p: p.asks_keeper):
            yield self.run(panel, failure)

    def run(self, panel: Panel, failure: errors.ClickHouseError | None) -> PanelRun:
        """One panel, whatever happens in it."""
        started, self._read_rows, self._queries = self._clock.monotonic(), 0, 0
        rows: Rows = ()
        samples: tuple[Sample, ...] = ()
        status, error = Status.OK, ""
        try:
            if panel.name in self._plan.disabled:
                status = Status.DISABLED
            else:
                rows = self._rows(panel, failure)
                samples = tuple(self._checked(panel, panel.samples(rows)))
        except errors.ClickHouseError as problem:
            status, error = status_of(problem), problem.message
        except Exception as problem:  # the isolation of panels is this function's purpose
            log.exception("panel %s failed on %s", panel.name, self._watch.node.host)
            status, error = Status.ERROR, f"bug in panel {panel.name}: {type(problem).__name__}: {problem}"
        if status is Status.OK and self._watch.load_balanced:
            status, error = (
                Status.LOAD_BALANCED,
                "several servers answer at this address: counters are left out",
            )
        return PanelRun(
            panel=panel,
            status=status,
            error=error,
            rows=rows,
            samples=samples,
            duration_seconds=self._clock.monotonic() - started,
            read_rows=self._read_rows,
            queries=self._queries,
            finished_at=self._clock.wall(),
        )

    def _rows(self, panel: Panel, failure: errors.ClickHouseError | None) -> Rows:
        # Keeper nodes are asked over TCP: they may be well while the server is not.
        if failure is not None and not panel.survives_node:
            raise failure
        able = self._watch.session.known
        for table in panel.needs:
            if able is not None and not able.has(table):
                raise errors.Unsupported(f"system.{table} is not in ClickHouse {able.version}")
        rows = panel.probe(self._context(panel))
        if panel.hidden_without_show and not rows and able is not None and able.sees_tables is False:
            raise errors.AccessDenied(
                f"rows are hidden: GRANT SHOW TABLES ON *.* TO {self._watch.session.address.username}"
            )
        return rows

    def _context(self, panel: Panel) -> Context:
        watch, plan = self._watch, self._plan
        timeout = plan.timeouts_seconds.get(panel.name, QUERY_TIMEOUT_SECONDS)

        def query(sql: str, **values: Any) -> Result:
            return self._query(sql, timeout, values)

        return Context(
            query=query,
            keeper_query=self._keeper_query,
            capabilities=watch.session.known,
            username=watch.session.address.username,
            monotonic=self._clock.monotonic(),
            greeting=self.greeting,
            tier2_due=plan.tier2_due,
            window_seconds=plan.window_seconds,
            keeper_nodes=plan.keeper_nodes,
            expected_readonly=plan.expected_readonly,
            host=watch.node.host,
            endpoint=watch.session.address.endpoint,
            memory=watch.memory.setdefault(panel.name, {}),
        )

    def _query(self, sql: str, timeout_seconds: float, values: dict[str, Any]) -> Result:
        """Each statement is run once a visit; a failure is remembered as well."""
        key = sql + repr(sorted(values.items()))
        if key not in self._answers:
            self._answers[key] = self._ask(sql, timeout_seconds, values)
        answer = self._answers[key]
        if isinstance(answer, errors.ClickHouseError):
            raise answer
        return answer

    def _ask(
        self, sql: str, timeout_seconds: float, values: dict[str, Any]
    ) -> Result | errors.ClickHouseError:
        left = self._ends - self._clock.monotonic()
        if left <= 0:
            return errors.TimedOut(f"the collection's {self._plan.deadline_seconds:g} s were used up before")
        try:
            self._queries += 1
            result = self._watch.session.query(sql, timeout_seconds=min(timeout_seconds, left), **values)
        except errors.ClickHouseError as error:
            return error
        self._read_rows += result.read_rows
        return result

    def _keeper_query(self, sql: str, **values: Any) -> Result:
        """Raises TimedOut when Keeper hangs, also while an earlier query of ours still does."""
        watch = self._watch
        if watch.keeper_in_doubt and self._earlier_keeper_query_runs():
            raise errors.TimedOut("an earlier question to Keeper has not been answered yet")
        watch.keeper_session.adopt(watch.session.known)
        self._queries += 1
        identity = f"{KEEPER_QUERY_ID}{watch.node.host}-{math.floor(self._clock.monotonic() * 1000)}"
        try:
            result = watch.keeper_session.query(
                sql, timeout_seconds=KEEPER_TIMEOUT_SECONDS, query_id=identity, **values
            )
        except errors.TimedOut:
            # The server goes on waiting after we gave up: the next visit looks before it asks again.
            watch.keeper_in_doubt = True
            raise
        watch.keeper_in_doubt = False
        self._read_rows += result.read_rows
        return result

    def _earlier_keeper_query_runs(self) -> bool:
        running = self._watch.session.ask(SQL_OWN_KEEPER_QUERIES, KEEPER_TIMEOUT_SECONDS)
        return bool(running.rows[0][0])

    def _checked(self, panel: Panel, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Only declared metrics, only numbers, no label set twice: one repeat costs the whole page."""
        declared = set(map(id, panel.metrics))
        seen: set[tuple[str, tuple[str, ...]]] = set()
        for sample in samples:
            known = panel.dynamic or id(sample.metric) in declared
            if not known or len(sample.labels) != len(sample.metric.labels):
                raise TypeError(f"undeclared sample {sample.metric.name}{sample.labels}")
            identity = (sample.metric.name, sample.labels)
            if math.isnan(sample.value) or identity in seen:
                continue
            if self._watch.load_balanced and sample.metric.kind is Kind.COUNTER:
                continue
            seen.add(identity)
            yield sample


_STATUS: tuple[tuple[type[errors.ClickHouseError], Status], ...] = (
    (errors.TimedOut, Status.TIMEOUT),
    (errors.Unauthorized, Status.UNAUTHORIZED),
    (errors.AccessDenied, Status.ACCESS_DENIED),
    (errors.Refused, Status.REFUSED),
    (errors.Unsupported, Status.UNSUPPORTED),
)


def status_of(error: errors.ClickHouseError) -> Status:
    """The status that an error of the tree is shown as."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), Status.ERROR)
