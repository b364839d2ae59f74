"""Messages that somebody asks for: in the outbox at once, and waited for until the alerter has sent them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api.alerts import delivery
from clustersight.settings.notify import Severity
from clustersight.store import channels, outbox
from clustersight.store import settings as stored_settings
from clustersight.store.channels import ChannelState
from clustersight.store.outbox import StoredRow
from clustersight.store.secrets import SecretBox
from clustersight.times import iso
from tests.alerter.harness import Harness, TestClock, disk, one_rule, slack
from tests.api.alerting import DISK, events, fired, lead
from tests.api.answers import bad, good
from tests.servers.slack import NO_SERVICE, SlackStub

if TYPE_CHECKING:
    from tests.api.conftest import Client

Clients = Callable[..., "Client"]
TEST = "/settings/test-notification"
URL = "https://hooks.slack.com/services/T000/B000/secretsecretwxyz"
NOBODY = "no alerter is running"


def channel(name: str = "slack", **match: Any) -> dict[str, Any]:
    return {"name": name, "kind": "slack", "url": URL, "match": match}


@pytest.fixture
def one(new_client: Clients) -> Client:
    """With one channel."""
    return new_client(notify={"channels": [channel()]})


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits gives up soon."""
    monkeypatch.setattr(delivery, "WAIT_SECONDS", 0.3)


def rows(client: Client) -> list[StoredRow]:
    with client.store.database.read() as db:
        return outbox.every(db)


Ending = Callable[[Any, list[int], float], None]


class Sender(threading.Thread):
    """Ends each row as the alerter's does."""

    def __init__(self, client: Client, end: Ending) -> None:
        super().__init__(daemon=True)
        self._client, self._end = client, end
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.05):
            waiting = [row.id for row in rows(self._client) if row.state == outbox.PENDING]
            if waiting:
                with self._client.store.database.begin() as db:
                    self._end(db, waiting, self._client.time.now)


@pytest.fixture
def sending() -> Iterator[Callable[[Client, Ending], None]]:
    """A function that starts a sender."""
    started: list[Sender] = []

    def start(client: Client, end: Ending) -> None:
        started.append(Sender(client, end))
        started[-1].start()

    yield start
    for sender in started:
        sender.stopped.set()
        sender.join()


def deliver(db: Any, ids: list[int], now: float) -> None:
    outbox.delivered(db, ids, now)


def refuse(db: Any, ids: list[int], now: float) -> None:
    outbox.dead(db, ids, "HTTP 404: no_service", now)


def test_an_escalation_that_is_delivered_answers_the_alert(
    one: Client, sending: Callable[[Client, Ending], None]
) -> None:
    sending(one, deliver)
    alert_id = fired(one)

    shown = good(one.post(f"/alerts/{alert_id}/escalate"))

    assert (shown["id"], shown["status"]) == (alert_id, "active")
    assert shown["escalated_at"] == iso(one.time.now)
    [row] = rows(one)
    assert (row.channel, row.kind, row.alert_id, row.severity) == ("slack", "escalated", alert_id, "critical")
    assert row.message["summary"] == "Disk default is at 91%"
    assert (row.message["kind"], row.message["unit"]) == ("escalated", "%")
    assert events(one, alert_id)[1:] == [("escalated", {"channels": ["slack"]})]
    [delivered] = good(one.get(f"/alerts/{alert_id}"))["deliveries"]
    assert delivered["state"] == "delivered"


def test_an_acknowledged_alert_can_be_escalated(
    one: Client, sending: Callable[[Client, Ending], None]
) -> None:
    sending(one, deliver)
    alert_id = fired(one)
    good(one.post(f"/alerts/{alert_id}/acknowledge"))

    assert good(one.post(f"/alerts/{alert_id}/escalate"))["status"] == "acknowledged"


@pytest.mark.parametrize("what", ["escalate", "test"])
def test_what_the_receiver_refuses_is_said(
    one: Client, sending: Callable[[Client, Ending], None], what: str
) -> None:
    sending(one, refuse)
    path = TEST if what == "test" else f"/alerts/{fired(one)}/escalate"

    error = bad(one.post(path), 502, "delivery_failed", "secretsecret")

    assert "slack: HTTP 404: no_service" in error["message"]


@pytest.mark.usefixtures("impatient")
def test_what_nobody_sends_waits_in_the_outbox(one: Client) -> None:
    alert_id = fired(one)

    assert good(one.post(f"/alerts/{alert_id}/escalate"), 202) == {"state": "pending", "reason": NOBODY}
    assert good(one.post(TEST), 202) == {"sent": False, "state": "pending", "reason": NOBODY}

    assert [row.state for row in rows(one)] == ["pending", "pending"]
    assert good(one.get(f"/alerts/{alert_id}"))["escalated_at"]


