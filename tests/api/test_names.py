"""By which names the API is reached, and what pages of other servers may do: nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api import openapi
from api.resources import ALL
from tests.api.answers import bad, good
from tests.api.conftest import Client
from tests.api.test_auth import PASSWORD, TOKEN, bearer
from tests.servers.api import ApiProcess

NewClient = Callable[..., Client]
EVIL = "http://evil.example"


@pytest.fixture(params=["sqlite"])
def store_settings(tmp_path: Path) -> dict[str, str]:
    """One kind of store is enough: nothing here reads it."""
    return {"data_dir": str(tmp_path)}


def status(client: Client, host: str, path: str = "/api/v1/nope") -> int:
    return client.ask("GET", path, headers={"Host": host}).status_code


@pytest.mark.parametrize("path", ["/api/v1/nope", "/api/v1/openapi.json", "/metrics", "/", "/api/v1/docs"])
def test_without_a_password_a_foreign_name_is_refused(client: Client, path: str) -> None:
    error = bad(client.ask("GET", path, headers={"Host": "evil.example"}), 403, "forbidden")

    assert "CLUSTERSIGHT_PASSWORD" in error["message"]
    assert "api.public_url" in error["message"]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:3001", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.0.7", "[::2]:3001",
        "localhost@evil.example", "evil.example/localhost", "", "localhost:x", "[localhost]", "127.1", "::1",
    ],
)  # fmt: skip
def test_what_is_none_of_our_names(client: Client, host: str) -> None:
    assert status(client, host) == 403


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST:3001", "localhost.:80", "127.0.0.1", "127.0.0.1:3001", "[::1]", "[::1]:3001",
    ],
)  # fmt: skip
def test_our_names(client: Client, host: str) -> None:
    assert status(client, host) == 404


@pytest.mark.parametrize(
    ("api", "host", "expected"),
    [
        ({"public_url": "https://Sight.example:8443/x"}, "sight.example", 404),
        ({"public_url": "https://sight.example"}, "sight.example:3001", 404),
        ({"public_url": "https://sight.example"}, "a.sight.example", 403),
        ({"listen": "10.0.0.7:3001", "allow_open": True}, "10.0.0.7:3001", 404),
        ({"listen": "10.0.0.7:3001", "allow_open": True}, "10.0.0.8:3001", 403),
        ({"listen": "box.example:3001", "allow_open": True}, "BOX.example", 404),
        # Every interface: every address, but no name, since a page's name can be made to lead here.
        ({"listen": ":3001", "allow_open": True}, "192.168.0.7:3001", 404),
        ({"listen": "[::]:3001", "allow_open": True}, "[fd00::7]:3001", 404),
        ({"listen": "0.0.0.0:3001", "allow_open": True}, "evil.example", 403),
    ],
)
def test_the_configuration_names_more(
    new_client: NewClient, api: dict[str, Any], host: str, expected: int
) -> None:
    assert status(new_client(api=api), host) == expected


@pytest.mark.parametrize("path", ["/api/v1/health", "/-/healthy", "/-/ready"])
def test_probes_use_any_name(client: Client, path: str) -> None:
    assert status(client, "10.1.2.3:3001", path) == 200


def test_with_a_password_any_name_will_do(new_client: NewClient) -> None:
    client = new_client(api={"password": PASSWORD})
    headers = bearer(TOKEN) | {"Host": "evil.example"}

    bad(client.get("/nope", headers=headers), 404, "not_found")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("locked", [False, True])
def test_a_page_of_another_origin_changes_nothing(new_client: NewClient, method: str, locked: bool) -> None:
    client = new_client(api={"password": PASSWORD} if locked else {})

    for origin in (EVIL, "null", "http://localhost:8080", "https://localhost.evil.example", "localhost", ""):
        answer = client.ask(method, "/-/reload", headers=bearer(TOKEN) | {"Origin": origin})
        bad(answer, 403, "forbidden")


def test_a_page_of_another_origin_may_ask_but_not_read(client: Client) -> None:
    answer = client.get("/health", headers={"Origin": EVIL})

    good(answer)
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost", "http://localhost"),
        ("localhost:3001", "http://localhost:3001"),
        ("127.0.0.1:3001", "http://127.0.0.1:3001"),
        ("[::1]:3001", "http://[::1]:3001"),
        ("sight.example:443", "https://sight.example"),
        ("localhost:3001", "https://sight.example"),  # a proxy that says its own name for ours
    ],
)
def test_our_own_pages_change_things(new_client: NewClient, host: str, origin: str) -> None:
    client = new_client(api={"public_url": "https://sight.example/"})

    answer = client.ask("POST", "/-/reload", headers={"Host": host, "Origin": origin})

    bad(answer, 501, "not_supported")  # this one has nothing to reload


def test_the_document_says_so() -> None:
    for is_open in (True, False):
        for path, operations in openapi.document(ALL, is_open=is_open)["paths"].items():
            for method, operation in operations.items():
                refused = method != "get" or (is_open and path != "/api/v1/health")
                assert not refused or "403" in operation["responses"], (method, path)


def test_a_process_in_dev_mode_keeps_pages_out(api: Callable[..., ApiProcess]) -> None:
    running = api({})

    bad(running.ask("GET", "/metrics", headers={"Host": "evil.example"}), 403, "forbidden")
    sent = {"Content-Type": "text/plain", "Origin": EVIL}
    bad(running.ask("POST", "/-/reload", headers=sent, data="x"), 403, "forbidden")
    good(running.ask("POST", "/-/reload", headers={"Origin": running.url}))
