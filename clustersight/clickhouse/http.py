"""The HTTP protocol (8123, 8443), by the vendor's clickhouse-connect. Needs a server from 20.x on."""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import clickhouse_connect
import urllib3
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError as DriverError
from clickhouse_connect.driver.httputil import all_managers, get_pool_manager

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
    SettingRefused,
    TimedOut,
    TlsFailed,
    Unreachable,
    Unsupported,
    WrongProtocol,
    brief,
    from_server,
    tls_reason,
)

READONLY = 164
_CODE = re.compile(r"[Cc]ode:?\s*(\d+)")


class HttpConnection:
    """One client with a socket pool of its own, made by the first query."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: Client | None = None
        self._sockets = _Sockets()
        self._managers: list[urllib3.PoolManager] = []
        self._lock = threading.Lock()

    def query(
        self, sql: str, *, timeout_seconds: float, settings: Mapping[str, Any], query_id: str = ""
    ) -> Result:
        with self._lock:
            deadline = self._sockets.deadline = Deadline(timeout_seconds)
            try:
                with deadline.aborting(self._sockets.cut):
                    return self._run(sql, settings, query_id)
            except (DriverError, urllib3.exceptions.HTTPError, OSError, http.client.HTTPException) as error:
                translated = translate(error, self._address, deadline)
            except (AttributeError, IndexError, KeyError, TypeError, ValueError, EOFError) as error:
                # The driver parses whatever answered; an answer that is not ClickHouse's breaks it anywhere.
                translated = _not_clickhouse(error, self._address, deadline)
            if not translated.answered or self._client is None:
                self._discard()
            raise translated from None

    def _run(self, sql: str, settings: Mapping[str, Any], query_id: str) -> Result:
        client = self._client = self._client or self._new_client()
        # wait_end_of_query: an error in the middle of the stream would otherwise come with a 200.
        transport = {"wait_end_of_query": "1"} | ({"query_id": query_id} if query_id else {})
        answer = client.query(sql, settings={**settings, **transport})
        read_rows = int((answer.summary or {}).get("read_rows", 0) or 0)
        return Result(tuple(answer.column_names), plain_rows(answer.result_rows), read_rows)

    def _new_client(self) -> Client:
        address = self._address
        return clickhouse_connect.get_client(
            host=address.host,
            port=address.port,
            interface="https" if address.secure else "http",
            username=address.username,
            password=address.password,
            client_name=CLIENT_NAME,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            send_receive_timeout=3600,  # ours is the deadline: this one restarts with each packet
            query_retries=0,
            query_limit=0,
            autogenerate_session_id=False,  # clickhouse-connect#295: a session locks
            compress=False,
            pool_mgr=self._pool(),
            client_cert=str(address.client_cert) if address.client_cert else None,
            tls_mode="strict" if address.client_cert else None,
        )

    def _pool(self) -> urllib3.PoolManager:
        address = self._address
        options: dict[str, Any] = {"maxsize": 1, "num_pools": 1}
        if address.secure:
            paths = {
                "ca_cert": address.ca_cert,
                "client_cert": address.client_cert,
                "client_cert_key": address.client_key,
            }
            options |= {name: str(path) for name, path in paths.items() if path}
            options["verify"] = address.verify
        manager: urllib3.PoolManager = get_pool_manager(**options)
        self._managers.append(manager)
        manager.pool_classes_by_scheme = _tracking_pools(self._sockets)
        return manager

    def _discard(self) -> None:
        # The driver keeps every manager for ever, against stale sockets; ours go with their client.
        while self._managers:
            all_managers.pop(self._managers.pop(), None)
        client, self._client = self._client, None
        if client is not None:
            client.close()
        self._sockets.close()

    def close(self) -> None:
        with self._lock:
            self._discard()


class _Sockets:
    """The driver's sockets, so that a deadline can cut them and none is left open by a failure.

    Not its connections: one that reads an answer without a length has given its socket away.
    """

    def __init__(self) -> None:
        self.deadline = Deadline(0)
        self._open: list[socket.socket] = []

    def connect(self, connection: Any, connect: Callable[[], None]) -> None:
        # A handshake cannot be cut: its socket is not known before it ends.
        connection.timeout = min(CONNECT_TIMEOUT_SECONDS, self.deadline.seconds)
        self._check()
        connect()
        self._open = [*(s for s in self._open if s.fileno() != -1), connection.sock]
        self._check()

    def _check(self) -> None:
        """The driver tries a broken connection once more: not after the deadline, which cuts only once."""
        if self.deadline.expired:
            self.cut()
            raise TimeoutError("timed out")

    def cut(self) -> None:
        for sock in self._open:
            with suppress(OSError):  # it may have been closed a moment ago
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for sock in self._open:
            sock.close()
        self._open = []


def _tracking_pools(sockets: _Sockets) -> dict[str, Any]:
    """Pool classes whose sockets are in `sockets` as soon as they are open."""

    class Plain(urllib3.connection.HTTPConnection):
        def connect(self) -> None:
            sockets.connect(self, super().connect)

    class Tls(urllib3.connection.HTTPSConnection):
        def connect(self) -> None:
            sockets.connect(self, super().connect)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Tls

    return {"http": PlainPool, "https": TlsPool}


def translate(error: Exception, address: Address, deadline: Deadline) -> ClickHouseError:
    """The driver's exceptions in our tree; it wraps what urllib3 raised, so the causes are looked at."""
    where = address.endpoint
    text = " ".join(str(e) for e in _chain(error))
    if deadline.expired or "timed out" in text.lower():
        if address.secure and answers_http(address):
            return TlsFailed(f"{where}: TLS failed: the port does not speak TLS; set secure: false")
        return TimedOut(f"{where}: no answer within {deadline.seconds:g} s")
    code = getattr(error, "code", None) or (int(m.group(1)) if (m := _CODE.search(text)) else 0)
    if code and "identifier: readonly" in text:
        # The driver asks system.settings for a column that came with 20.x.
        return Unsupported(f"{where}: this server is too old for HTTP here; use protocol: native")
    if code:
        return from_server(int(code), _without_driver(str(error)))
    return _no_code(text, address)


