"""What every answer must be: the envelope, and nothing in it that is not the client's business."""

from __future__ import annotations

import json
import re
from typing import Any

import requests
from werkzeug.test import TestResponse

Response = requests.Response | TestResponse

# Paths of a machine, statements, tracebacks, names of what we are made of.
LEAKS = re.compile(
    r"Traceback|\.py\b|site-packages|/(?:tmp|work|root|home|usr|var)/|sqlite|psycopg|sqlalchemy"
    r"|\b(?:SELECT .* FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b",
    re.IGNORECASE | re.DOTALL,
)


def text(answer: Response) -> str:
    """The body, which must be UTF-8."""
    return (answer.content if isinstance(answer, requests.Response) else answer.data).decode()


def envelope(answer: Response) -> dict[str, Any]:
    """The body of any answer of the API, good or bad."""
    assert answer.headers["Content-Type"] == "application/json", text(answer)[:500]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    body: dict[str, Any] = json.loads(text(answer), parse_constant=_no_json)
    assert list(body) == ["data", "meta", "error"], body
    assert isinstance(body["meta"], dict)
    return body


def _no_json(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def good(answer: Response, status: int = 200) -> Any:
    """The data of an answer that must have worked."""
    body = envelope(answer)
    assert answer.status_code == status, body
    assert body["error"] is None
    return body["data"]


def meta(answer: Response) -> dict[str, Any]:
    """The meta of an answer that must have worked."""
    good(answer)
    return dict(envelope(answer)["meta"])


def bad(answer: Response, status: int, code: str, *secrets: str) -> dict[str, Any]:
    """The error of an answer that must have failed; it must leak nothing, nor any of `secrets`."""
    body = envelope(answer)
    error: dict[str, Any] = body["error"]
    assert (answer.status_code, error["code"]) == (status, code), body
    assert body["data"] is None
    assert set(error) == {"code", "message", "detail"}
    assert error["message"]
    for detail in error["detail"] or []:
        assert set(detail) == {"path", "message"}
        assert all(detail.values()), detail
    assert not LEAKS.search(text(answer)), text(answer)
    assert not [secret for secret in secrets if secret in text(answer)], text(answer)
    return error


def paths(error: dict[str, Any]) -> set[str]:
    """The fields that an error is about."""
    return {detail["path"] for detail in error["detail"]}
