"""/api/v1/openapi.json: the OpenAPI 3.1 document, made of the routes and models that are served.

flask-openapi3 writes operations and parameters; schemas come from pydantic itself, since its own Schema
type drops what it does not know (examples, propertyNames), and so do answers, which all share one form.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args, get_origin

from flask import Flask, Response
from pydantic import BaseModel, Field, create_model
from pydantic.json_schema import models_json_schema

from api import errors
from api.body import Body, NoBody
from api.envelope import JSON, render
from api.errors import ApiError
from api.examples import example_of
from api.headers import path_of
from api.query import NoMeta, NoQuery, Query
from api.resource import BASE, Access, Answer, Resource, Route, hints_of
from clustersight import __version__
from clustersight.ids import PATTERN

_REF = "#/components/schemas/{model}"
_ABOUT = (
    "Health, alerts and history of ClickHouse clusters. Every answer is `{data, meta, error}`; times are"
    " ISO 8601 in UTC, ids are opaque."
)
_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": 'The lowercase hex SHA-256 of the password: `printf %s "$PASSWORD" | sha256sum`.',
}
# What every route may answer beside its own errors.
_ALWAYS = (errors.BadRequest, errors.Invalid, errors.Internal)
_SECURED = (errors.Unauthorized, errors.RateLimited, errors.StoreUnavailable)
_OF_BODIES = (errors.PayloadTooLarge, errors.UnsupportedMediaType)


class FieldError(BaseModel):
    """What is wrong with one field."""

    path: str = Field(examples=["threshold"])
    message: str = Field(examples=["must be a finite number"])


class Failure(BaseModel):
    """Why a request was not done."""

    code: str = Field(examples=["not_found"])
    message: str
    detail: list[FieldError] | None


class ErrorAnswer(BaseModel):
    """Every failure."""

    data: None
    meta: NoMeta
    error: Failure


def register(app: Flask, resources: Sequence[Resource], *, is_open: bool) -> dict[str, Access]:
    """Add the route; returns who may use it. The document is made at its first request."""
    lock = threading.Lock()
    made: list[bytes] = []

    def page() -> Response:
        with lock:
            if not made:
                made.append(render(document(resources, is_open=is_open)))
        return Response(made[0], content_type=JSON)

    app.add_url_rule(f"{BASE}/openapi.json", "openapi", page, methods=["GET"])
    return {"openapi": Access.BROWSER}


def document(resources: Sequence[Resource], *, is_open: bool) -> dict[str, Any]:
    """The whole document; without security where nobody needs a token."""
    pairs = [(resource, route) for resource in resources for route in resource.routes]
    found = _skeleton(pairs, {} if is_open else {"token": _TOKEN})
    schemas = _schemas(route for _, route in pairs)
    for _, route in pairs:
        operation = found["paths"][path_of(route.path)][route.method.lower()]
        query = _query_model(route)
        parameters = [*_of_path(route), *_of_query(schemas[query.__name__] if query else {})]
        operation |= {"parameters": parameters} if parameters else {}
        _complete(operation, route, schemas, is_open=is_open)
    # A query is spelled out as parameters; only the types of its fields are named.
    queries = {query.__name__ for _, route in pairs if (query := _query_model(route))}
    named = {name: schema for name, schema in schemas.items() if name not in queries}
    found["components"]["schemas"] = named
    return found


def _skeleton(pairs: Sequence[tuple[Resource, Route]], security: Any) -> dict[str, Any]:
    # Imported here: it costs 10 MB, and most workers are never asked for the document.
    from flask_openapi3.models.info import Info  # noqa: PLC0415
    from flask_openapi3.models.tag import Tag  # noqa: PLC0415
    from flask_openapi3.openapi import OpenAPI  # noqa: PLC0415

    info = Info(title="ClusterSight", version=__version__, description=_ABOUT)
    writer = OpenAPI(__name__, info=info, security_schemes=security, doc_ui=False)
    for resource, route in pairs:
        add = getattr(writer, route.method.lower())
        tag = Tag(name=resource.name, description=resource.about)
        add(path_of(route.path), tags=[tag], operation_id=route.name, endpoint=route.name)(_stub(route))
    found: dict[str, Any] = writer.api_doc
    return found


def _stub(route: Route) -> Any:
    """A function with the documentation of the endpoint and the type of its body."""

    def stub() -> None: ...

    body = _body_model(route)
    stub.__name__, stub.__doc__ = route.name, route.endpoint.__doc__
    stub.__annotations__ = {"body": body} if body is not None else {}
    return stub


def _complete(operation: dict[str, Any], route: Route, schemas: dict[str, Any], *, is_open: bool) -> None:
    operation["responses"] = dict(_responses(route, schemas, is_open=is_open))
    if route.access is not Access.OPEN and not is_open:
        operation["security"] = [{"token": []}]
    body = _body_model(route)
    if body is not None:
        operation["requestBody"]["required"] = any(f.is_required() for f in body.model_fields.values())


def _path_names(route: Route) -> list[str]:
    return [name for name in hints_of(route) if f":{name}>" in route.rule]


def _of_path(route: Route) -> Iterator[dict[str, Any]]:
    for name in _path_names(route):
        schema = {"type": "string"}
        if f"<id:{name}>" in route.rule:
            schema |= {"pattern": f"^{PATTERN}$"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _of_query(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, field in schema.get("properties", {}).items():
        # None is how a parameter is left out; it is nothing that can be sent.
        kinds = [kind for kind in field.get("anyOf", ()) if kind.get("type") != "null"]
        rest = {key: value for key, value in field.items() if key != "anyOf" and value is not None}
        told = {**kinds[0], **rest} if len(kinds) == 1 else field
        required = name in schema.get("required", ())
        yield {"name": name, "in": "query", "required": required, "schema": told}


def _camel(route: Route) -> str:
    return "".join(map(str.capitalize, route.name.split("_")))


def _body_model(route: Route) -> type[Body] | None:
    model = hints_of(route).get("body")
    return model if model is not NoBody else None


def _query_model(route: Route) -> type[Query] | None:
    model = hints_of(route).get("query")
    return model if model is not NoQuery else None


def _answers(route: Route) -> Iterator[tuple[int, type[BaseModel]]]:
    """The model of each successful answer, by status."""
    told = hints_of(route)["return"]
    data, meta = get_args(told) if get_origin(told) is Answer else (told, NoMeta)
    name = f"{_camel(route)}Answer"
    yield route.status, _answer(name, data, meta)
    for status, other in route.others.items():
        yield status, _answer(f"{name}{status}", other, meta)


def _answer(name: str, data: Any, meta: Any) -> type[BaseModel]:
    fields: Any = {"data": (data, ...), "meta": (meta, ...), "error": (None, ...)}
    return create_model(name, **fields)


def _schemas(routes: Iterable[Route]) -> dict[str, Any]:
    models: list[tuple[type[BaseModel], Any]] = [(ErrorAnswer, "serialization")]
    for route in routes:
        models += [(model, "serialization") for _, model in _answers(route)]
        models += [(m, "validation") for m in (_body_model(route), _query_model(route)) if m is not None]
    _, found = models_json_schema(list(dict.fromkeys(models)), ref_template=_REF)
    return dict(found["$defs"])


def _responses(
    route: Route, schemas: dict[str, Any], *, is_open: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, model in _answers(route):
        schema = {"$ref": _REF.format(model=model.__name__)}
        example = example_of(schema, schemas)
        if status == route.status and route.example is not None:
            example |= {"data": route.example}
        if route.example_meta is not None:
            example |= {"meta": route.example_meta}
        content = {JSON: {"schema": schema, "example": example}}
        yield str(status), {"description": "Success", "content": content}
    if route.etag:
        yield "304", {"description": "Not changed since the ETag of If-None-Match"}
    by_status: dict[int, list[type[ApiError]]] = {}
    for kind in _errors(route, is_open=is_open):
        by_status.setdefault(kind.status, []).append(kind)
    for status, kinds in sorted(by_status.items()):
        yield str(status), _error_response(kinds)


def _errors(route: Route, *, is_open: bool) -> list[type[ApiError]]:
    found: list[type[ApiError]] = [*_ALWAYS, *route.errors]
    if route.access is not Access.OPEN:
        found += [kind for kind in _SECURED if not is_open or kind is errors.StoreUnavailable]
    if _path_names(route):
        found.append(errors.NotFound)
    if route.method != "GET" or (is_open and route.access is not Access.OPEN):
        found.append(errors.Forbidden)
    if route.method in ("POST", "PUT"):
        found += _OF_BODIES
    return list(dict.fromkeys(found))


def _error_response(kinds: Sequence[type[ApiError]]) -> dict[str, Any]:
    error = {"code": kinds[0].code, "message": kinds[0].__doc__, "detail": None}
    return {
        "description": " ".join(kind.__doc__ or "" for kind in kinds),
        "content": {
            JSON: {
                "schema": {"$ref": _REF.format(model=ErrorAnswer.__name__)},
                "example": {"data": None, "meta": {}, "error": error},
            }
        },
    }
