"""Where the demo's messages arrive: takes what is meant for Slack, and shows it on a page.

For one machine: it listens on 127.0.0.1, asks for no password and forgets everything at its end.
"""

from __future__ import annotations

import html
import json
import re
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, cast
from urllib.parse import urlsplit

from clustersight.settings.listen import Listen

HOST = "127.0.0.1"
# Enough to look back over a long demo.
MOST_MESSAGES = 500
# Slack's own limit is far below.
MOST_BYTES = 1 << 20
REFRESH_SECONDS = 3
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ClusterSight demo: messages ({count})</title>
<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="{refresh}">
<style>body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 52rem; padding: 0 1rem }}
article {{ border-left: 5px solid #868e96; margin: 1rem 0; padding: .1rem 1rem; background: #f6f6f6 }}
h2 {{ font-size: 1.1rem; margin: .4rem 0 }} time {{ color: #666; font-size: .85rem }}
p {{ margin: .4rem 0; white-space: pre-wrap; overflow-wrap: anywhere }}
pre {{ background: #fff; padding: .5rem; overflow-x: auto; margin: .4rem 0 }}</style></head>
<body><h1>Messages of the demo</h1>
<p>What Slack would have shown, the newest first. For programs: <a href="/messages.json">messages.json</a></p>
{messages}
</body></html>
"""
_NOTHING = "<p>Nothing yet.</p>"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_FENCE = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)
# What the messages use of Slack's markup: a link, `code`, *bold*.
_MARKUP = re.compile(r"<(?P<url>https?://[^|>]+)\|(?P<name>[^>]*)>|`(?P<code>[^`]+)`|\*(?P<bold>[^*\n]+)\*")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message and when it came (UTC)."""

    at: datetime
    payload: Mapping[str, Any]


class Inbox:
    """Serves from start() to stop(), or within a `with` block; port 0 takes a free one.

    `on_letter` is told of each message, by the thread that took it.
    """

    def __init__(
        self, port: int = 0, host: str = HOST, on_letter: Callable[[Letter], None] = lambda _: None
    ) -> None:
        self._host = host
        self._on_letter = on_letter
        self._letters: deque[Letter] = deque(maxlen=MOST_MESSAGES)
        self._lock = threading.Lock()
        self._server = _server_class(host)((host, port), _Handler)
        self._server.inbox = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.1], daemon=True)

    @property
    def url(self) -> str:
        """The page."""
        return f"http://{Listen(self._host, self._server.server_port)}/"

    @property
    def webhook_url(self) -> str:
        """What to configure as the URL of a Slack channel."""
        return f"{self.url}services/demo"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def put(self, payload: Mapping[str, Any]) -> None:
        letter = Letter(datetime.now(UTC), payload)
        with self._lock:
            self._letters.append(letter)
        self._on_letter(letter)

    @property
    def letters(self) -> list[Letter]:
        """The newest last."""
        with self._lock:
            return list(self._letters)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    inbox: Inbox


class _ServerOfSix(_Server):
    address_family = socket.AF_INET6


def _server_class(host: str) -> type[_Server]:
    return _ServerOfSix if ":" in host else _Server


class _Handler(BaseHTTPRequestHandler):
    # A client that sends less than it promised does not keep its thread.
    timeout = 10.0

    @property
    def _inbox(self) -> Inbox:
        return cast("_Server", self.server).inbox

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the page shows it."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/":
            self._send(200, page(self._inbox.letters), "text/html; charset=utf-8")
        elif path == "/messages.json":
            self._send(200, _as_json(self._inbox.letters), "application/json")
        else:
            self._send(404, "there are / and /messages.json\n")

    def do_POST(self) -> None:
        payload = self._payload()
        if payload is None:
            self._send(400, "invalid_payload")
            return
        self._inbox.put(payload)
        self._send(200, "ok")

    def _payload(self) -> dict[str, Any] | None:
        """None for what Slack would not take either."""
        try:
            size = int(self.headers.get("Content-Length") or 0)
            payload = json.loads(self.rfile.read(size)) if 0 < size <= MOST_BYTES else None
        except (ValueError, RecursionError):
            return None
        is_message = isinstance(payload, dict) and isinstance(payload.get("text"), str)
        return payload if is_message else None

    def _send(self, status: int, text: str, content_type: str = "text/plain; charset=utf-8") -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def _as_json(letters: list[Letter]) -> str:
    return json.dumps(
        [{"received_at": letter.at.isoformat(), "message": letter.payload} for letter in letters]
    )


def page(letters: list[Letter]) -> str:
    """All of them as HTML."""
    shown = "\n".join(_article(letter) for letter in reversed(letters)) or _NOTHING
    return _PAGE.format(count=len(letters), refresh=REFRESH_SECONDS, messages=shown)


def _article(letter: Letter) -> str:
    colour = next((c for c in _values(letter.payload, "color") if _COLOUR.fullmatch(c)), "#868e96")
    told = "\n".join(_blocks(letter.payload)) or _markup(letter.payload["text"])
    when = f"<time>{letter.at:%H:%M:%S} UTC</time>"
    return f'<article style="border-color: {colour}">{when}\n{told}</article>'


def _blocks(payload: Mapping[str, Any]) -> Iterator[str]:
    """Headers as headings, everything else as text, in their order."""
    for block in (*_listed(payload, "blocks"), *_of_attachments(payload)):
        is_header = block.get("type") == "header"
        for text in _values(block, "text"):
            yield f"<h2>{_text(text)}</h2>" if is_header else _markup(text)


def _of_attachments(payload: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for attachment in _listed(payload, "attachments"):
        yield from _listed(attachment, "blocks")


def _listed(payload: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    found = payload.get(key)
    return (one for one in (found if isinstance(found, list) else []) if isinstance(one, dict))


def _values(value: Any, key: str) -> Iterator[str]:
    """All texts of that name, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get(key), str):
            yield value[key]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _values(one, key)


def _markup(text: str) -> str:
    """Slack's markup as HTML; code blocks between paragraphs."""
    parts = _FENCE.split(text)
    shown = [
        f"<pre>{_text(part)}</pre>" if number % 2 else f"<p>{_inline(part.strip())}</p>"
        for number, part in enumerate(parts)
        if part.strip()
    ]
    return "\n".join(shown)


def _inline(text: str) -> str:
    shown, end = "", 0
    for found in _MARKUP.finditer(text):
        shown += _text(text[end : found.start()]) + _marked(found)
        end = found.end()
    return shown + _text(text[end:])


def _marked(found: re.Match[str]) -> str:
    match found.lastgroup:
        case "code":
            return f"<code>{_text(found['code'])}</code>"
        case "bold":
            return f"<b>{_text(found['bold'])}</b>"
        case _:
            return f'<a rel="noreferrer" href="{_text(found["url"])}">{_text(found["name"])}</a>'


def _text(text: str) -> str:
    """Slack's three entities undone, and everything escaped for HTML."""
    return html.escape(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
