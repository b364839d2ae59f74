"""A gunicorn worker of threads that no slow client holds up, and whose errors have our form.

gunicorn's own gives a thread to each new connection before it has sent anything, waits without an end for
the rest of a head, lingers over a close in the loop that accepts, and answers broken HTTP with HTML.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from socket import SHUT_RDWR, SHUT_WR, socket
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from gunicorn.http import errors as http
from gunicorn.workers.gthread import ThreadWorker

from api.body import READ
from api.connection import Connection
from api.envelope import JSON, error_body
from api.errors import ApiError, BadRequest, Internal
from clustersight.logs import event

log = logging.getLogger("api")

# A request's head comes in one packet, a body of 1 MiB in a few; who takes longer is gone.
HEAD_SECONDS = 5.0
BODY_SECONDS = 10.0
# The longest answers wait 10 s for a server or for a delivery; a client reads at once.
REQUEST_SECONDS = 60.0
# What is left of a body that nobody read is thrown away if it is here already; else we hang up.
DRAIN_SECONDS = 0.05
# A client that still sends must be let finish, or it would not see the answer.
LINGER_SECONDS = 2.0
LINGER_BYTES = 4 * 1024 * 1024

_STATUS: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (http.LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG),
    (http.LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    (http.UnsupportedTransferCoding, HTTPStatus.NOT_IMPLEMENTED),
    (http.ExpectationFailed, HTTPStatus.EXPECTATION_FAILED),
)


@dataclass(slots=True)
class Reading:
    """A connection that a thread works on, and when (monotonic seconds) it must have come further."""

    connection: Connection
    until: float


class Worker(ThreadWorker):  # type: ignore[misc]
    """Threads, and a loop that waits for clients in their stead."""

    wsgi: WSGIApplication

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._readings: dict[int, Reading] = {}
        self._lingering: deque[tuple[float, Connection]] = deque()

    def accept(self, listener: Any) -> None:
        """Take a connection; it gets a thread once the head of a request is there."""
        with suppress(BlockingIOError, ConnectionAbortedError):
            client, address = listener.accept()
            connection = Connection(self.cfg, client, address, listener.getsockname(), linger=self._linger)
            try:
                connection.wrap()
            except OSError:  # it has hung up already
                connection.close()
                return
            self.nr_conns += 1
            connection.timeout = time.monotonic() + HEAD_SECONDS
            self.pending_conns.append(connection)
            ready = partial(self.on_pending_socket_readable, connection)
            self.poller.register(connection.sock, EVENT_READ, ready)

    def on_pending_socket_readable(self, conn: Connection, client: socket) -> None:
        if self._has_head(conn, self.pending_conns):
            super().on_pending_socket_readable(conn, client)

    def on_client_socket_readable(self, conn: Connection, client: socket) -> None:
        if self._has_head(conn, self.keepalived_conns):
            super().on_client_socket_readable(conn, client)

    def _has_head(self, conn: Connection, waiting: deque[Connection]) -> bool:
        """Whether a thread can go on without waiting. If not, the poller waits, or the client is done."""
        try:
            events = conn.read_head()
        except (OSError, http.ParseException) as error:
            waiting.remove(conn)
            self._end(conn, error)
            return False
        key = self.poller.get_key(conn.sock)
        if events not in (0, key.events):
            self.poller.modify(conn.sock, events, key.data)
        return not events

    def _end(self, conn: Connection, error: Exception) -> None:
        """Forget a client that waited, with an answer where it sent something wrong."""
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        if isinstance(error, ssl.SSLError | http.ParseException):
            self.handle_error(None, conn.sock, conn.client, error)
        conn.close(graceful=True)

    def finish_request(self, conn: Connection, fs: Future[Any]) -> None:
        """In the loop, after the thread. What came of the next request waits here as well."""
        kept = not fs.cancelled() and not fs.exception() and fs.result()
        if kept:
            conn.take_back()
        super().finish_request(conn, fs)
        if kept and conn.sock.fileno() >= 0:
            self.on_client_socket_readable(conn, conn.sock)

    def handle(self, conn: Connection) -> Any:
        """One request, in a thread of its own."""
        me = threading.get_ident()
        self._readings[me] = Reading(conn, time.monotonic() + HEAD_SECONDS)
        try:
            return super().handle(conn)
        finally:
            del self._readings[me]

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """The head is there; the body may take some time."""
        has_body = any(name in ("CONTENT-LENGTH", "TRANSFER-ENCODING") for name, _ in req.headers)
        self._allow(BODY_SECONDS if has_body else REQUEST_SECONDS)
        conn.sock.setblocking(True)
        return super().handle_request(req, conn)

    def load_wsgi(self) -> None:
        super().load_wsgi()
        app = self.wsgi

        def wsgi(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            environ[READ] = self._body_read
            return app(environ, start_response)

        self.wsgi = wsgi

    def _body_read(self) -> None:
        self._allow(REQUEST_SECONDS)

    def _allow(self, seconds: float) -> None:
        self._readings[threading.get_ident()].until = time.monotonic() + seconds

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        return keepalive and bool(conn.parser.finish_body(deadline=time.monotonic() + DRAIN_SECONDS))

    def _linger(self, conn: Connection) -> None:
        """Say that nothing more comes, and close when the client does, or soon."""
        with suppress(OSError, ValueError):  # it may be closed already
            conn.sock.shutdown(SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, EVENT_READ, partial(self._drain, conn))
            self._lingering.append((time.monotonic() + LINGER_SECONDS, conn))
            return
        conn.close()

    def _drain(self, conn: Connection, client: socket) -> None:
        with suppress(BlockingIOError):
            try:
                found = len(client.recv(65536))
            except OSError as error:
                if isinstance(error, BlockingIOError):
                    raise
                found = 0
            conn.drained += found
            if not found or conn.drained > LINGER_BYTES:
                self._hang_up(conn)

    def _hang_up(self, conn: Connection) -> None:
        with suppress(KeyError, ValueError):  # closed and forgotten already
            self.poller.unregister(conn.sock)
        conn.close()

    def murder_pending(self) -> None:
        """Called once a second and more often: cut off whoever is too slow."""
        super().murder_pending()
        now = time.monotonic()
        while self._lingering and self._lingering[0][0] < now:
            self._hang_up(self._lingering.popleft()[1])
        for reading in list(self._readings.values()):
            if now > reading.until:
                with suppress(OSError):
                    socket.shutdown(reading.connection.sock, SHUT_RDWR)

    def handle_error(self, req: Any, client: socket, addr: Any, exc: Exception) -> None:  # noqa: ARG002
        """Answer what never reached the application."""
        if isinstance(exc, ssl.SSLError):
            event(log, logging.DEBUG, "a TLS handshake failed", error=exc, address=addr)
            return
        if isinstance(exc, http.ParseException):
            status = next((s for kind, s in _STATUS if isinstance(exc, kind)), HTTPStatus.BAD_REQUEST)
            event(log, logging.INFO, "not HTTP", error=type(exc).__name__, address=addr)
            error: ApiError = BadRequest(status.phrase.lower(), code=status.name.lower())
        else:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            log.error("a request failed outside the application", exc_info=exc)
            error = Internal("something went wrong; the log has it")
        with suppress(OSError):
            client.setblocking(False)  # it is short, and the loop waits for nobody
            client.sendall(_answer(status, error_body(error)))


def _answer(status: HTTPStatus, body: bytes) -> bytes:
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Connection: close",
        f"Content-Type: {JSON}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
    )
    return "\r\n".join((*lines, "", "")).encode() + body
