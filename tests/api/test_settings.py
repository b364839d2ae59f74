"""Settings over the API, and those that a file gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from clustersight.store import settings
from clustersight.store.secrets import SecretBox
from tests.api.answers import bad, good, meta, paths

if TYPE_CHECKING:
    from tests.api.conftest import Client

Clients = Callable[..., "Client"]

URL = "https://hooks.slack.com/services/T000/B000/secretsecretwxyz"
MASK = "https://hooks.slack.com/…/****wxyz"
DEFAULTS = {
    "slack_webhook_url": None,
    "collection_interval_sec": 30,
    "tier1_enabled": True,
    "tier2_enabled": True,
    "retention_raw_days": 7,
    "retention_hourly_days": 30,
    "retention_daily_days": 365,
}


def test_without_any_the_defaults_hold(client: Client) -> None:
    answer = client.get("/settings")

    assert good(answer) == DEFAULTS
    assert set(meta(answer)["origin"].values()) == {"default"}


def test_a_change_is_kept_and_says_where_it_comes_from(client: Client) -> None:
    changed = good(client.put("/settings", {"collection_interval_sec": 60, "tier2_enabled": False}))

    assert changed == DEFAULTS | {"collection_interval_sec": 60, "tier2_enabled": False}
    answer = client.get("/settings")
    assert good(answer) == changed
    assert meta(answer)["origin"]["collection_interval_sec"] == "api"


def test_the_webhook_is_encrypted_masked_kept_and_removed(client: Client) -> None:
    answer = client.put("/settings", {"slack_webhook_url": URL})
    assert good(answer)["slack_webhook_url"] == MASK
    assert "secretsecret" not in answer.text

    with client.store.database.read() as db:
        [token] = settings.read_encrypted(db).values()
    assert "secret" not in token
    assert client.store.secrets.decrypt(token) == URL

    good(client.put("/settings", {"slack_webhook_url": MASK, "tier1_enabled": False}))
    with client.store.database.read() as db:
        assert list(settings.read_encrypted(db).values()) == [token]

    assert good(client.put("/settings", {"slack_webhook_url": ""}))["slack_webhook_url"] is None
    with client.store.database.read() as db:
        assert settings.read_encrypted(db) == {}


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/services/x",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://localhost./x",
        "https://10.0.0.1/x",
        "https://[::1]/x",
        "https://169.254.169.254/latest/meta-data",
        "https://0x7f000001/x",
        "https://2130706433/x",
        "file:///etc/passwd",
        "nonsense",
        "https://hooks.slack.com:0/x",
        "https://hooks.slack.com/\n",
    ],
)
def test_a_webhook_that_is_private_or_none_is_refused(client: Client, url: str) -> None:
    error = bad(client.put("/settings", {"slack_webhook_url": url}), 422, "validation_error")

    assert paths(error) == {"slack_webhook_url"}
    assert good(client.get("/settings"))["slack_webhook_url"] is None


def test_private_webhooks_can_be_allowed(new_client: Clients) -> None:
    client = new_client(notify={"allow_private": True})

    shown = good(client.put("/settings", {"slack_webhook_url": "http://127.0.0.1:9/hook"}))

    assert shown["slack_webhook_url"] == "http://127.0.0.1/…/****"  # four of `hook` would be all of it


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("collection_interval_sec", 4),
        ("collection_interval_sec", 3601),
        ("collection_interval_sec", True),
        ("collection_interval_sec", 30.5),
        ("retention_raw_days", 91),
        ("retention_hourly_days", 401),
        ("retention_daily_days", 3651),
        ("tier1_enabled", 1),
        ("interval", 30),
    ],
)
def test_bounds_are_kept(client: Client, name: str, value: Any) -> None:
    error = bad(client.put("/settings", {name: value}), 422, "validation_error")

    assert paths(error) == {name}
    assert good(client.get("/settings")) == DEFAULTS


def test_what_the_file_gives_wins_and_is_not_changed(new_client: Clients) -> None:
    channel = {"name": "slack", "kind": "slack", "url": URL}
    client = new_client(collection={"interval_sec": 15}, notify={"channels": [channel]})

    answer = client.get("/settings")
    assert good(answer)["collection_interval_sec"] == 15
    assert good(answer)["slack_webhook_url"] == MASK
    assert meta(answer)["origin"]["collection_interval_sec"] == "file"
    assert meta(answer)["origin"]["slack_webhook_url"] == "file"

    bad(client.put("/settings", {"collection_interval_sec": 60}), 409, "conflict")
    bad(client.put("/settings", {"slack_webhook_url": URL + "2"}), 409, "conflict", "secretsecret")
    # To send back what was read changes nothing, and is no conflict.
    good(client.put("/settings", good(answer)))


def test_a_webhook_of_another_key_is_a_problem_and_can_be_set_anew(client: Client) -> None:
    foreign = SecretBox("another key, which is long enough for one").encrypt(URL)
    with client.store.database.begin() as db:
        settings.write(db, {}, {"slack_webhook_url": foreign}, 0.0)

    answer = client.get("/settings")
    assert good(answer)["slack_webhook_url"] is None
    assert "cannot be decrypted" in meta(answer)["problems"]["slack_webhook_url"]

    assert good(client.put("/settings", {"slack_webhook_url": URL}))["slack_webhook_url"] == MASK


def test_nothing_is_half_changed(new_client: Clients) -> None:
    client = new_client(collection={"interval_sec": 15})

    bad(client.put("/settings", {"tier2_enabled": False, "collection_interval_sec": 60}), 409, "conflict")

    assert good(client.get("/settings"))["tier2_enabled"] is True


def test_without_a_channel_nothing_can_be_sent(client: Client) -> None:
    bad(client.post("/settings/test-notification"), 422, "no_channel")
