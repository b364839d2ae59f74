"""Slack's incoming webhook, the only fake of the tests: it answers by a script, misbehaves on request,
refuses what Slack would refuse, and remembers what it got.

In a process: `python -m tests.servers.slack --port 0 --port-file FILE`; then POST /script and /default
(answers as JSON, the fields of Answer), POST /release, and GET /received.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import format_datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import urlsplit

# What no log, reason or repr may show.
SECRET = "XXXXsecretXXXXsecretXXXX"
PATH = f"/services/T0SECRET1/B0SECRET2/{SECRET}"
# bolt-js#2509: more is msg_blocks_too_long.
MESSAGE_SIZE = 13_200
DRIP_SECONDS = 0.05


class Fault(StrEnum):
    """What goes wrong instead of, or within, an answer."""

    HANG = "hang"  # no answer until release(), then the one that stands beside
    DROP = "drop"  # the request is read, and the connection closed
    DRIP = "drip"  # the head and the body, then an empty line now and then, for ever
    DRIP_HEAD = "drip_head"  # a header that does not end


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int = 200
    body: str = "ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None

    def quoting(self, url: str, header: str) -> Self:
        """With the request's secrets in the places that are marked, as careless receivers quote them."""
        path = url.partition(f"{urlsplit(url).netloc}")[2]
        told = {"url": url, "path": path, "header": header, "secret": SECRET}
        told["lower"] = url.lower()
        told["escaped"] = url.replace("/", "\\/")
        headers = {name.format(**told): value.format(**told) for name, value in self.headers.items()}
        return replace(self, body=self.body.format(**told), headers=headers)

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Self:
        fault = plain.get("fault")
        return cls(**{**plain, "fault": Fault(fault) if fault else None})


def rate_limited(retry_after: float | datetime | None) -> Answer:
    """429, with Retry-After in seconds, as a date, or not at all."""
    if retry_after is None:
        return Answer(429, "rate_limited")
    if isinstance(retry_after, datetime):
        return Answer(429, "rate_limited", {"Retry-After": format_datetime(retry_after, usegmt=True)})
    return Answer(429, "rate_limited", {"Retry-After": f"{retry_after:g}"})


OK = Answer()
ROLLUP_ERROR = Answer(500, "rollup_error")
NO_SERVICE = Answer(404, "no_service")
INVALID_PAYLOAD = Answer(400, "invalid_payload")
HANG, DROP, DRIP, DRIP_HEAD = (Answer(fault=fault) for fault in Fault)


