"""A resource: its routes as data, with the types that both the server and the OpenAPI document follow.

An endpoint is a function of `query` (a Query), `body` (a Body) and the ids of its path, each only if it
needs it. It returns its data, or an Answer with meta, status and headers, or raises an ApiError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from flask import Flask, Response, request
from pydantic import BaseModel, TypeAdapter

from api.body import Body, NoBody, read_body
from api.envelope import JSON, body_of
from api.errors import ApiError
from api.query import NoQuery, Query, read_query

BASE = "/api/v1"
_WITH_BODY = frozenset({"POST", "PUT"})

D = TypeVar("D")
M = TypeVar("M")
Endpoint = Callable[..., Any]


class Access(StrEnum):
    """Who may come in."""

    OPEN = "open"  # everyone
    TOKEN = "token"  # noqa: S105 - a bearer token, or a user of the web configuration
    BROWSER = "browser"  # these, or HTTP Basic with the password


class Shape(BaseModel):
    """Base of what is answered."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[D, M]):
    """Data with its meta. `data` may be Rendered, for what is answered often."""

    data: Any
    meta: Any = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `others` are further statuses of success, with their data."""

    method: str
    rule: str
    endpoint: Endpoint
    access: Access = Access.TOKEN
    status: int = 200
    etag: bool = False
    errors: tuple[type[ApiError], ...] = ()
    others: Mapping[int, Any] = field(default_factory=dict)
    example: Any = None
    example_meta: Any = None

    @property
    def name(self) -> str:
        return self.endpoint.__name__

    @property
    def path(self) -> str:
        return BASE + self.rule


class Resource:
    """The routes of one noun; `about` is a sentence for the document."""

    def __init__(self, name: str, about: str) -> None:
        self.name = name
        self.about = about
        self.routes: list[Route] = []

    def get(self, rule: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self._route("GET", rule, options)

    def post(self, rule: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self._route("POST", rule, options)

    def put(self, rule: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self._route("PUT", rule, options)

    def delete(self, rule: str, **options: Any) -> Callable[[Endpoint], Endpoint]:
        return self._route("DELETE", rule, options)

    def _route(self, method: str, rule: str, options: Mapping[str, Any]) -> Callable[[Endpoint], Endpoint]:
        def keep(endpoint: Endpoint) -> Endpoint:
            self.routes.append(Route(method, rule, endpoint, **options))
            return endpoint

        return keep


def hints_of(route: Route) -> dict[str, Any]:
    """The types of an endpoint's arguments and of its answer (`return`)."""
    return get_type_hints(route.endpoint, include_extras=True)


def register(app: Flask, resources: Sequence[Resource]) -> None:
    """Add the routes to an application. Raises what pydantic does of a type that is not complete."""
    for resource in resources:
        for route in resource.routes:
            _complete(route)
            endpoint = f"{resource.name}.{route.name}"
            app.add_url_rule(route.path, endpoint, view_of(route), methods=[route.method])


def _complete(route: Route) -> None:
    """Build the types of a route now: pydantic would do it at the first request, and fail there."""
    hints = hints_of(route)
    told = hints["return"]
    for kind in (hints.get("query"), hints.get("body"), *_answered(told), *route.others.values()):
        if kind is not None:
            TypeAdapter(kind).rebuild(raise_errors=True)


def _answered(told: Any) -> tuple[Any, ...]:
    return get_args(told) if get_origin(told) is Answer else (told,)


def view_of(route: Route) -> Callable[..., Response]:
    """The view: reads the request, calls the endpoint, writes the answer."""
    hints = hints_of(route)
    query_model: type[Query] = hints.get("query", NoQuery)
    body_model: type[Body] | None = hints.get("body", NoBody if route.method in _WITH_BODY else None)

    def view(**arguments: Any) -> Response:
        query = read_query(query_model)
        if "query" in hints:
            arguments["query"] = query
        if body_model is not None:
            body = read_body(body_model)
            if "body" in hints:
                arguments["body"] = body
        return _respond(route, route.endpoint(**arguments))

    return view


def _respond(route: Route, found: Any) -> Response:
    if isinstance(found, Answer):
        response = Response(
            body_of(found.data, found.meta), found.status or route.status, found.headers, content_type=JSON
        )
    else:
        response = Response(body_of(found), route.status, content_type=JSON)
    if route.etag:
        response.add_etag()
        # Of all conditions only this one: werkzeug would answer If-Match with a 412 that holds the data.
        known = ("REQUEST_METHOD", "HTTP_IF_NONE_MATCH")
        response.make_conditional({name: request.environ[name] for name in known if name in request.environ})
    return response
