"""Bodies of requests: JSON objects, strictly typed, without unknown fields."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from flask import request
from gunicorn.http.errors import NoMoreData, ParseException
from pydantic import BaseModel, ConfigDict, ValidationError

from api.errors import BadRequest, Detail, PayloadTooLarge, UnsupportedMediaType
from api.validation import from_pydantic, invalid

MAX_BYTES = 1024 * 1024
# Beyond it a float stands for several integers.
_MOST_EXACT = 2.0**53
# Set by the server: called when the body is read, so that a client who is slow with it is cut off.
READ = "clustersight.body_read"


class Body(BaseModel):
    """Base of all bodies: a number is no text and true is no number; what is wrong is never quoted."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )


class NoBody(Body):
    """Nothing, or `{}`."""


B = TypeVar("B", bound=Body)


def read_body(model: type[B]) -> B:
    """The body of this request. Raises PayloadTooLarge, UnsupportedMediaType and Invalid."""
    raw = _bytes()
    if raw:
        _require_json()
    _refuse_odd(raw)
    try:
        return model.model_validate_json(_with_whole_numbers(raw) or b"{}")
    except ValidationError as error:
        raise from_pydantic(error, model.model_fields) from None


def _bytes() -> bytes:
    if (request.content_length or 0) > MAX_BYTES:
        raise PayloadTooLarge("the body is larger than 1 MiB")
    try:
        raw = request.get_data(cache=False)  # werkzeug stops a body without a length at MAX_CONTENT_LENGTH
    except (ParseException, NoMoreData):
        raise BadRequest("the body's chunks cannot be read", headers={"Connection": "close"}) from None
    done: Callable[[], None] | None = request.environ.get(READ)
    if done is not None:
        done()
    return raw


def _require_json() -> None:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if not request.is_json or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("send JSON, in UTF-8, with Content-Type: application/json")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("send the body as it is, without Content-Encoding")


class _Repeated(Exception):
    """A key stands twice in an object."""


def _refuse_odd(raw: bytes) -> None:
    """Of a key that stands twice readers take different values (RFC 8259, 4): a wrong host could be asked.

    PostgreSQL has no NUL in text, and nobody means one.
    """
    try:
        value = json.loads(raw or b"{}", object_pairs_hook=_unique)
    except _Repeated as error:
        raise invalid([Detail(str(error)[:200], "is given more than once")]) from None
    except (ValueError, RecursionError):
        return  # the model says what is wrong
    if b"\\u0000" in raw and any("\0" in text for text in _texts(value)):
        raise invalid([Detail("body", "must not hold the character NUL")])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Repeated(name)
        found[name] = value
    return found


def _with_whole_numbers(raw: bytes) -> bytes:
    """JSON has one kind of number: 3.0 is an integer (JSON Schema 2020-12, 4.2.3), pydantic's is none."""
    if b".0" not in raw:
        return raw
    try:
        return json.dumps(json.loads(raw, parse_float=_number)).encode()
    except (ValueError, RecursionError):
        return raw  # the model says what is wrong


def _number(text: str) -> float:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < _MOST_EXACT else value


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
