"""A threading WSGI server: TLS, basic auth, time limits; a slow client holds one thread and nobody else."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus
from socket import AF_INET6, SHUT_RDWR, SO_REUSEADDR, SOL_SOCKET, socket
from socketserver import ThreadingMixIn
from typing import Any, cast
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

# A scraper sends its request at once; who does not is gone after this, and has held one thread of many.
REQUEST_TIMEOUT_SECONDS = 5.0
# And it reads in milliseconds.
SOCKET_TIMEOUT_SECONDS = 15.0
# More than any set of Prometheus servers and people needs; the rest wait in the kernel's queue.
MAX_CONNECTIONS = 256

Authorized = Callable[[str | None], bool]
# Asked for each connection: a certificate that was renewed counts after a reload.
Tls = Callable[[], ssl.SSLContext | None]


class Server(ThreadingMixIn, WSGIServer):
    """Serves `app` until shutdown(); `server_port` is the real port, also for port 0."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, host: str, port: int, app: WSGIApplication, tls: Tls) -> None:
        if ":" in host:
            self.address_family = AF_INET6
        self._tls = tls
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__((host, port), _Handler)
        self.set_app(app)

    def server_bind(self) -> None:
        # WSGIServer's own asks the DNS for its name, which can hang.
        # Else a restart within a minute of a scrape finds the address in use.
        self.socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(timeout=REQUEST_TIMEOUT_SECONDS):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The TLS handshake is in the client's own thread: one that never ends it blocks nobody.
        request.settimeout(REQUEST_TIMEOUT_SECONDS)
        tls = self._tls()
        if tls is None:
            super().finish_request(request, client_address)
            return
        with tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        log.debug("a client's connection broke", exc_info=True)  # noqa: LOG014 - socketserver calls it in one

    def start(self) -> threading.Thread:
        """Serve in a thread of its own."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
        thread.start()
        return thread


class _ServerHandler(ServerHandler):
    server_software = "ClusterSight"  # says nothing about versions

    def log_exception(self, exc_info: Any) -> None:
        log.error("a request failed", exc_info=exc_info)

    error_headers = [("Content-Type", "text/plain; charset=utf-8")]  # noqa: RUF012 - typed so by wsgiref
    error_body = b"internal error; see the log\n"


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_TIMEOUT_SECONDS
    connection: socket

    def handle(self) -> None:
        # One time for the whole head: a timeout of the socket restarts with each byte that drips in.
        cut = threading.Timer(REQUEST_TIMEOUT_SECONDS, self._cut)
        cut.daemon = True
        cut.start()
        try:
            complete = self._read_head()
        finally:
            cut.cancel()
        if complete:
            self._answer()

    def _cut(self) -> None:
        with suppress(OSError):  # it may be closed already
            self.connection.shutdown(SHUT_RDWR)

    def _read_head(self) -> bool:
        self.raw_requestline = self.rfile.readline(65537)
        if len(self.raw_requestline) > 65536:
            self.requestline = self.request_version = self.command = ""
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return False
        return bool(self.parse_request())

    def _answer(self) -> None:
        self.connection.settimeout(SOCKET_TIMEOUT_SECONDS)
        # typeshed wants IO[bytes]; a socket reader is one in all that counts.
        handler = _ServerHandler(
            self.rfile, cast("Any", self.wfile), self.get_stderr(), self.get_environ(), multithread=True
        )
        handler.request_handler = self  # type: ignore[attr-defined]
        handler.run(self.server.get_app())  # type: ignore[attr-defined]

    def address_string(self) -> str:
        return str(self.client_address[0])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        log.debug(format, *args)


def guarded(app: WSGIApplication, authorized: Callable[[], Authorized | None]) -> WSGIApplication:
    """`app` behind HTTP basic auth; `authorized()` gives today's check, None where there are no users."""

    def guard(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        check = authorized()
        if check is None or check(environ.get("HTTP_AUTHORIZATION")):
            return app(environ, start_response)
        start_response(
            "401 Unauthorized",
            [
                ("WWW-Authenticate", 'Basic realm="ClusterSight"'),
                ("Content-Type", "text/plain; charset=utf-8"),
            ],
        )
        return [b"Unauthorized\n"]

    return guard
