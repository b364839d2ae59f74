"""A resource for tests of what all resources have in common: it answers what it was given."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from api.body import Body
from api.context import current
from api.envelope import Rendered
from api.errors import Conflict
from api.query import Paged, PageMeta, Query, page_meta
from api.resource import Answer, Resource, Shape
from clustersight.clickhouse import errors as clickhouse
from clustersight.store import errors as store

RESOURCE = Resource("probe", "For tests.")
SECRET = "hunter2-the-secret"

ERRORS: dict[str, Exception] = {
    "unexpected": RuntimeError(f"SELECT * FROM users; /tmp/{SECRET}"),
    "recursion": RecursionError(),
    "conflict": store.Conflict("there is a cluster named 'a' already"),
    "integrity": store.Conflict(f"sqlite:////tmp/{SECRET}: something is there already"),
    "full": store.Full("the store sqlite:////tmp/x: there is no space left"),
    "corrupt": store.Corrupt("the store sqlite:////tmp/x: the file is damaged"),
    "version": store.WrongVersion("sqlite:////tmp/x was made by a newer release"),
    "store": store.Unavailable("the store postgresql+psycopg://u:***@h/d: the password is wrong"),
    "undecryptable": store.Undecryptable("a stored secret cannot be decrypted with this key"),
    "down": clickhouse.Unreachable("ch1:8123: connection refused"),
    "slow": clickhouse.TimedOut("ch1:8123: no answer within 5 s"),
    "busy": clickhouse.Refused("too many queries", 202, "TOO_MANY_SIMULTANEOUS_QUERIES"),
    "login": clickhouse.Unauthorized("wrong password", 516, "AUTHENTICATION_FAILED"),
    "denied": clickhouse.AccessDenied(
        "ro: Not enough privileges. To execute this query, it's necessary to have the grant"
        " SELECT(query) ON system.query_log.",
        497,
        "ACCESS_DENIED",
    ),
    "hidden": clickhouse.AccessDenied("denied", 497),
    "failed": clickhouse.QueryFailed(
        f"Syntax error: SELECT 1 FROM secret WHERE '{SECRET}'", 62, "SYNTAX_ERROR"
    ),
}


class Thing(Body):
    """A body with a field of each kind."""

    name: Annotated[str, Field(max_length=20)]
    count: Annotated[int, Field(ge=0, le=10)] = 0
    share: float = 0.0
    on: bool = False
    inner: tuple[Inner, ...] = ()


class Inner(Body):
    """Something nested."""

    label: str


class Optional(Body):
    """A body that may be empty."""

    note: str | None = None


class Search(Query):
    """A parameter of each kind."""

    cluster_id: str | None = None
    hours: Annotated[int, Field(ge=1, le=168)] = 24
    share: float | None = None
    on: bool = False


class Echo(Shape):
    """What was understood."""

    value: Any


@RESOURCE.post("/probe/thing", status=201)
def post_thing(body: Thing) -> Echo:
    """Answer the body."""
    return Echo(value=body.model_dump())


@RESOURCE.post("/probe/optional")
def post_optional(body: Optional) -> Echo:
    """Answer the body."""
    return Echo(value=body.model_dump())


@RESOURCE.post("/probe/nothing")
def post_nothing() -> Echo:
    """Take nothing."""
    return Echo(value=None)


@RESOURCE.get("/probe/search")
def get_search(query: Search) -> Echo:
    """Answer the query."""
    return Echo(value=query.model_dump())


@RESOURCE.get("/probe/pages")
def get_pages(query: Paged) -> Answer[list[int], PageMeta]:
    """A list of 120."""
    return Answer(list(range(120))[query.offset : query.offset + query.limit], page_meta(120, query))


@RESOURCE.get("/probe/<id:thing_id>", etag=True)
def get_thing(thing_id: str) -> Echo:
    """Answer the id."""
    return Echo(value=thing_id)


@RESOURCE.delete("/probe/<id:thing_id>", errors=(Conflict,))
def delete_thing(thing_id: str) -> Echo:
    """Refuse."""
    raise Conflict(f"{thing_id} is provisioned")


@RESOURCE.get("/probe/error/<string:name>")
def get_error(name: str) -> Echo:
    """Fail in this way."""
    raise ERRORS[name]


@RESOURCE.get("/probe/numbers")
def get_numbers() -> Echo:
    """Values that JSON does not have."""
    return Echo(value=[float("nan"), float("inf"), 2**70, "\x00é"])


@RESOURCE.get("/probe/rendered")
def get_rendered() -> Answer[Echo, PageMeta]:
    """Data that is JSON already."""
    return Answer(Rendered(b'{"value":1}'), {"now": current().now})