def not_ok(error: str) -> Answer:
    """As the Web API says it: 200 with an error."""
    return Answer(200, json.dumps({"ok": False, "error": error}), {"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True)
class Received:
    """One request. `body` is its JSON, None if it was none; `status` None: it got no answer."""

    monotonic: float
    wall: float
    path: str
    headers: Mapping[str, str]
    raw: bytes
    body: Any
    status: int | None
    problem: str = ""

    @property
    def is_delivered(self) -> bool:
        return self.status == 200 and not self.problem


class SlackStub:
    """A server on a free port of 127.0.0.1 within a `with` block.

    It takes the next answer of the script, and `default` after the last. With `validates` a payload that
    Slack would not take is answered 400, whatever the script says.
    """

    def __init__(self, *answers: Answer, default: Answer = OK, validates: bool = True, port: int = 0) -> None:
        self.default, self.validates = default, validates
        self._script = deque(answers)
        self._received: list[Received] = []
        self._changed = threading.Condition()
        self._released = threading.Event()
        self.stopped = threading.Event()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.stub = self
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True)

    @property
    def url(self) -> str:
        """With the secret, as Slack gives it out."""
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def received(self) -> list[Received]:
        """All requests so far, in their order."""
        with self._changed:
            return list(self._received)

    @property
    def delivered(self) -> list[Any]:
        """The bodies that were taken."""
        return [one.body for one in self.received if one.is_delivered]

    def script(self, *answers: Answer) -> None:
        """The next answers, in place of those that are left."""
        with self._changed:
            self._script = deque(answers)
            self._released.clear()

    def release(self) -> None:
        """Let hanging requests have their answers."""
        self._released.set()

    def wait_for(self, condition: Callable[[list[Received]], object], timeout_seconds: float = 10.0) -> None:
        """Wait until the requests are so; fails with what there is."""
        with self._changed:
            done = self._changed.wait_for(lambda: condition(self._received), timeout_seconds)
            assert done, f"after {timeout_seconds} s: {[(r.status, r.body) for r in self._received]}"

    def serve_tls(self, certificate: Path, key: Path) -> None:
        """From the next connection on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # Not in the thread that accepts: a client that gives up would end it.
        self._server.tls = context

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stopped.set()
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, path: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        """Remember a request and choose its answer."""
        body = _parsed(raw)
        problem = problem_of(body) if self.validates else ""
        with self._changed:
            answer = self._script.popleft() if self._script else self.default
            if problem and not answer.fault and answer.status == 200:
                answer = Answer(400, problem)
            status = None if answer.fault else answer.status
            told = problem or ("" if answer.body == "ok" or status != 200 else answer.body)
            one = Received(time.monotonic(), time.time(), path, headers, raw, body, status, told)
            self._received.append(one)
            self._changed.notify_all()
        return answer

    def hang(self) -> None:
        self._released.wait()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    stub: SlackStub
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what many tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _stub(self) -> SlackStub:
        return cast("_Server", self.server).stub

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        # A redirect that is followed comes here as a GET.
        if self.path != "/received":
            self._stub.take(self.path, dict(self.headers.items()), b"")
        told = [dataclasses.asdict(one) | {"raw": None} for one in self._stub.received]
        self._send(200, json.dumps(told), {"Content-Type": "application/json"})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path in {"/script", "/default", "/release"}:
            self._control(raw)
            return
        answer = self._stub.take(self.path, dict(self.headers.items()), raw)
        match answer.fault:
            case Fault.DROP:
                self.close_connection = True
            case Fault.DRIP:
                self._drip(b"HTTP/1.1 200 OK\r\n\r\n" + answer.body.encode(), b"\n")
            case Fault.DRIP_HEAD:
                self._drip(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x")
            case Fault.HANG:
                self._stub.hang()
                self._send(answer.status, answer.body, answer.headers)
            case None:
                self._send(answer.status, answer.body, answer.headers)

    def _control(self, raw: bytes) -> None:
        if self.path == "/script":
            self._stub.script(*map(Answer.of_plain, json.loads(raw)))
        elif self.path == "/default":
            self._stub.default = Answer.of_plain(json.loads(raw))
        else:
            self._stub.release()
        self._send(200, "ok", {})

    def _drip(self, beginning: bytes, drop: bytes) -> None:
        self.close_connection = True
        self.wfile.write(beginning)
        while not self._stub.stopped.wait(DRIP_SECONDS):
            self.wfile.write(drop)

    def _send(self, status: int, body: str, headers: Mapping[str, str]) -> None:
        data = body.encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def problem_of(payload: Any) -> str:
    """What Slack would answer to a payload; empty for one that it takes."""
    if not isinstance(payload, dict):
        return "invalid_payload"
    if not isinstance(payload.get("text"), str) or not payload["text"].strip():
        return "no_text"
    attachments = payload.get("attachments", [])
    blocks = [*payload.get("blocks", []), *(b for a in attachments for b in a.get("blocks", []))]
    found = list(texts(payload))
    if len(attachments) > 100:
        return "too_many_attachments"
    if sum(map(units, found)) > MESSAGE_SIZE:
        return "msg_blocks_too_long"
    if len(blocks) > 50 or not all(map(_is_valid, blocks)):
        return "invalid_blocks"
    if any(re.search(r"<[!@#]", text) for text in found):
        return "invalid_payload"  # Slack would take it, and page everybody
    return ""


def texts(payload: Any) -> list[str]:
    """All texts of a payload: that of the message, then those of its blocks."""
    if isinstance(payload, list):
        return [text for one in payload for text in texts(one)]
    if not isinstance(payload, dict):
        return []
    own = [payload["text"]] if isinstance(payload.get("text"), str) else []
    return own + [text for value in payload.values() for text in texts(value)]


def units(text: str) -> int:
    """The length as JavaScript counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _is_valid(block: Mapping[str, Any]) -> bool:
    match block.get("type"):
        case "header":
            return block["text"]["type"] == "plain_text" and 1 <= units(block["text"]["text"]) <= 150
        case "section":
            fields = block.get("fields", [])
            is_short = all(units(one["text"]) <= 2000 for one in fields) and len(fields) <= 10
            return is_short and 1 <= units(block["text"]["text"]) <= 3000
        case "context":
            return 1 <= len(block["elements"]) <= 10 and all(e["text"] for e in block["elements"])
        case kind:
            return kind == "divider"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file", type=Path)
    parser.add_argument("--no-validation", action="store_true")
    options = parser.parse_args()
    with SlackStub(validates=not options.no_validation, port=options.port) as stub:
        print(stub.url, flush=True)
        if options.port_file:
            draft = options.port_file.with_suffix(".draft")
            draft.write_text(f"{stub.port}\n")
            draft.replace(options.port_file)
        threading.Event().wait()


if __name__ == "__main__":
    main()
