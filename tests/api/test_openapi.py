"""The document says what the server does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis

from api import create_app
from api.headers import path_of
from clustersight.settings.model import Settings
from tests.api import probe
from tests.api.conftest import Client

NewClient = Callable[..., Client]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    client = create_app(Settings.model_validate({"api": {"password": "x"}}), environ={}).test_client()
    found: dict[str, Any] = client.get("/api/v1/openapi.json", headers={"Authorization": _token()}).json
    return found


def _token() -> str:
    return "Bearer 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of x


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def test_it_is_openapi_3_1_and_tools_can_read_it(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")

    schema = schemathesis.openapi.from_dict(document)

    assert len(list(schema.get_all_operations())) == len(list(operations(document)))


def test_it_lists_the_routes_that_are_served(document: dict[str, Any]) -> None:
    app = create_app(Settings(), environ={})
    served = {
        (path_of(rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/v1/") and not rule.rule.startswith("/api/v1/docs")
    }

    assert {(path, method) for path, method, _ in operations(document)} == served - {
        ("/api/v1/openapi.json", "GET")
    }


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    named = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    used = {node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)}

    assert used <= named
    assert not [name for name in named if not name.split("/")[-1].isidentifier()]


def test_every_operation_is_named_and_says_what_can_go_wrong(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for path, method, operation in operations(document):
        assert operation["summary"], (path, method)
        told = set(operation["responses"])
        assert "422" in told
        if path != "/api/v1/health":
            assert {"401", "429", "503"} <= told, (path, method)
            assert operation["security"] == [{"token": []}]
        if "{" in path:
            assert "404" in told, (path, method)
        if method in ("POST", "PUT"):
            assert {"413", "415"} <= told, (path, method)


def test_every_number_of_a_request_has_bounds(document: dict[str, Any]) -> None:
    """A number without bounds reaches the database or ClickHouse, and overflows there."""
    bodies = [
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for _, _, operation in operations(document)
        if "requestBody" in operation
    ]
    parameters = [p["schema"] for _, _, o in operations(document) for p in o.get("parameters", ())]
    schemas = document["components"]["schemas"]
    for node in nodes([*parameters, *(schemas[name] for name in bodies)]):
        if node.get("type") == "integer":
            assert {"minimum", "exclusiveMinimum"} & set(node), node
            assert {"maximum", "exclusiveMaximum"} & set(node), node


def test_every_answer_has_an_example_that_is_one(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                whole = {**content["schema"], "components": document["components"]}
                wrong = [
                    f"{list(error.instance_path)}: {error.message}"
                    for error in jsonschema_rs.Draft202012Validator(whole).iter_errors(content["example"])
                ]
                assert not wrong, (path, method, status)


def test_dev_mode_asks_for_no_token(new_client: NewClient) -> None:
    open_document = new_client().ask("GET", "/api/v1/openapi.json").json

    assert not [o for _, _, o in operations(open_document) if "security" in o]
    assert not {"401", "429"} & {s for _, _, o in operations(open_document) for s in o["responses"]}


def test_each_kind_of_route_is_described(new_client: NewClient) -> None:
    found = new_client(resources=(probe.RESOURCE,)).ask("GET", "/api/v1/openapi.json").json["paths"]

    parameters = {p["name"]: p for p in found["/api/v1/probe/search"]["get"]["parameters"]}
    assert parameters["hours"]["schema"]["maximum"] == 168
    assert parameters["hours"]["required"] is False
    thing = found["/api/v1/probe/{thing_id}"]
    assert thing["get"]["parameters"][0]["schema"]["pattern"].startswith("^[a-z]{2}_")
    assert "304" in thing["get"]["responses"]
    assert "409" in thing["delete"]["responses"]
    assert found["/api/v1/probe/thing"]["post"]["requestBody"]["required"] is True
    assert found["/api/v1/probe/optional"]["post"]["requestBody"]["required"] is False
    assert "requestBody" not in found["/api/v1/probe/nothing"]["post"]
