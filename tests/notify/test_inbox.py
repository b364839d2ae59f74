"""The demo's inbox shows what Slack would have shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from pydantic import SecretStr

from clustersight.demo.inbox import MOST_MESSAGES, Inbox
from clustersight.notify.channel import Delivered
from clustersight.notify.kinds import open_channel
from clustersight.notify.notice import Form
from clustersight.settings.notify import ChannelKind, ChannelSettings
from tests.notify.messages import many, message, notice, resolved


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as server:
        yield server


def page(inbox: Inbox) -> requests.Response:
    return requests.get(inbox.url, timeout=10)


def post(inbox: Inbox, data: bytes) -> int:
    return requests.post(inbox.webhook_url, data=data, timeout=10).status_code


def test_an_empty_inbox_says_so(inbox: Inbox) -> None:
    assert "Nothing yet" in page(inbox).text
    assert requests.get(f"{inbox.url}messages.json", timeout=10).json() == []


def test_it_shows_what_a_channel_sends(inbox: Inbox) -> None:
    settings = ChannelSettings(name="demo", kind=ChannelKind.SLACK, url=SecretStr(inbox.webhook_url))
    channel = open_channel(settings, allow_private=True)
    for told in (message(), message(*many(12), form=Form.GROUP), message(resolved())):
        assert channel.send(told) == Delivered()
        assert channel.send(told, plain=True) == Delivered()
    shown = page(inbox).text
    assert "<h2>[CRITICAL] MutationFailing</h2>" in shown
    assert "<b>Cluster:</b> <code>prod</code>" in shown
    assert "87.3 % &gt; 85 %" in shown
    assert "<pre>KILL MUTATION WHERE database = &#x27;shop&#x27;" in shown
    assert '<a rel="noreferrer" href="https://sight.example/api/v1/alerts/a-1">API</a>' in shown
    assert "border-color: #2eb67d" in shown
    # The newest first.
    assert shown.index("[RESOLVED]") < shown.index("<h2>[CRITICAL] MutationFailing</h2>")
    assert len(requests.get(f"{inbox.url}messages.json", timeout=10).json()) == 6


def test_nothing_that_was_sent_is_markup(inbox: Inbox) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
    settings = ChannelSettings(name="demo", kind=ChannelKind.SLACK, url=SecretStr(inbox.webhook_url))
    told = message(notice(rule_name=evil, summary=evil, fix=evil, runbook_url=f'https://x"{evil}', host=evil))
    open_channel(settings, allow_private=True).send(told)
    # Nor of those who do not escape as Slack wants it.
    raw = {
        "text": evil,
        "attachments": [{"color": 'red"><script>', "blocks": [{"type": evil, "text": evil}]}],
    }
    requests.post(inbox.webhook_url, json=raw, timeout=10)
    requests.post(inbox.webhook_url, json={"text": f'<https://x"{evil}|y> *{evil}* `{evil}`'}, timeout=10)
    found = page(inbox)
    assert found.text.count("alert(1)") >= 6
    assert "<script" not in found.text
    assert "<img" not in found.text
    assert 'red"' not in found.text
    policy = found.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"[]", b"{}", b'{"text": 1}', b"[" * 100_000, b'{"text": "' + b"x" * (1 << 20) + b'"}'],
)
def test_it_takes_what_slack_would(inbox: Inbox, data: bytes) -> None:
    assert post(inbox, data) == 400
    assert post(inbox, b'{"text": "x"}') == 200


@pytest.mark.parametrize(
    "data",
    [b'{"text": "\\ud800"}', b'{"text": "x", "blocks": 7, "attachments": [1, {"blocks": [[]]}]}'],
)
def test_odd_messages_are_shown_too(inbox: Inbox, data: bytes) -> None:
    assert post(inbox, data) == 200
    assert page(inbox).status_code == 200
    assert len(requests.get(f"{inbox.url}messages.json", timeout=10).json()) == 1


def test_it_keeps_the_last_ones(inbox: Inbox) -> None:
    for i in range(MOST_MESSAGES + 5):
        inbox.put({"text": f"number {i}."})
    found = requests.get(f"{inbox.url}messages.json", timeout=10).json()
    assert [found[0]["message"]["text"], found[-1]["message"]["text"]] == ["number 5.", "number 504."]


def test_other_pages_are_not_there(inbox: Inbox) -> None:
    assert requests.get(f"{inbox.url}other", timeout=10).status_code == 404


def test_a_stopped_inbox_answers_nobody() -> None:
    with Inbox() as stopped:
        url = stopped.url
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=2)