def _no_code(text: str, address: Address) -> ClickHouseError:
    where = address.endpoint
    if "CERTIFICATE" in text.upper() or "hostname" in text:
        return TlsFailed(f"{where}: TLS failed: {tls_reason(text)}")
    if "Port 9000 is for clickhouse-client" in text or "must use port" in text:
        return WrongProtocol(f"{where}: this is the native port; HTTP is 8123 (8443 with TLS)")
    if "BadStatusLine" in text or "IncompleteRead" in text or "Empty reply" in text:
        return WrongProtocol(f"{where}: what answers does not speak HTTP; is this the native port?")
    if re.search(r"Setting \w+ is (unknown|readonly)", text):
        # The driver read system.settings when it connected, and refuses in the server's name.
        return SettingRefused(f"{where}: {brief(text)}", READONLY)
    if "SSL" in text:
        return TlsFailed(f"{where}: TLS failed: {tls_reason(text)}")
    if "unrecognized" in text.lower() or "not supported" in text.lower():
        return Unsupported(f"{where}: {brief(text)}")
    return Unreachable(f"{where}: {_reason(text)}")


def _not_clickhouse(error: Exception, address: Address, deadline: Deadline) -> ClickHouseError:
    if deadline.expired:
        return TimedOut(f"{address.endpoint}: no answer within {deadline.seconds:g} s")
    return WrongProtocol(
        f"{address.endpoint}: the answer is not ClickHouse's ({type(error).__name__}: {brief(str(error))})"
    )


def _without_driver(text: str) -> str:
    return re.sub(r"^.*?server response: |^.*?(?=Code: \d)|\s*\(for url .*$", "", text, flags=re.DOTALL)


def _reason(text: str) -> str:
    found = re.search(r"\[Errno -?\d+\] ([A-Z][^'\")]+)", text)
    return found.group(1).strip() if found else brief(text)


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
