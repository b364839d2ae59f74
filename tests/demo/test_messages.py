"""A message as a line on the terminal, and who is told of it."""

from __future__ import annotations

import socket

import pytest
import requests

from clustersight.demo.headline import MOST_CHARACTERS, headline
from clustersight.demo.inbox import Inbox, Letter


def test_the_line_is_what_a_notification_shows() -> None:
    text = "[WARNING] MutationFailing on demo/ch1 demo.t: 1 &gt; 0 &amp;lt; &lt;!channel&gt;"
    assert headline({"text": text, "blocks": []}) == (
        "[WARNING] MutationFailing on demo/ch1 demo.t: 1 > 0 &lt; <!channel>"
    )


@pytest.mark.parametrize("payload", [{}, {"text": ""}])
def test_without_a_text_it_is_empty(payload: dict[str, str]) -> None:
    assert headline(payload) == ""


def test_nothing_in_it_moves_the_cursor_or_breaks_the_line() -> None:
    line = headline({"text": "a\x1b[2Jb\r\nc\u2028d\u202ee"})
    assert line == "a [2Jb  c d e"


def test_it_is_cut() -> None:
    line = headline({"text": "x" * 1000})
    assert (len(line), line[-2:]) == (MOST_CHARACTERS, "x…")


def test_whoever_listens_is_told_of_each_message_once() -> None:
    told: list[Letter] = []
    with Inbox(on_letter=told.append) as inbox:
        for text in ("one", "two"):
            assert requests.post(inbox.webhook_url, json={"text": text}, timeout=10).ok
        assert requests.post(inbox.webhook_url, json={"no": "text"}, timeout=10).status_code == 400
        assert told == inbox.letters
    assert [letter.payload["text"] for letter in told] == ["one", "two"]


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
def test_it_serves_over_ipv6_too() -> None:
    with Inbox(host="::1") as inbox:
        assert inbox.url.startswith("http://[::1]:")
        assert "Nothing yet" in requests.get(inbox.url, timeout=10).text
