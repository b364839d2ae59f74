"""Every answer has one form, whatever was asked and whatever goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import PydanticUndefinedAnnotation

from api import create_app
from api.body import Body
from api.query import Query
from api.resource import Answer, Resource, Shape
from clustersight.settings.model import Settings
from clustersight.store.opening import open_store
from tests.api import probe
from tests.api.answers import LEAKS, bad, good, meta, paths, text
from tests.api.conftest import Client


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Nothing here reads the store: one for all, of one kind."""
    settings = Settings.model_validate({"data_dir": str(tmp_path_factory.mktemp("state"))})
    store = open_store(settings, {})
    yield Client(settings, store, resources=(probe.RESOURCE,))
    store.close()


@pytest.mark.parametrize(
    "path",
    [
        "/nope", "/api", "/api/v1", "/api/v1/", "/api/v1/probe/search/", "/api/v1//probe/search",
        "/api/v1/probe/../probe/search", "/api/v1/%70robe/nope", "/api/v2/probe", "/api/v1/probe/%00",
        "/api/v1/probe/al_0123456789AB", "/api/v1/probe/al_0123456789abc", "/api/v1/docs/../../setup.cfg",
        "/api/v1/docs/%2e%2e%2fsetup.cfg", "/api/v1/docs/start.py", "/static/x", "/-/nope",
    ],
)  # fmt: skip
def test_a_path_that_is_not_there(client: Client, path: str) -> None:
    bad(client.ask("GET", path), 404, "not_found")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FROBNICATE"])
def test_a_method_that_a_path_does_not_take_names_those_that_it_takes(client: Client, method: str) -> None:
    answer = client.ask(method, "/api/v1/probe/search")

    bad(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD"


def test_head_is_get_without_a_body(client: Client) -> None:
    answer = client.ask("HEAD", "/api/v1/probe/search")

    assert answer.status_code == 200
    assert text(answer) == ""


def test_a_body_is_read(client: Client) -> None:
    sent = {"name": "a", "count": 3, "share": 1, "on": True, "inner": [{"label": "x"}]}

    assert good(client.post("/probe/thing", sent), 201)["value"] == {**sent, "share": 1.0}


def test_a_whole_number_is_an_integer_however_it_is_written(client: Client) -> None:
    answer = client.post("/probe/thing", data=b'{"name": "a", "count": 3.0}', content_type="application/json")

    assert good(answer, 201)["value"]["count"] == 3


@pytest.mark.parametrize(
    ("sent", "where"),
    [
        ({}, {"name"}),
        ({"name": 5}, {"name"}),
        ({"name": "a", "count": True}, {"count"}),
        ({"name": "a", "count": "3"}, {"count"}),
        ({"name": "a", "count": 3.5}, {"count"}),
        ({"name": "a", "count": 1e300}, {"count"}),
        ({"name": "a", "count": 11}, {"count"}),
        ({"name": "a", "count": 10**400}, {"count"}),
        ({"name": "a", "count": None}, {"count"}),
        ({"name": "a", "share": "1"}, {"share"}),
        ({"name": "a", "share": False}, {"share"}),
        ({"name": "a", "share": 10**400}, {"share"}),
        ({"name": "a", "on": 1}, {"on"}),
        ({"name": "a" * 21}, {"name"}),
        ({"name": "a", "Name": "b", "extra": 1}, {"Name", "extra"}),
        ({"name": "a", "inner": [{"label": "x"}, {"label": 1, "b": 2}]}, {"inner.1.label", "inner.1.b"}),
        ({"name": "a\0b"}, {"body"}),
        ({"count": -1, "on": "yes"}, {"name", "count", "on"}),
        ([], {"body"}),
        ("{}", {"body"}),
        (5, {"body"}),
    ],
)  # fmt: skip
def test_a_wrong_body_is_told_field_by_field(client: Client, sent: object, where: set[str]) -> None:
    error = bad(client.post("/probe/thing", sent), 422, "validation_error")

    assert paths(error) == where


@pytest.mark.parametrize(
    "raw",
    [
        b"{", b"null", b"nope", b"\xff\xfe", b'{"name": "\xff"}', b'{"name": "\\ud800"}', b'{"name": "a"} x',
        b'{"name": "a", "share": NaN}', b'{"name": "a", "share": Infinity}', b'{"name": "a", "share": 1e999}',
        b"[" * 100_000, b'{"name":' * 50_000, b'{"name": "a", "count": ' + b"9" * 100_000 + b"}",
        b"\xef\xbb\xbf{}", b"{'name': 'a'}", b'{"name": "a",}', b" ",
    ],
)  # fmt: skip
def test_what_is_no_json_is_422(client: Client, raw: bytes) -> None:
    answer = client.post("/probe/thing", data=raw, content_type="application/json")

    assert bad(answer, 422, "validation_error")["detail"]


def test_an_escaped_backslash_before_u0000_is_no_nul(client: Client) -> None:
    answer = client.post("/probe/thing", data=rb'{"name": "\\u0000"}', content_type="application/json")

    assert good(answer, 201)["value"]["name"] == r"\u0000"


@pytest.mark.parametrize("empty", [b"", b"{}"])
def test_an_empty_body_is_an_empty_object(client: Client, empty: bytes) -> None:
    kind = "application/json" if empty else None

    assert good(client.post("/probe/optional", data=empty, content_type=kind))["value"] == {"note": None}
    assert good(client.post("/probe/nothing", data=empty, content_type=kind))["value"] is None


def test_a_route_without_a_body_takes_none(client: Client) -> None:
    assert paths(bad(client.post("/probe/nothing", {"a": 1}), 422, "validation_error")) == {"a"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {},
    ],
)
def test_a_body_that_does_not_say_that_it_is_json(client: Client, headers: dict[str, str]) -> None:
    bad(client.post("/probe/thing", data=b'{"name": "a"}', headers=headers), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=UTF-8", "application/x+json"]
)
def test_a_body_that_says_so(client: Client, kind: str) -> None:
    good(client.post("/probe/thing", data=b'{"name": "a"}', content_type=kind), 201)


