"""The generic webhook: what a program of the user's gets."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from clustersight.notify.channel import Delivered
from clustersight.notify.destination import Patience
from clustersight.notify.notice import Form, Notice
from clustersight.notify.posting import Poster
from clustersight.notify.webhook import WebhookChannel
from tests.notify.messages import many, message, notice, resolved
from tests.servers import slack
from tests.servers.slack import Answer, SlackStub


@pytest.fixture
def stub() -> Iterator[SlackStub]:
    with SlackStub(validates=False) as server:
        yield server


@pytest.fixture
def channel(stub: SlackStub) -> WebhookChannel:
    patience = Patience(connect_seconds=2, read_seconds=0.4, whole_seconds=0.8)
    return WebhookChannel("ops", Poster(stub.url, {}, allow_private=True, patience=patience))


@pytest.mark.parametrize("answer", [Answer(200, "thanks"), Answer(201), Answer(204, ""), slack.DRIP])
def test_any_2xx_is_a_success(channel: WebhookChannel, stub: SlackStub, answer: Answer) -> None:
    stub.script(answer)
    assert channel.send(message()) == Delivered()


def test_the_whole_message_can_be_read_back(channel: WebhookChannel, stub: SlackStub) -> None:
    sent = message(notice(), resolved(untold=True, labels={"table": "x<!channel>"}), form=Form.GROUP)
    channel.send(sent)
    body = stub.received[0].body
    assert tuple(Notice.of_plain(one) for one in body["notices"]) == sent.notices
    assert (body["id"], body["form"], body["sent_at"]) == ("m-1", "group", sent.sent_at)
    assert body["links"] == {"grafana_url": "https://grafana.example", "api_url": "https://sight.example"}
    assert body["text"].startswith("[CRITICAL] MutationFailing on prod/ch-1 shop.orders: A mutation")


def test_every_try_has_the_same_key(channel: WebhookChannel, stub: SlackStub) -> None:
    stub.script(slack.ROLLUP_ERROR)
    channel.send(message())
    channel.send(message())
    channel.send(message(id="m-2"))
    assert [one.headers["Idempotency-Key"] for one in stub.received] == ["m-1", "m-1", "m-2"]


def test_plain_is_short(channel: WebhookChannel, stub: SlackStub) -> None:
    channel.send(message(*many(500), form=Form.DIGEST), plain=True)
    body = stub.received[0].body
    assert body.keys() == {"id", "form", "sent_at", "text"}
    assert len(body["text"]) <= 3000


def test_what_json_cannot_hold(channel: WebhookChannel, stub: SlackStub) -> None:
    odd = {"ratio": math.nan, "parts": (1, math.inf), "name": "\ud800x", 7: {"raw": b"\xff"}}
    sent = message(notice(value=math.nan, evidence=odd))
    assert channel.send(sent) == Delivered()
    assert b"NaN" not in stub.received[0].raw.replace(b"nan %", b"")
    told = stub.received[0].body["notices"][0]
    assert told["value"] is None
    assert told["evidence"] == {
        "ratio": None,
        "parts": [1, None],
        "name": "\ufffdx",
        "7": {"raw": "b'\\xff'"},
    }
