"""What a panel is: SQL -> rows -> samples and payload, declared as data (design.md, "The heart")."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, TypeVar

from clustersight.clickhouse.capabilities import Capabilities
from clustersight.clickhouse.connection import Result
from clustersight.clickhouse.errors import Unsupported
from clustersight.metrics import Metric, Rate, Sample

RowT = TypeVar("RowT")
Rows = Sequence[Any]


class Scope(StrEnum):
    """What one run of a panel speaks of. A cluster's panel runs on its configured node only."""

    NODE = "node"
    CLUSTER = "cluster"


class Tier(IntEnum):
    """1: every interval. 2: every `tier2_every` intervals, for what costs or moves slowly."""

    ONE = 1
    TWO = 2


class Status(StrEnum):
    """How a run ended; exactly one, which is a metric, a field of the API and an input to rules."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    ACCESS_DENIED = "access_denied"
    UNSUPPORTED = "unsupported"
    DISABLED = "disabled"
    REFUSED = "refused"
    UNAUTHORIZED = "unauthorized"
    LOAD_BALANCED = "load_balanced"


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a server said of itself at the start of a visit.

    `clock_skew_seconds` is its clock minus ours, to half a second; None if the round trip took long.
    """

    version: str
    uptime_seconds: int
    hostname: str
    clock_skew_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Peers:
    """What is known of the nodes of a cluster together, for a panel that asks one about all.

    `live` are the places of the nodes that answer, as system.clusters names them: HOST:PORT (the native
    port), or HOST where only that is known. `ddl_behind` are the hosts that have not got on with DDL
    ON CLUSTER for minutes; None where that cannot be told.
    """

    live: frozenset[str] = frozenset()
    ddl_behind: tuple[str, ...] | None = None

    def is_live(self, host: str, port: int) -> bool:
        return host in self.live or f"{host}:{port}" in self.live


def _no_statement(text: str, settings: Mapping[str, Any], *, asks_keeper: bool) -> Result:  # noqa: ARG001
    raise Unsupported("statements of users are not run here")


@dataclass(frozen=True, slots=True)
class Context:
    """What a probe may use. Queries that repeat within one collection are answered once.

    `query(sql, **values)` composes, binds, limits and times the statement; `keeper_query` does so on
    a connection of its own with a deadline of 3 s, and never while an earlier one has not returned.
    `statement(text, settings, asks_keeper=…)` runs a user's text as it is, read-only, with limits.
    `memory` belongs to this panel on this node and lives until the server restarts, or longer if it says so.
    `monotonic` is in seconds; `tier2_due` tells a tier 1 panel that its slow part is due.
    `window_seconds` is the time between two tier 2 collections; `endpoint` is host:port as connected.
    `peers` is None where only this node is looked at.
    """

    query: Callable[..., Result]
    keeper_query: Callable[..., Result]
    capabilities: Capabilities | None
    username: str
    monotonic: float
    greeting: Greeting | None = None
    tier2_due: bool = True
    window_seconds: float = 300.0
    keeper_nodes: tuple[str, ...] = ()
    expected_readonly: tuple[str, ...] = ()
    host: str = ""
    endpoint: str = ""
    peers: Peers | None = None
    memory: dict[str, Any] = field(default_factory=dict)
    statement: Callable[..., Result] = _no_statement

    def rows(self, sql: str, row_type: type[RowT], **values: Any) -> list[RowT]:
        """Run a statement and give each row its type; the columns must be the fields, in order."""
        result = self.query(sql, **values)
        names = tuple(f.name for f in dataclasses.fields(row_type))  # type: ignore[arg-type]
        # Over HTTP a result without rows comes without columns.
        if result.rows and result.columns != names:
            raise TypeError(f"columns {result.columns} are not the fields {names} of {row_type.__name__}")
        return [row_type(*row) for row in result.rows]

    @property
    def rows_hidden(self) -> bool:
        """Whether rows about tables are left out silently: our user lacks SHOW TABLES (ClickHouse#35239)."""
        return self.capabilities is not None and self.capabilities.sees_tables is False

    def has(self, name: str) -> bool:
        """Whether this server has the system table, or the column `table.column`."""
        return self.capabilities is not None and self.capabilities.has(name)


Probe = Callable[[Context], Rows]


def probe_sql(sql: str, row_type: type[Any]) -> Probe:
    """The usual probe: run one statement, type its rows."""
    return lambda context: context.rows(sql, row_type)


def payload_of_rows(rows: Rows) -> list[dict[str, Any]]:
    """The usual payload: every field of every row."""
    return [dataclasses.asdict(row) for row in rows]


def first_matching(rows: Rows, labels: Mapping[str, str]) -> Any | None:
    """The usual evidence: SQL orders the worst first, so the first row with these labels is the worst."""
    for row in rows:
        if all(str(getattr(row, name, value)) == value for name, value in labels.items()):
            return row
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One thing that ClusterSight knows about a ClickHouse node or cluster; one module, one line in ALL.

    `needs` names the system tables without which a server is `unsupported`; `reads` those that it
    uses where they are there (for GRANTs and documentation). `hidden_without_show` says that rows
    are left out silently for a user without SHOW TABLES (ClickHouse#35239). `asks_keeper` makes it run last.
    `dynamic`: its families are the server's and known only at run time, so `metrics` is empty.
    `of_user`: its SQL is a user's, so it runs last and takes no time from the others.
    `survives_node` runs it also while the node does not answer (its `capabilities` are None then).
    `lasting_memory`: what it remembers of the node holds over a restart of the server.
    """

    name: str
    about: str
    probe: Probe
    samples: Callable[[Rows], Iterable[Sample]]
    metrics: tuple[Metric, ...]
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    rates: tuple[Rate, ...] = ()
    scope: Scope = Scope.NODE
    tier: Tier = Tier.ONE
    hidden_without_show: bool = False
    asks_keeper: bool = False
    dynamic: bool = False
    survives_node: bool = False
    lasting_memory: bool = False
    of_user: bool = False
    payload: Callable[[Rows], list[dict[str, Any]]] = payload_of_rows
    row_of: Callable[[Rows, Mapping[str, str]], Any | None] = first_matching

    @property
    def tables(self) -> tuple[str, ...]:
        """Every system table that it may read."""
        return tuple(dict.fromkeys(self.needs + self.reads))
