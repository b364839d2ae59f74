"""/queries: the query inspector, asked live on every node of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import Field

from api.body import Body
from api.choice import ClusterId
from api.context import current
from api.errors import Invalid, NotFound, PermissionDenied, Unreachable
from api.live.following import Following, Watched
from api.live.visits import Visits
from api.query import Query
from api.resource import Answer, Resource, Shape
from clustersight.inspector import explain as explaining
from clustersight.inspector import failed as failing
from clustersight.inspector import parts_distribution as distributing
from clustersight.inspector import slow as slowing
from clustersight.inspector.answers import Found
from clustersight.inspector.errors import (
    NotExplainable,
    QueryLogUnavailable,
    TooExpensive,
    UnknownHash,
)
from clustersight.inspector.nodes import Sessions
from clustersight.store import nodes
from clustersight.times import iso

RESOURCE = Resource("queries", "The query inspector: what was slow, what failed, and why.")

# Of a connection that another request of this process has.
LEASE_SECONDS = 5.0
_ERRORS = (NotFound, PermissionDenied, Unreachable)
_TIMES = ("first_seen", "last_seen")

RowT = TypeVar("RowT")


class Sort(StrEnum):
    """What the slowest come first by."""

    P95 = "p95"
    TOTAL = "total"
    COUNT = "count"
    MEMORY = "memory"
    READ_BYTES = "read_bytes"


class ExplainKind(StrEnum):
    """What EXPLAIN shows."""

    PLAN = "plan"
    PIPELINE = "pipeline"
    SYNTAX = "syntax"
    INDEXES = "indexes"


class ClusterQuery(Query):
    """Which cluster; without it the oldest."""

    cluster_id: ClusterId | None = None


class RangeQuery(ClusterQuery):
    """How far back, and how many rows."""

    hours: Annotated[int, Field(ge=1, le=168)] = 24
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class SlowQueryParameters(RangeQuery):
    """Which queries, and by what they are sorted."""

    user: Annotated[str, Field(max_length=200)] | None = None
    kind: Annotated[str, Field(max_length=50)] | None = None
    sort: Sort = Sort.P95


class DistributionQuery(ClusterQuery):
    """How many tables."""

    limit: Annotated[int, Field(ge=1, le=500)] = 100


class ExplainBody(Body):
    """A query by its hash, as /queries/slow has it."""

    query_hash: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")] = Field(examples=["1234567890123456789"])
    kind: ExplainKind = Field(default=ExplainKind.PLAN, strict=False)


class InspectorMeta(Shape):
    """`nodes` is how each node answered; `quantiles` says what those over several nodes are."""

    cluster_id: str
    nodes: dict[str, str]
    node_errors: dict[str, str]
    quantiles: str | None = None


class SlowQueryShape(Shape):
    """Queries that differ in their literals only; the sample is the slowest of them."""

    query_hash: str
    query: str
    kind: str
    user: str
    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    total_ms: float
    read_rows: int
    read_bytes: int
    memory_bytes: int
    result_rows: int
    tables: list[str]
    last_seen: str
    sample_query_id: str
    host: str


class FailedQueriesShape(Shape):
    """Queries that failed with one code; the sample is the latest."""

    code: int
    name: str
    count: int
    users: list[str]
    first_seen: str
    last_seen: str
    sample_message: str
    sample_query: str
    sample_query_id: str
    host: str


class TablePartsShape(Shape):
    """The parts of a table on one node; `pressure` is 1 where inserts are refused."""

    host: str
    database: str
    table: str
    parts: int
    partitions: int
    rows: int
    bytes: int
    min_part_bytes: int
    avg_part_bytes: int
    median_part_bytes: int
    max_part_bytes: int
    max_parts_in_partition: int
    limit: int | None
    pressure: float | None
    histogram: dict[str, int]


class ExplainedShape(Shape):
    """What EXPLAIN says, line by line."""

    query_hash: str
    kind: ExplainKind
    query: str
    lines: list[str]
    host: str


@RESOURCE.get("/queries/slow", errors=_ERRORS)
def get_slow_queries(query: SlowQueryParameters) -> Answer[list[SlowQueryShape], InspectorMeta]:
    """The slowest queries of the last hours, grouped by what they have in common."""
    with _asked(query.cluster_id) as (watched, sessions):
        found = slowing.slow(
            sessions,
            hours=query.hours,
            limit=query.limit,
            user=query.user,
            kind=query.kind,
            sort=query.sort.value,
            show_literals=_show_literals(),
        )
    return _answer(watched, found)


@RESOURCE.get("/queries/failed", errors=_ERRORS)
def get_failed_queries(query: RangeQuery) -> Answer[list[FailedQueriesShape], InspectorMeta]:
    """The queries that failed in the last hours, by exception."""
    with _asked(query.cluster_id) as (watched, sessions):
        found = failing.failed(sessions, hours=query.hours, limit=query.limit, show_literals=_show_literals())
    return _answer(watched, found)


@RESOURCE.get("/queries/parts-distribution", errors=_ERRORS)
def get_parts_distribution(
    query: DistributionQuery,
) -> Answer[list[TablePartsShape], InspectorMeta]:
    """How many parts each table has, and how large they are."""
    with _asked(query.cluster_id) as (watched, sessions):
        found = distributing.parts_distribution(sessions, limit=query.limit)
    return _answer(watched, found)


@RESOURCE.post("/queries/explain", errors=_ERRORS)
def explain_query(query: ClusterQuery, body: ExplainBody) -> Answer[ExplainedShape, InspectorMeta]:
    """EXPLAIN of a SELECT that ran within the last seven days."""
    with _asked(query.cluster_id) as (watched, sessions):
        found = explaining.explain(sessions, body.query_hash, body.kind.value, show_literals=_show_literals())
    return Answer(found.data, {"cluster_id": watched.id, **found.meta})


def _show_literals() -> bool:
    return current().settings.inspector.show_literals


@contextmanager
def _asked(cluster_id: str | None) -> Iterator[tuple[Watched, Sessions]]:
    """A session with every node; what the inspector refuses becomes an answer."""
    watched = current().of(Following).cluster(cluster_id)
    visits = current().of(Visits)
    with current().database.read() as db:
        stored = nodes.of_cluster(db, watched.id)
    try:
        with ExitStack() as leases:
            yield (
                watched,
                {
                    node.host: leases.enter_context(
                        visits.watches.lease(watched.id, node, LEASE_SECONDS, asks_keeper=False, panels=())
                    ).session
                    for node in visits.nodes(watched, stored)
                },
            )
    except TooExpensive as error:
        raise Invalid(error.message, code="too_expensive") from error
    except QueryLogUnavailable as error:
        raise Invalid(error.message, code="query_log_unavailable") from error
    except NotExplainable as error:
        raise Invalid(error.message, code="not_explainable") from error
    except UnknownHash as error:
        raise NotFound(error.message) from error


def _answer(watched: Watched, found: Found[Any]) -> Answer[Any, Any]:
    return Answer(_with_times(found.data), {"cluster_id": watched.id, **found.meta})


def _with_times(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, **{name: iso(row[name]) for name in _TIMES if name in row}} for row in rows]