@pytest.mark.usefixtures("impatient")
def test_what_it_waits_for_is_said(one: Client) -> None:
    lead(one)
    path = f"/alerts/{fired(one)}/escalate"

    def reason() -> str:
        return str(good(one.post(path), 202)["reason"])

    assert reason() == "slack: it waits for its turn"

    until = one.time.now + 60
    with one.store.database.begin() as db:
        channels.put(db, ChannelState("slack", "paused", one.time.now, until, "HTTP 429: rate_limited"))
    assert reason() == f"slack: the channel is paused until {iso(until)} (HTTP 429: rate_limited)"

    with one.store.database.begin() as db:
        channels.put(db, ChannelState("slack", "unhealthy", one.time.now, last_error="HTTP 403"))
    assert reason() == "slack: the channel is unhealthy (HTTP 403)"


@pytest.mark.usefixtures("impatient")
def test_a_failed_try_is_the_reason(one: Client, sending: Callable[[Client, Ending], None]) -> None:
    lead(one)
    sending(
        one, lambda db, ids, now: outbox.failed(db, dict.fromkeys(ids, now + 9), "HTTP 500: rollup_error")
    )

    answer = one.post(f"/alerts/{fired(one)}/escalate")

    assert good(answer, 202)["reason"] == "slack: HTTP 500: rollup_error"


def test_without_a_channel_nothing_can_be_sent(new_client: Clients) -> None:
    client = new_client(notify={"channels": [channel() | {"url": None}]})
    alert_id = fired(client)

    bad(client.post(TEST), 422, "no_channel")
    bad(client.post(f"/alerts/{alert_id}/escalate"), 422, "no_channel")

    assert rows(client) == []
    assert good(client.get(f"/alerts/{alert_id}"))["escalated_at"] is None
    assert len(events(client, alert_id)) == 1


@pytest.mark.usefixtures("impatient")
def test_the_channels_that_take_an_alert_get_it_and_without_any_all_do(new_client: Clients) -> None:
    matching = [channel("mild", severity=["warning"]), channel("team", labels={"team": "data"})]
    client = new_client(notify={"channels": [*matching, channel("off") | {"url": None}]})

    def asked(rule: Any) -> list[str]:
        alert_id = fired(client, rule)
        good(client.post(f"/alerts/{alert_id}/escalate"), 202)
        return [row.channel for row in rows(client) if row.alert_id == alert_id]

    assert asked(DISK) == ["team"]
    assert asked(replace(DISK, name="Both", severity=Severity.WARNING)) == ["mild", "team"]
    assert asked(replace(DISK, name="None", labels={})) == ["mild", "team"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("names", "asked"), [(["other", "slack"], ["slack"]), (["other", "third"], ["other", "third"])]
)
def test_a_test_goes_to_slack_or_to_all(new_client: Clients, names: list[str], asked: list[str]) -> None:
    client = new_client(notify={"channels": [channel(name) for name in names]})

    good(client.post(TEST), 202)

    found = rows(client)
    assert [row.channel for row in found] == asked
    assert {(row.kind, row.alert_id) for row in found} == {("test", None)}
    assert {row.message["summary"] for row in found} == {"Test notification from ClusterSight"}


@pytest.mark.usefixtures("impatient")
def test_the_url_that_is_set_over_the_api_is_a_channel(client: Client) -> None:
    bad(client.post(TEST), 422, "no_channel")
    good(client.put("/settings", {"slack_webhook_url": URL}))

    good(client.post(TEST), 202)
    assert [row.channel for row in rows(client)] == ["slack"]

    good(client.put("/settings", {"slack_webhook_url": ""}))
    bad(client.post(TEST), 422, "no_channel")


def test_a_test_that_arrives_was_sent(one: Client, sending: Callable[[Client, Ending], None]) -> None:
    sending(one, deliver)

    assert good(one.post(TEST)) == {"sent": True}


def test_an_answer_comes_as_soon_as_the_message_has_ended(
    one: Client, monkeypatch: pytest.MonkeyPatch, sending: Callable[[Client, Ending], None]
) -> None:
    monkeypatch.setattr(delivery, "WAIT_SECONDS", 300.0)
    sending(one, deliver)

    began = time.monotonic()
    good(one.post(TEST))
    assert time.monotonic() - began < 60


def test_who_waits_holds_up_nobody_and_not_too_many_wait(
    one: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "WAIT_SECONDS", 300.0)
    monkeypatch.setattr(delivery, "MOST_WAITING", 2)
    answers: list[Any] = []

    def ask() -> None:
        answers.append(good(one.app.test_client().post(f"/api/v1{TEST}")))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(rows(one)) < 2:
        time.sleep(0.02)

    # A writer is not kept out by who waits, and the third is told at once.
    good(one.put("/settings", {"tier2_enabled": False}))
    assert good(one.post(TEST), 202)["reason"] == NOBODY

    with one.store.database.begin() as db:
        outbox.delivered(db, [row.id for row in rows(one)], one.time.now)
    for thread in threads:
        thread.join()
    assert answers == [{"sent": True}] * 2


