"""PostgreSQL's wire protocol in front of a ClickHouse over HTTP: as much of it as lib/pq needs.

Debian builds its sql_exporter with the drivers of PostgreSQL, MySQL and SQL Server only, while neither the
embedded ClickHouse nor 18.16 speaks one of these. The bridge's own time is measured, and left out.
"""

from __future__ import annotations

import contextlib
import json
import socketserver
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any, cast
from urllib.parse import urlencode

TEXT, FLOAT8, INT8 = 25, 701, 20
READY = b"Z\0\0\0\5I"


@dataclass(slots=True)
class Traffic:
    """What went over the bridge; seconds of the monotonic clock."""

    first_asked: float = 0.0
    last_answered: float = 0.0
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    own_seconds: float = 0.0

    @property
    def milliseconds(self) -> float:
        """From the first question to the last answer, without the bridge's own work."""
        return 1000 * (self.last_answered - self.first_asked - self.own_seconds)


class Bridge(socketserver.ThreadingTCPServer):
    """Listens on a free port of 127.0.0.1 within a `with serving()` block."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, clickhouse_port: int, log_comment: str) -> None:
        super().__init__(("127.0.0.1", 0), _Client)
        self.clickhouse_port = clickhouse_port
        self.parameters = urlencode({"default_format": "JSONCompact", "log_comment": log_comment})
        self.traffic = Traffic()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @contextlib.contextmanager
    def serving(self) -> Iterator[Bridge]:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()


class _Client(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self._stream = self.request.makefile("rwb")
        self._bridge = cast("Bridge", self.server)
        self._clickhouse = HTTPConnection("127.0.0.1", self._bridge.clickhouse_port, timeout=60)
        with contextlib.suppress(ConnectionError, EOFError), contextlib.closing(self._clickhouse):
            self._greet()
            while (kind := self._stream.read(1)) not in (b"", b"X"):
                body = self._packet()
                if kind == b"Q":
                    self._query(body.rstrip(b"\0").decode())

    def _greet(self) -> None:
        self._packet()
        ok, version = message(b"R", b"\0\0\0\0"), message(b"S", b"server_version\0" + b"14.0\0")
        self._send(ok + version + READY)

    def _packet(self) -> bytes:
        return self._read(struct.unpack("!i", self._read(4))[0] - 4)

    def _read(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) < count:
            raise EOFError
        return cast("bytes", data)

    def _send(self, data: bytes) -> None:
        self._stream.write(data)
        self._stream.flush()

    def _query(self, sql: str) -> None:
        if not sql.strip("; "):  # the driver's ping
            self._send(message(b"I", b"") + READY)
            return
        traffic = self._bridge.traffic
        asked = time.monotonic()
        traffic.first_asked = traffic.first_asked or asked
        status, body, seconds = self._ask(sql)
        if status == 200:
            answer = json.loads(body)
            self._send(result(answer["meta"], answer["data"]))
        else:
            traffic.failures.append(body.decode(errors="replace"))
            fields = b"SERROR\0CXX000\0M" + body.replace(b"\0", b"") + b"\0\0"
            self._send(message(b"E", fields) + READY)
        traffic.last_answered = time.monotonic()
        traffic.own_seconds += traffic.last_answered - asked - seconds
        traffic.answered += 1

    def _ask(self, sql: str) -> tuple[int, bytes, float]:
        began = time.monotonic()
        self._clickhouse.request("POST", f"/?{self._bridge.parameters}", sql.encode())
        answer = self._clickhouse.getresponse()
        body = answer.read()
        return answer.status, body, time.monotonic() - began


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def result(columns: list[dict[str, str]], rows: Iterable[list[Any]]) -> bytes:
    """Description, rows, completion."""
    described = b"".join(_described(column["name"], column["type"]) for column in columns)
    sent = [message(b"D", struct.pack("!h", len(row)) + b"".join(map(_value, row))) for row in rows]
    head = message(b"T", struct.pack("!h", len(columns)) + described)
    return head + b"".join(sent) + message(b"C", f"SELECT {len(sent)}".encode() + b"\0") + READY


def _described(name: str, kind: str) -> bytes:
    oid = INT8 if "Int" in kind else FLOAT8 if "Float" in kind else TEXT
    return name.encode() + b"\0" + struct.pack("!ihihih", 0, 0, oid, -1, -1, 0)


def _value(value: Any) -> bytes:
    if value is None:
        return struct.pack("!i", -1)
    data = str(value).encode()
    return struct.pack("!i", len(data)) + data
