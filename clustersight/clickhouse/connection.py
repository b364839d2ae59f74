"""One connection to one ClickHouse server, over either protocol, behind one small contract."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

CLIENT_NAME = "clustersight"
# A TCP or TLS handshake within one data centre takes milliseconds; three seconds is a dead host.
CONNECT_TIMEOUT_SECONDS = 3
# What a port says for itself is asked only after a failure, and never holds anything up.
PEEK_TIMEOUT_SECONDS = 1


class Wire(StrEnum):
    """The protocol that is spoken to a server."""

    HTTP = "http"
    NATIVE = "native"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is and who we are there. The password never shows in a repr."""

    host: str
    port: int
    wire: Wire
    secure: bool = False
    username: str = "default"
    password: str = field(default="", repr=False)
    verify: bool = True
    ca_cert: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None

    @property
    def endpoint(self) -> str:
        """host:port, with brackets around an IPv6 address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Result:
    """What a query returned: column names, rows of plain Python values, and its cost."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    read_rows: int = 0


class Connection(Protocol):
    """The contract of native.py and http.py. Used by one thread at a time; a lock enforces it."""

    def query(
        self, sql: str, *, timeout_seconds: float, settings: Mapping[str, Any], query_id: str = ""
    ) -> Result:
        """Run one statement within the deadline. Raises ClickHouseError, and nothing else."""

    def close(self) -> None:
        """Release the socket; the next query opens another."""


class Deadline:
    """Cuts a blocking call off: a socket timeout restarts with each packet, this one does not."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False

    @contextmanager
    def aborting(self, abort: Any) -> Iterator[None]:
        """Call `abort()` from another thread if the block has not ended in time."""

        def expire() -> None:
            self.expired = True
            abort()

        timer = threading.Timer(max(0.001, self.seconds), expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def answers_http(address: Address) -> bool:
    """Whether plain HTTP is spoken there: the reason for a native or TLS handshake that hangs."""
    with suppress(OSError):
        place = (address.host, address.port)
        with socket.create_connection(place, timeout=PEEK_TIMEOUT_SECONDS) as sock:
            sock.sendall(b"GET /ping HTTP/1.0\r\n\r\n")
            answer = sock.recv(200)
            # The native port answers too, with advice to use the HTTP port.
            return answer.startswith(b"HTTP/") and b"clickhouse-client" not in answer
    return False


def plain(value: Any) -> Any:
    """Text is text, whatever bytes a table name has: ClickHouse does not require UTF-8."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value


def plain_rows(rows: Any) -> list[tuple[Any, ...]]:
    """Rows as tuples of plain values."""
    return [tuple(plain(value) for value in row) for row in rows]
