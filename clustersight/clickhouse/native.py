"""The native protocol (9000, 9440), by clickhouse-driver: the only one that servers before 20.x share."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from clickhouse_driver import Client, errors

from clustersight.clickhouse.connection import (
    CLIENT_NAME,
    CONNECT_TIMEOUT_SECONDS,
    Address,
    Deadline,
    Result,
    answers_http,
    plain_rows,
)
from clustersight.clickhouse.errors import (
    ClickHouseError,
    TimedOut,
    TlsFailed,
    Unreachable,
    WrongProtocol,
    brief,
    from_server,
    tls_reason,
)


class NativeConnection:
    """One socket, opened by the first query and again after it broke."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: Client | None = None
        # A clickhouse-driver Client is not thread safe at all.
        self._lock = threading.Lock()

    def query(
        self, sql: str, *, timeout_seconds: float, settings: Mapping[str, Any], query_id: str = ""
    ) -> Result:
        with self._lock:
            deadline = Deadline(timeout_seconds)
            reused = self._client is not None
            try:
                return self._run(sql, deadline, settings, query_id)
            except Unreachable:
                # The server may have closed an idle connection: that says nothing about the server.
                if not reused or deadline.expired:
                    raise
            return self._run(sql, deadline, settings, query_id)

    def _run(self, sql: str, deadline: Deadline, settings: Mapping[str, Any], query_id: str) -> Result:
        client = self._client or self._new_client(deadline.seconds)
        greeted = self._client is not None
        try:
            with deadline.aborting(lambda: _cut(client)):
                if not greeted:
                    client.connection.connect()
                    greeted, self._client = True, client
                rows, columns = client.execute(
                    sql, with_column_types=True, settings=dict(settings), query_id=query_id or None
                )
        except (errors.Error, OSError, EOFError, ValueError) as error:
            translated = translate(error, self._address, deadline, greeted=greeted)
            if not translated.answered or not greeted:
                # The driver leaves the socket of a handshake that failed open.
                self._client = client
                self._discard()
            raise translated from None
        progress = client.last_query.progress if client.last_query else None
        names = tuple(name for name, _ in columns)
        return Result(names, plain_rows(rows), progress.rows if progress else 0)

    def _new_client(self, timeout_seconds: float) -> Client:
        address = self._address
        tls: dict[str, Any] = {"secure": True, "verify": address.verify} if address.secure else {}
        paths = {"ca_certs": address.ca_cert, "certfile": address.client_cert, "keyfile": address.client_key}
        tls |= {name: str(path) for name, path in paths.items() if address.secure and path}
        return Client(
            address.host,
            address.port,
            user=address.username,
            password=address.password,
            client_name=CLIENT_NAME,
            connect_timeout=min(CONNECT_TIMEOUT_SECONDS, timeout_seconds),
            send_receive_timeout=timeout_seconds,
            sync_request_timeout=timeout_seconds,
            disable_reconnect=True,
            **tls,
        )

    def _discard(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError):  # the socket is broken already: that is why it goes
                client.disconnect()

    def close(self) -> None:
        with self._lock:
            self._discard()


def _cut(client: Client) -> None:
    sock = client.connection.socket
    if sock is not None:
        with suppress(OSError):  # it may have been closed a moment ago
            sock.shutdown(socket.SHUT_RDWR)


def translate(error: Exception, address: Address, deadline: Deadline, *, greeted: bool) -> ClickHouseError:
    """The driver's exceptions in our tree; `greeted`: the handshake was over."""
    where = address.endpoint
    if deadline.expired or isinstance(error, TimeoutError | errors.SocketTimeoutError):
        if not greeted and answers_http(address):
            return _not_native(where)
        return TimedOut(f"{where}: no answer within {deadline.seconds:g} s")
    if isinstance(error, ssl.SSLError) or "[SSL" in str(error):
        return TlsFailed(f"{where}: TLS failed: {tls_reason(str(error))}")
    if isinstance(error, errors.UnexpectedPacketFromServerError):
        return _not_native(where)
    if isinstance(error, EOFError) or (not greeted and "reset by peer" in str(error)):
        return Unreachable(f"{where}: the connection was closed before an answer;{_tls_hint(address)}")
    if isinstance(error, errors.ServerException):
        return from_server(error.code, error.message)
    return Unreachable(f"{where}: {_bare(error) or type(error).__name__}")


def _bare(error: Exception) -> str:
    return brief(re.sub(r"^Code: \d+\.\s*|\s*\([^()]*:\d+\)$", "", str(error)))


def _not_native(where: str) -> WrongProtocol:
    return WrongProtocol(
        f"{where}: what answers does not speak ClickHouse's native protocol;"
        " if this is the HTTP port, set protocol: http (native is 9000, 9440 with TLS)"
    )


def _tls_hint(address: Address) -> str:
    if address.secure:
        return " does this port speak TLS?"
    return " a port that expects TLS does that (secure: true), and so does a server that is stopping"
