"""Who comes in: the token, HTTP Basic for browsers, users of a web configuration; and who is slowed down."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import bcrypt
import pytest

from api import create_app, warn_if_open
from api.auth import AuthMode
from api.shared import shared
from clustersight.settings import web_config
from clustersight.settings.model import Settings
from tests.api.answers import bad, good
from tests.api.conftest import Client, Time

NewClient = Callable[..., Client]
PASSWORD = "correct hörse"
TOKEN = hashlib.sha256(PASSWORD.encode()).hexdigest()
USER, USER_PASSWORD = "ada", "lovelace"


@pytest.fixture(params=["sqlite"])
def store_settings(tmp_path: Path) -> dict[str, str]:
    """One kind of store is enough: nothing here reads it."""
    return {"data_dir": str(tmp_path)}


@pytest.fixture
def locked(new_client: NewClient) -> Client:
    """An API with a password."""
    return new_client(api={"password": PASSWORD})


@pytest.fixture
def with_users(new_client: NewClient, tmp_path: Path) -> Client:
    """An API with a user of a web configuration and no password."""
    file = tmp_path / "web.yaml"
    hashed = bcrypt.hashpw(USER_PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    file.write_text(f"basic_auth_users: {{{USER}: '{hashed}'}}\n")
    client = new_client()
    client.app = create_app(client.settings, client.store, web=web_config.load(file), clock=client.time.clock)
    client._client = client.app.test_client()
    return client


def bearer(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}"}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


# Every path of the process and whether browsers may use HTTP Basic there.
BEHIND = {
    "/api/v1/clusters": False, "/api/v1/nope": False, "/api/v1/openapi.json": True, "/api/v1/docs": True,
    "/api/v1/docs/start.js": True, "/": True, "/metrics": True,
}  # fmt: skip
OPEN = ("/api/v1/health", "/-/healthy", "/-/ready")


@pytest.mark.parametrize("path", OPEN)
def test_probes_need_no_token(locked: Client, path: str) -> None:
    good(locked.ask("GET", path))
    good(locked.ask("GET", path, headers=bearer("wrong")))


@pytest.mark.parametrize("path", BEHIND)
def test_everything_else_does(locked: Client, path: str) -> None:
    answer = locked.ask("GET", path)

    bad(answer, 401, "unauthorized", PASSWORD, TOKEN)
    ways = " ".join(answer.headers.getlist("WWW-Authenticate"))
    assert "Bearer" in ways
    assert ("Basic" in ways) is BEHIND[path]


@pytest.mark.parametrize("path", BEHIND)
def test_the_token_opens_it(locked: Client, path: str) -> None:
    assert locked.ask("GET", path, headers=bearer(TOKEN)).status_code != 401


@pytest.mark.parametrize("path", BEHIND)
def test_browsers_send_the_password_under_any_name(locked: Client, path: str) -> None:
    assert (locked.ask("GET", path, headers=basic("me", PASSWORD)).status_code != 401) is BEHIND[path]
    bad(locked.ask("GET", path, headers=basic("me", "wrong")), 401, "unauthorized")


@pytest.mark.parametrize(
    "header",
    [
        TOKEN, f"Bearer {TOKEN.upper()}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}0", "Bearer", "Bearer ",
        f"Basic {TOKEN}", f"Token {TOKEN}", f"Bearer {PASSWORD.encode().decode('latin-1')}", "Bearer \xff",
        f"Bearer {TOKEN}, Bearer {TOKEN}", "Basic ====", "Basic " + base64.b64encode(b"no colon").decode(),
    ],
)  # fmt: skip
def test_what_is_not_the_token(locked: Client, header: str) -> None:
    answer = locked.ask("GET", "/api/v1/nope", headers={"Authorization": header})

    bad(answer, 401, "unauthorized", PASSWORD, TOKEN)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_scheme_has_no_case(locked: Client, scheme: str) -> None:
    bad(locked.ask("GET", "/api/v1/nope", headers=bearer(TOKEN, scheme)), 404, "not_found")


def test_the_eleventh_wrong_token_of_a_minute_waits(locked: Client) -> None:
    def guess() -> None:
        bad(locked.get("/nope", headers=bearer("wrong")), 401, "unauthorized")

    for _ in range(10):
        guess()
        locked.time.now += 1

    refused = locked.get("/nope", headers=bearer("wrong"))
    bad(refused, 429, "rate_limited")
    assert refused.headers["Retry-After"] == "50"
    bad(locked.get("/nope", headers=bearer(TOKEN)), 404, "not_found")
    locked.time.now += 60
    guess()


def test_a_hundred_wrong_tokens_lock_nobody_out(locked: Client) -> None:
    answers = [locked.get("/nope", headers=bearer(f"{n}")) for n in range(100)]

    assert [a.status_code for a in answers] == [401] * 10 + [429] * 90
    bad(locked.get("/nope", headers=bearer(TOKEN)), 404, "not_found")
    bad(locked.get("/nope"), 401, "unauthorized")


def test_a_missing_header_counts_for_nothing(locked: Client) -> None:
    for _ in range(20):
        bad(locked.get("/nope"), 401, "unauthorized")
    # Nor does the right password where only the token counts: browsers send it by themselves.
    for _ in range(20):
        bad(locked.get("/nope", headers=basic("me", PASSWORD)), 401, "unauthorized")


def test_addresses_are_counted_apart(locked: Client) -> None:
    def guess(address: str) -> int:
        around = {"REMOTE_ADDR": address}
        return locked.get("/nope", headers=bearer("wrong"), environ_overrides=around).status_code

    assert {guess("10.0.0.1") for _ in range(30)} == {401, 429}
    assert guess("10.0.0.2") == 401
    # Who has one address of IPv6 has the whole network.
    assert [guess(f"2001:db8::{n:x}") for n in range(11)][-1] == 429
    assert guess("2001:db8:0:1::1") == 401


def test_no_limit_is_zero(new_client: NewClient) -> None:
    client = new_client(api={"password": PASSWORD, "auth_failures_per_minute": 0})

    assert {client.get("/nope", headers=bearer("wrong")).status_code for _ in range(50)} == {401}


def test_dev_mode_is_open_and_ignores_what_is_sent(client: Client) -> None:
    bad(client.get("/nope"), 404, "not_found")
    bad(client.get("/nope", headers=bearer("whatever")), 404, "not_found")


def test_users_of_the_web_configuration_come_in_everywhere(with_users: Client) -> None:
    for path, status in {"/api/v1/nope": 404, "/api/v1/docs": 200, "/metrics": 200}.items():
        assert with_users.ask("GET", path, headers=basic(USER, USER_PASSWORD)).status_code == status
        answer = with_users.ask("GET", path, headers=basic(USER, "wrong"))
        bad(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    good(with_users.get("/health"))


def limited(client: Client) -> int:
    """Guess until it is over the limit; how often bcrypt ran."""
    return [users(client, f"{n}") for n in range(30)].count(401)


def users(client: Client, password: str) -> int:
    return client.get("/nope", headers=basic(USER, password)).status_code


def test_over_the_limit_no_password_is_checked(with_users: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    real = bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda *given: (checked.append(given), real(*given))[1])

    assert limited(with_users) == len(checked) == 10
    refused = with_users.get("/nope", headers=basic(USER, USER_PASSWORD))
    bad(refused, 429, "rate_limited")
    assert refused.headers["Retry-After"] == "60"
    with_users.time.now += 61
    assert users(with_users, USER_PASSWORD) == 404


def test_a_pair_that_was_right_always_passes(with_users: Client) -> None:
    assert users(with_users, USER_PASSWORD) == 404
    assert limited(with_users) == 10

    assert users(with_users, USER_PASSWORD) == 404
    assert users(with_users, "wrong") == 429


def test_a_pair_that_was_right_passes_in_every_worker(with_users: Client, tmp_path: Path) -> None:
    memory = shared(10, 0.0)
    workers = []
    for _ in range(2):
        web = web_config.load(tmp_path / "web.yaml")
        app = create_app(with_users.settings, web=web, clock=with_users.time.clock, memory=memory)
        workers.append(app.test_client())
    right = basic(USER, USER_PASSWORD)
    assert workers[0].get("/api/v1/nope", headers=right).status_code == 404
    for n in range(20):
        workers[0].get("/api/v1/nope", headers=basic(USER, f"{n}"))

    assert workers[1].get("/api/v1/nope", headers=right).status_code == 404
    assert workers[1].get("/api/v1/nope", headers=basic(USER, "wrong")).status_code == 429


def test_one_warning_says_that_it_is_open(caplog: pytest.LogCaptureFixture) -> None:
    warn_if_open(Settings(), None)
    warn_if_open(Settings.model_validate({"api": {"password": PASSWORD}}), None)

    assert [vars(record)["fields"]["auth_mode"] for record in caplog.records] == [AuthMode.DEV]
    assert caplog.records[0].levelno == logging.WARNING
    assert AuthMode.DEV == "dev_mode_no_auth"


def test_the_password_is_in_no_repr(locked: Client) -> None:
    assert PASSWORD not in repr(locked.settings)
    assert TOKEN not in repr(locked.app.extensions)
    assert Time().clock.wall() > 0