@pytest.mark.parametrize(
    "body", [b'{"name": "a", "name": "b"}', b'{"name": "a", "more": [{"name": 1, "name": 1}]}']
)
def test_a_key_that_stands_twice(client: Client, body: bytes) -> None:
    answer = client.post("/probe/thing", data=body, content_type="application/json")

    error = bad(answer, 422, "validation_error")

    assert error["detail"] == [{"path": "name", "message": "is given more than once"}]


def test_a_body_of_more_than_a_mebibyte(client: Client) -> None:
    just = b'{"name": "a"}'.ljust(1024 * 1024)
    good(client.post("/probe/thing", data=just, content_type="application/json"), 201)

    for method, path in {"POST": "/probe/thing", "GET": "/probe/search"}.items():
        answer = client.ask(method, f"/api/v1{path}", data=just + b" ", content_type="application/json")
        bad(answer, 413, "payload_too_large")


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("nope=1", "nope"), ("hours=0", "hours"), ("hours=169", "hours"), ("hours=1.0", "hours"),
        ("hours=%201", "hours"), ("hours=1_0", "hours"), ("hours=", "hours"), ("hours=" + "9" * 900, "hours"),
        ("hours=1&hours=2", "hours"), ("hours=0x1", "hours"), ("share=nan", "share"), ("share=inf", "share"),
        ("share=1e9999", "share"), ("on=1", "on"), ("on=True", "on"), ("cluster_id=%00", "cluster_id"),
        ("%00=1", "\0"), ("HOURS=1", "HOURS"), ("hours[]=1", "hours[]"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_told(client: Client, query: str, where: str) -> None:
    assert paths(bad(client.get(f"/probe/search?{query}"), 422, "validation_error")) == {where}


def test_parameters_are_read(client: Client) -> None:
    found = good(client.get("/probe/search?hours=6&share=-0.5&on=true&cluster_id=%C3%A9%20x"))["value"]

    assert found == {"hours": 6, "share": -0.5, "on": True, "cluster_id": "é x"}


def test_a_route_without_parameters_takes_none(client: Client) -> None:
    bad(client.ask("DELETE", "/api/v1/probe/al_0123456789ab?force=1"), 422, "validation_error")


def test_a_list_has_pages(client: Client) -> None:
    last = client.get("/probe/pages?limit=50&offset=100")

    assert good(last) == list(range(100, 120))
    assert meta(last) == {"total": 120, "limit": 50, "offset": 100, "has_more": False}
    assert meta(client.get("/probe/pages"))["has_more"] is True
    assert meta(client.get("/probe/pages?offset=70"))["has_more"] is False
    assert good(client.get("/probe/pages?offset=500")) == []


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("unexpected", 500, "internal_error"),
        ("recursion", 500, "internal_error"),
        ("conflict", 409, "conflict"),
        ("integrity", 409, "conflict"),
        ("full", 503, "store_unavailable"),
        ("corrupt", 503, "store_unavailable"),
        ("version", 503, "store_unavailable"),
        ("store", 503, "store_unavailable"),
        ("undecryptable", 503, "store_unavailable"),
        ("down", 503, "clickhouse_unreachable"),
        ("slow", 503, "clickhouse_unreachable"),
        ("busy", 503, "clickhouse_unreachable"),
        ("login", 503, "clickhouse_unreachable"),
        ("denied", 403, "permission_denied"),
        ("hidden", 403, "permission_denied"),
        ("failed", 502, "clickhouse_failed"),
    ],
)
def test_each_error_has_its_code_and_tells_no_secret(
    client: Client, name: str, status: int, code: str
) -> None:
    bad(client.get(f"/probe/error/{name}"), status, code, probe.SECRET)


