"""Several nodes asked one question at once, within one deadline, and which of them answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from clustersight.clickhouse import errors
from clustersight.clickhouse.connection import CLIENT_NAME, Result
from clustersight.clickhouse.session import MIN_TIMEOUT_SECONDS, Session
from clustersight.clickhouse.sql import bind, compose, main_table
from clustersight.collect import status_of
from clustersight.inspector.errors import InspectorError, QueryLogUnavailable, TooExpensive
from clustersight.panels.panel import Context, Status
from clustersight.sql_text import literals

# What one question may take on all nodes together (clickhouse-facts.md, 7): an upper bound for a person.
TIMEOUT_SECONDS = 20.0
# A node that does not say hello within this hangs: that is no matter of the question.
GREETING_SECONDS = 3.0
MOST_THREADS = 32
# 2 GB, and half of it before the groups go to disk; no setting of a profile may cut an answer silently.
SETTINGS: Mapping[str, Any] = {
    "max_memory_usage": 2_000_000_000,
    "max_bytes_before_external_group_by": 1_000_000_000,
    **dict.fromkeys(
        (
            *("timeout_overflow_mode", "read_overflow_mode", "result_overflow_mode"),
            *("group_by_overflow_mode", "sort_overflow_mode", "set_overflow_mode"),
        ),
        "throw",
    ),
}
# Rows, time, speed, memory, bytes, either, set: the server's limits on one query.
TOO_MUCH = frozenset({158, 159, 160, 191, 241, 290, 307, 396})
# The ranges that are offered, in hours.
RANGES = (1, 3, 6, 12, 24, 72, 168)

AnswerT = TypeVar("AnswerT")
Sessions = Mapping[str, Session]


@dataclass(frozen=True, slots=True)
class Deadline:
    """When all of it must be over; `hours` is the range that was asked for, where there is one."""

    seconds: float
    ends: float
    hours: int | None = None
    monotonic: Callable[[], float] = time.monotonic

    @staticmethod
    def within(
        seconds: float, hours: int | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> Deadline:
        return Deadline(seconds, monotonic() + seconds, hours, monotonic)

    @property
    def left(self) -> float:
        return max(MIN_TIMEOUT_SECONDS, self.ends - self.monotonic())

    def too_expensive(self, host: str, error: errors.ClickHouseError) -> TooExpensive:
        smaller = max((hours for hours in RANGES if self.hours and hours < self.hours), default=None)
        remedy = f"ask for {smaller} h" if smaller else "ask when the server has less to do"
        reason = literals.stripped_message(error.message, "")
        return TooExpensive(f"{host} gave up: {reason}; {remedy}", smaller)


@dataclass(frozen=True, slots=True)
class Node:
    """One node while it is asked. Everything raises ClickHouseError, and TooExpensive at a limit."""

    host: str
    session: Session
    deadline: Deadline

    def query(self, sql: str, **values: Any) -> Result:
        """Compose, bind and run with our limits."""
        able = self.session.capabilities(self.deadline.left)
        return self.run(bind(compose(sql, able.has_beside(main_table(sql))), values))

    def run(self, text: str, *, database: str = "", **settings: Any) -> Result:
        """Run a text as it is, with our limits."""
        try:
            return self.session.run(
                text,
                timeout_seconds=self.deadline.left,
                settings={**self._settings(), **settings},
                database=database,
            )
        except errors.ClickHouseError as error:
            if isinstance(error, errors.TimedOut) or error.code in TOO_MUCH:
                raise self.deadline.too_expensive(self.host, error) from error
            raise

    def _settings(self) -> Mapping[str, Any]:
        able = self.session.capabilities(self.deadline.left)
        # Where queries carry a comment, ours are known by it.
        return {**SETTINGS, **({"log_comment": CLIENT_NAME} if able.has("query_log.log_comment") else {})}

    @property
    def context(self) -> Context:
        """The same door as panels have."""
        return Context(
            query=self.query,
            keeper_query=_no_keeper,
            capabilities=self.session.capabilities(self.deadline.left),
            username=self.session.address.username,
            monotonic=self.deadline.monotonic(),
            host=self.host,
        )


def _no_keeper(*_: Any, **__: Any) -> Result:
    raise errors.Unsupported("the inspector does not ask Keeper")


Failure = errors.ClickHouseError | InspectorError


@dataclass(frozen=True, slots=True)
class Answers(Generic[AnswerT]):
    """What each node said; `nodes` has every node, `errors` the message of those without an answer."""

    by_host: Mapping[str, AnswerT]
    failures: Mapping[str, Failure] = field(default_factory=dict)

    @property
    def nodes(self) -> dict[str, Status]:
        return dict.fromkeys(self.by_host, Status.OK) | {
            host: _status(failure) for host, failure in self.failures.items()
        }

    @property
    def errors(self) -> dict[str, str]:
        return {host: failure.message for host, failure in self.failures.items()}


def _status(failure: Failure) -> Status:
    if isinstance(failure, errors.ClickHouseError):
        return status_of(failure)
    return Status.UNSUPPORTED if isinstance(failure, QueryLogUnavailable) else Status.ERROR


def ask_all(
    sessions: Sessions, question: Callable[[Node], AnswerT], deadline: Deadline, *, strict: bool = False
) -> Answers[AnswerT]:
    """Ask every node. Raises TooExpensive if any is, and the failure if no node answered.

    `strict`: any failure raises, for the second half of an answer.
    """
    nodes = [Node(host, session, deadline) for host, session in sessions.items()]
    if not nodes:
        raise errors.Unreachable("no node of the cluster is known to answer")
    with ThreadPoolExecutor(min(MOST_THREADS, len(nodes)), thread_name_prefix="inspector") as pool:
        outcomes = list(pool.map(lambda node: _outcome(node, question), nodes))
    found = {node.host: outcome for node, outcome in zip(nodes, outcomes, strict=True)}
    by_host = {host: answer for host, (answer, failure) in found.items() if failure is None}
    failures = {host: failure for host, (_, failure) in found.items() if failure is not None}
    _raise_worst(failures, all_failed=not by_host or strict)
    return Answers(by_host, failures)  # type: ignore[arg-type]


def _outcome(node: Node, question: Callable[[Node], AnswerT]) -> tuple[AnswerT | None, Failure | None]:
    try:
        node.session.ask("SELECT 1", min(GREETING_SECONDS, node.deadline.left))
        node.session.capabilities(node.deadline.left)
        return question(node), None
    except (errors.ClickHouseError, InspectorError) as failure:
        return None, failure


def _raise_worst(failures: Mapping[str, Failure], *, all_failed: bool) -> None:
    for kind in (TooExpensive, *((InspectorError, errors.ClickHouseError) if all_failed else ())):
        for failure in failures.values():
            if isinstance(failure, kind):
                raise failure
