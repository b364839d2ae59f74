"""Runs panels on one node: deadlines, isolation, statuses. A failing panel never hides its neighbours."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clustersight.asking import Asking
from clustersight.clickhouse import errors
from clustersight.clickhouse.capabilities import Capabilities
from clustersight.clickhouse.connection import Result
from clustersight.clickhouse.session import MIN_TIMEOUT_SECONDS
from clustersight.collection import Clock, Collection, PanelRun, Plan, Watch
from clustersight.metrics import Kind, Reading, Sample
from clustersight.panels.panel import Context, Greeting, Panel, Rows, Status

log = logging.getLogger(__name__)

# One query of one panel; a panel's own `timeout_sec` replaces it.
QUERY_TIMEOUT_SECONDS = 5.0
# A server that hangs is found by its first query, and must not hold a worker for long; one that is
# overloaded says so only after its queue_max_wait_ms, which is 5 s by default.
GREETING_TIMEOUT_SECONDS = 7.0
SQL_GREETING = "SELECT version(), uptime(), hostName(), toUnixTimestamp(now())"
# A slower answer says more about the network than about the clock.
SKEW_ROUND_TRIP_SECONDS = 1.0
LOAD_BALANCED_SECONDS = 3600.0
# Whole seconds, a slow answer and a slewed clock stay below this.
UPTIME_SLACK_SECONDS = 15.0


def collect(watch: Watch, plan: Plan, clock: Clock) -> Collection:
    """Visit a node: greet it, then run every panel, those that ask Keeper last."""
    visit = _Visit(watch, plan, clock)
    started = clock.monotonic()
    started_at = clock.wall()
    try:
        visit.greet()
        failure: errors.ClickHouseError | None = None
    except errors.ClickHouseError as error:
        failure = error
    except Exception as error:  # whatever answers here is not ClickHouse: that is an answer too
        log.exception("%s does not greet as ClickHouse does", watch.node.host)
        reason = f"{watch.node.host}: the greeting is not ClickHouse's ({type(error).__name__})"
        failure = errors.WrongProtocol(reason)
    runs = tuple(visit.run_all(failure))
    if plan.tier2_due and any(run.status is Status.ACCESS_DENIED for run in runs):
        watch.session.forget()  # a GRANT shows only when it is looked for
    return Collection(
        node=watch.node,
        # Whoever greeted us is up, however long the rest took.
        up=failure is None or failure.answered or visit.greeting is not None,
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
        self._asking = Asking(watch, plan.deadline_seconds, clock)
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
        watch.session.capabilities(max(timeout - took, MIN_TIMEOUT_SECONDS))

    def _notice_change(self, greeting: Greeting) -> None:
        watch = self._watch
        restarted = self._restarted(greeting.uptime_seconds)
        moved = greeting.hostname != watch.hostname
        if watch.hostname and moved and not restarted:
            # Another server behind the same address, and no restart: its counters are not ours.
            watch.load_balanced_until = self._clock.monotonic() + LOAD_BALANCED_SECONDS
        if restarted or moved or greeting.version != self._known_version():
            watch.session.forget()
            # What is known of Keeper's nodes does not end with a server of ClickHouse.
            lasting = {p.name for p in self._plan.panels if p.survives_node or p.lasting_memory}
            watch.memory = {name: kept for name, kept in watch.memory.items() if name in lasting}
        watch.hostname, watch.uptime_seconds = greeting.hostname, greeting.uptime_seconds
        watch.greeted_at = self._clock.monotonic()

    def _restarted(self, uptime_seconds: int) -> bool:
        """Whether the uptime is less than it must be by now, also after a long outage."""
        watch = self._watch
        if not uptime_seconds or not watch.hostname:
            return uptime_seconds < watch.uptime_seconds
        elapsed = self._clock.monotonic() - watch.greeted_at
        slack = max(UPTIME_SLACK_SECONDS, elapsed / 100)
        return uptime_seconds < watch.uptime_seconds + elapsed - slack

    @property
    def _load_balanced(self) -> bool:
        return self._clock.monotonic() < self._watch.load_balanced_until

    def _known_version(self) -> str:
        known: Capabilities | None = self._watch.session.known
        return known.version if known else ""

    def run_all(self, failure: errors.ClickHouseError | None) -> Iterator[PanelRun]:
        for panel in sorted(self._plan.panels, key=lambda p: (p.of_user, p.asks_keeper)):
            yield self.run(panel, failure)

    def run(self, panel: Panel, failure: errors.ClickHouseError | None) -> PanelRun:
        """One panel, whatever happens in it."""
        started = self._clock.monotonic()
        self._asking.read_rows = self._asking.queries = 0
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
        if status is Status.OK and self._load_balanced:
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
            read_rows=self._asking.read_rows,
            queries=self._asking.queries,
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
            return self._asking.query(sql, timeout, values)

        def statement(text: str, settings: Mapping[str, Any], *, asks_keeper: bool) -> Result:
            return self._asking.statement(text, timeout, settings, asks_keeper=asks_keeper)

        return Context(
            query=query,
            keeper_query=self._asking.keeper_query,
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
            peers=plan.peers,
            memory=watch.memory.setdefault(panel.name, {}),
            statement=statement,
        )

    def _checked(self, panel: Panel, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Only declared metrics, only numbers, no label set twice: one repeat costs the whole page."""
        declared = set(map(id, panel.metrics))
        # Also a gauge such as the uptime, where a rate key looks for its resets.
        resets = (rate for rate in panel.rates if rate.reading is Reading.RESETS)
        counted = {name for rate in resets for name in rate.sources}
        seen: set[tuple[str, tuple[str, ...]]] = set()
        for sample in samples:
            known = panel.dynamic or id(sample.metric) in declared
            if not known or len(sample.labels) != len(sample.metric.labels):
                raise TypeError(f"undeclared sample {sample.metric.name}{sample.labels}")
            identity = (sample.metric.name, sample.labels)
            if math.isnan(sample.value) or identity in seen:
                continue
            if self._load_balanced and (sample.metric.kind is Kind.COUNTER or sample.metric.name in counted):
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