def test_a_missing_grant_is_told_as_sql(client: Client) -> None:
    error = bad(client.get("/probe/error/denied"), 403, "permission_denied")

    assert "GRANT SELECT ON system.query_log TO `ro`;" in error["message"]


def test_the_log_has_what_the_client_is_not_told(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client.get("/probe/error/unexpected", headers={"X-Request-ID": "abc-123"})

    assert answer.headers["X-Request-ID"] == "abc-123"
    assert probe.SECRET in caplog.text
    assert "RuntimeError" in caplog.text
    assert "abc-123" in str([vars(record).get("fields") for record in caplog.records])


def test_a_failed_store_is_logged_with_its_place(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/probe/error/full")
    client.get("/probe/error/conflict")

    [record] = caplog.records
    assert "sqlite:////tmp/x" in str(vars(record)["fields"]["error"])


@pytest.mark.parametrize("given", ["abc", "a" * 128, "0af7651916cd43dd8448eb211c80319c", "x.y_z-1:2/3+4=@5"])
def test_a_request_id_comes_back(client: Client, given: str) -> None:
    assert client.get("/probe/search", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "a" * 129, "a b", "a\tb", "é", '"', "<script>"])
def test_a_request_id_that_is_none_is_replaced(client: Client, given: str) -> None:
    found = client.get("/probe/search", headers={"X-Request-ID": given}).headers["X-Request-ID"]

    assert len(found) == 16
    assert found != given


def test_values_that_json_has_not_are_null(client: Client) -> None:
    assert good(client.get("/probe/numbers"))["value"] == [None, None, 2**70, "\x00é"]


def test_data_that_is_json_already(client: Client) -> None:
    answer = client.get("/probe/rendered")

    assert good(answer) == {"value": 1}
    assert meta(answer) == {"now": client.time.now}


def test_an_answer_that_is_known_is_not_sent_again(client: Client) -> None:
    first = client.get("/probe/al_0123456789ab")
    known = {"If-None-Match": first.headers["ETag"]}

    again = client.get("/probe/al_0123456789ab", headers=known)
    other = client.get("/probe/al_ffffffffffff", headers=known)

    assert again.status_code == 304
    assert text(again) == ""
    assert again.headers["ETag"] == first.headers["ETag"]
    assert good(other) == {"value": "al_ffffffffffff"}
    assert "ETag" not in client.get("/probe/search").headers


def test_leaks_are_found() -> None:
    for leak in ("Traceback (most", "/tmp/x", "File api/x.py", "sqlite3.Error", "select a from b"):
        assert LEAKS.search(leak), leak


class Unfinished(Query):
    """Its field's type is nowhere."""

    limit: Nowhere  # type: ignore[name-defined]  # noqa: F821


class Unsent(Body):
    """The same in a body."""

    name: list[Nowhere]  # type: ignore[name-defined]  # noqa: F821


class Untold(Shape):
    """The same in an answer."""

    name: Nowhere  # type: ignore[name-defined]  # noqa: F821


def queried(query: Unfinished) -> None: ...
def sent(body: Unsent) -> None: ...
def told() -> list[Untold]: ...
def told_beside() -> Answer[None, Untold]: ...
def told_later() -> None: ...


@pytest.mark.parametrize("endpoint", [queried, sent, told, told_beside, told_later])
def test_a_type_that_is_not_complete_is_an_error_of_the_start(endpoint: Callable[..., Any]) -> None:
    broken = Resource("broken", "For a test.")
    others = {202: Untold} if endpoint is told_later else {}
    broken.post("/broken", others=others)(endpoint)

    with pytest.raises(PydanticUndefinedAnnotation, match="Nowhere"):
        create_app(Settings(), environ={}, resources=(broken,))