# The real alerter.


@pytest.fixture
def stub() -> Iterator[SlackStub]:
    with SlackStub() as running:
        yield running


def both(new_client: Clients, stub: SlackStub, folder: Path) -> tuple[Client, Harness]:
    """An API and an alerter on one store, with the same channel."""
    plain = {"name": "slack", "kind": "slack", "url": stub.url, "match": {"severity": ["warning"]}}
    client = new_client(notify={"allow_private": True, "channels": [plain]})
    clock = TestClock(wall=client.time.now)
    mine = slack(stub, match={"severity": ["warning"]})
    # What fires goes nowhere: what arrives was asked for.
    rules = one_rule(severity="critical")
    return client, Harness(folder, client.store.database, rules, channels=(mine,), clock=clock)


def test_the_alerter_sends_what_was_asked_for(new_client: Clients, stub: SlackStub, tmp_path: Path) -> None:
    client, harness = both(new_client, stub, tmp_path)
    try:
        harness.cluster()
        harness.tick(disk(("default", 90.0)))
        [alert] = good(client.get("/alerts"))
        assert (alert["delivery"], alert["channels"]) == ("none", [])

        assert good(client.post(f"/alerts/{alert['id']}/escalate"))["escalated_at"]
        assert good(client.post(TEST)) == {"sent": True}
    finally:
        harness.stop()

    texts = [str(one.body) for one in stub.received]
    assert ["Disk default is at 90%" in text for text in texts] == [True, False]
    assert "Test notification from ClusterSight" in texts[1]


def test_what_slack_refuses_is_said_and_not_its_url(
    new_client: Clients, stub: SlackStub, tmp_path: Path
) -> None:
    client, harness = both(new_client, stub, tmp_path)
    stub.default = NO_SERVICE
    try:
        harness.cluster()
        harness.tick(disk(("default", 90.0)))
        error = bad(client.post(TEST), 502, "delivery_failed", stub.url, "T0SECRET1")
        harness.tick(disk(("default", 90.0)))
        [shown] = good(client.get("/channels"))
    finally:
        harness.stop()

    assert "404" in error["message"]
    assert shown["state"] == "unhealthy"
    assert "404" in shown["last_error"]


def test_what_people_do_reaches_the_alerter_at_its_next_look(
    new_client: Clients, stub: SlackStub, tmp_path: Path
) -> None:
    client, harness = both(new_client, stub, tmp_path)
    try:
        harness.cluster()
        harness.tick(disk(("default", 90.0)))
        [alert] = good(client.get("/alerts"))
        snoozed = good(client.post(f"/alerts/{alert['id']}/snooze", {"duration_minutes": 60}))
        harness.working.tick()  # no interval has passed
        found = good(client.get(f"/alerts/{alert['id']}"))
        assert found["silenced_by"] == snoozed["silence_id"]

        good(client.delete(f"/silences/{snoozed['silence_id']}"))
        harness.working.tick()
        assert good(client.get(f"/alerts/{alert['id']}"))["silenced_by"] is None
    finally:
        harness.stop()


# GET /channels.


def test_channels_are_shown_without_their_urls(new_client: Clients) -> None:
    shown = channel(severity=["critical"], cluster=["prod"], labels={"team": "data"})
    client = new_client(notify={"channels": [shown, channel("off") | {"url": None}, channel("new")]})
    now = client.time.now
    with client.store.database.begin() as db:
        channels.put(db, ChannelState("slack", "paused", now, now + 60, "HTTP 429", now - 60))
        channels.put(db, ChannelState("off", "healthy", now))

    answer = client.get("/channels")

    assert "secretsecret" not in answer.text
    assert "hooks.slack.com" not in answer.text
    first, off, new = good(answer)
    assert first == {
        "name": "slack",
        "kind": "slack",
        "state": "paused",
        "since": iso(now),
        "paused_until": iso(now + 60),
        "last_error": "HTTP 429",
        "last_delivered_at": iso(now - 60),
        "match": {"severity": ["critical"], "cluster": ["prod"], "labels": {"team": "data"}},
    }
    assert (off["name"], off["state"], off["since"]) == ("off", "off", None)
    assert (new["name"], new["state"], new["since"]) == ("new", "unused", None)


def test_a_webhook_that_cannot_be_read_is_a_channel_that_is_off(client: Client) -> None:
    foreign = SecretBox("another key, which is long enough for one").encrypt(URL)
    with client.store.database.begin() as db:
        stored_settings.write(db, {}, {"slack_webhook_url": foreign}, 0.0)

    [shown] = good(client.get("/channels"))

    assert (shown["name"], shown["state"]) == ("slack", "off")
    assert "cannot be decrypted" in shown["last_error"]
    bad(client.post(TEST), 422, "no_channel")
