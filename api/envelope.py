"""The form of every answer: `{"data": …, "meta": {…}, "error": null}` (spec/api.md, "Everywhere")."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, request
from pydantic_core import to_json
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from api import errors
from api.errors import ApiError
from clustersight.clickhouse.errors import ClickHouseError
from clustersight.logs import event
from clustersight.store.errors import Conflict, StoreError

log = logging.getLogger("api")

JSON = "application/json"
# Where the id of a request stands in its WSGI environment.
REQUEST_ID = "clustersight.request_id"


@dataclass(frozen=True, slots=True)
class Rendered:
    """Data that is JSON already: what is asked for again and again is put into text once."""

    json: bytes


def render(data: Any) -> bytes:
    """JSON of plain values, pydantic models and dataclasses; NaN and infinities, which it lacks, are null."""
    return to_json(data, inf_nan_mode="null")


def body_of(data: Any, meta: Any = None) -> bytes:
    """The body of an answer; `data` may be Rendered, `meta` None for nothing."""
    text = data.json if isinstance(data, Rendered) else render(data)
    return b'{"data":%b,"meta":%b,"error":null}' % (text, b"{}" if meta is None else render(meta))


def error_body(error: ApiError) -> bytes:
    """The body of a failure."""
    told = {"code": error.code, "message": error.message, "detail": error.detail}
    return render({"data": None, "meta": {}, "error": told})


def failure(error: ApiError) -> Response:
    """The whole answer of a failure."""
    response = Response(error_body(error), status=error.status, content_type=JSON)
    response.headers.update(error.headers)
    return response


def register(app: Flask) -> None:
    """Answer every error in this form, also those that routing and the server's own code raise."""
    app.register_error_handler(ApiError, failure)
    app.register_error_handler(StoreError, _store_failed)
    app.register_error_handler(ClickHouseError, _clickhouse_failed)
    app.register_error_handler(HTTPException, _http_failed)
    app.register_error_handler(Exception, _failed)


def _store_failed(error: StoreError) -> Response:
    if not isinstance(error, Conflict):
        event(log, logging.ERROR, "the store failed", error=error, **_where())
    return failure(errors.from_store(error))


def _clickhouse_failed(error: ClickHouseError) -> Response:
    event(log, logging.WARNING, "ClickHouse failed", error=error.message, code=error.code, **_where())
    return failure(errors.from_clickhouse(error))


_BY_STATUS: dict[int, type[ApiError]] = {
    kind.status: kind
    for kind in (
        errors.BadRequest, errors.Unauthorized, errors.NotFound, errors.PayloadTooLarge,
        errors.UnsupportedMediaType, errors.Invalid, errors.RateLimited,
    )
}  # fmt: skip
_MESSAGES = {
    404: "nothing is here: no route has this path, or no such id; /api/v1/docs lists the routes",
    413: "the body is larger than 1 MiB",
}


def _http_failed(error: HTTPException) -> Response:
    """werkzeug's own errors; their texts are HTML."""
    status = error.code or 500
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        message = f"this path takes {allowed}, not {request.method[:20]}"
        return failure(errors.MethodNotAllowed(message, headers={"Allow": allowed}))
    if status not in _BY_STATUS:
        return _failed(error)
    return failure(_BY_STATUS[status](_MESSAGES.get(status, f"{error.name.lower()}; see /api/v1/docs")))


def _failed(error: Exception) -> Response:
    log.error("a request failed", exc_info=error, extra={"fields": _where()})
    return failure(errors.Internal("something went wrong; the log has it under this X-Request-ID"))


def _where() -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "request_id": request.environ.get(REQUEST_ID, ""),
    }
