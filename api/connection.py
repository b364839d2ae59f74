"""A client whose TLS and whose head of a request are read without waiting, and without a thread."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE
from socket import socket
from typing import Any

from gunicorn import sock
from gunicorn.http import errors as http
from gunicorn.http import get_parser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn

# Longer heads are refused; gunicorn's own limits are 4 kB for the line and 8 kB for each header.
HEAD_BYTES = 16 * 1024
# What gunicorn's parser waits for.
_END = b"\r\n\r\n"


class Connection(TConn):  # type: ignore[misc]
    """`head` is what was read of the next request, `drained` counts the bytes that were thrown away."""

    sock: socket
    parser: Any = None  # gunicorn's own

    def __init__(self, *arguments: Any, linger: Callable[[Connection], None]) -> None:
        super().__init__(*arguments)
        self._linger = linger
        self._shaken = not self.cfg.is_ssl
        self.data_ready = True  # whenever a thread gets it
        self.head = bytearray()
        self.drained = 0

    def wrap(self) -> None:
        """Begin with TLS, if it is spoken. Raises OSError where the client is gone."""
        if not self._shaken:
            self.sock = sock.ssl_wrap_socket(self.sock, self.cfg)

    def read_head(self) -> int:
        """Go on without waiting: 0 once the head is whole, else the events that the poller must wait for.

        Raises ParseException for a head over the limit, OSError where no more comes or TLS fails.
        """
        try:
            if not self._shaken:
                self.sock.do_handshake()  # type: ignore[attr-defined]
                self._shaken = True
            while _END not in self.head:
                self._read_more()
        except (BlockingIOError, ssl.SSLWantReadError):
            return EVENT_READ
        except ssl.SSLWantWriteError:
            return EVENT_WRITE
        return 0

    def _read_more(self) -> None:
        if len(self.head) >= HEAD_BYTES:
            if b"\r\n" not in self.head:
                raise http.LimitRequestLine(len(self.head), HEAD_BYTES)
            raise http.LimitRequestHeaders("the head is too long")
        found = self.sock.recv(HEAD_BYTES - len(self.head))
        if not found:
            raise http.NoMoreData(bytes(self.head))
        self.head += found

    def init(self) -> None:
        """In a thread, before each request: give the parser its head, for which it must not wait."""
        if self.parser is None:
            self.parser = get_parser(self.cfg, self.sock, self.client)
            self.parser.unreader = _Unreader(self.sock)
        self.initialized = True
        self.parser.unreader.unread(bytes(self.head))
        self.head.clear()
        self.sock.setblocking(False)

    def take_back(self) -> None:
        """After a request: what the parser holds beyond it begins the next one."""
        self.head += self.parser.unreader.take_buffered()

    def close(self, graceful: bool = False) -> None:
        """At once, or when the client has hung up."""
        if graceful:
            self._linger(self)
        else:
            super().close()


class _Unreader(SocketUnreader):  # type: ignore[misc]
    """Where it would have to wait for a head, there is none."""

    def chunk(self, size_hint: int | None = None) -> bytes:
        try:
            found: bytes = super().chunk(size_hint)
        except (BlockingIOError, ssl.SSLWantReadError):
            raise http.NoMoreData from None
        return found
