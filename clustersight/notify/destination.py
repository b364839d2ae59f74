"""The connection to a receiver: only to an address that was checked, and only for so long.

The name is resolved here, once, and the connection goes to what was checked: a name that answers
differently the next time (DNS rebinding) gains nothing. TLS still checks the certificate for the name.
"""

from __future__ import annotations

import contextlib
import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util.connection import create_connection

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052


class PrivateAddress(Exception):
    """The host is, or resolves to, an address of this machine or this network."""


class Unresolved(Exception):
    """The host's name has no address, or nobody tells it in time."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for the name and for the connection, for each read, and for the whole."""

    connect_seconds: float = 5.0
    read_seconds: float = 10.0
    # channel.py: one try takes some 10 s at most.
    whole_seconds: float = 12.0


class Destination:
    """Opens the socket of one POST, and cuts it when its time is over."""

    def __init__(self, patience: Patience, *, allow_private: bool) -> None:
        self.is_late = False
        self._patience = patience
        self._allow_private = allow_private
        self._lock = threading.Lock()
        self._open: socket.socket | None = None

    @contextlib.contextmanager
    def within_time(self) -> Iterator[None]:
        """Cut the connection from another thread if the block takes too long: no read times out on drops."""
        timer = threading.Timer(self._patience.whole_seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._close()

    def connect(self, host: str, port: int, options: Any) -> socket.socket:
        """A connection to the first address that takes it. Raises PrivateAddress, Unresolved, OSError."""
        until = time.monotonic() + self._patience.connect_seconds
        addresses = resolved(host, port, self._patience.connect_seconds)
        if not self._allow_private and not all(map(is_public, addresses)):
            raise PrivateAddress
        failure = OSError()
        for address in addresses:
            try:
                seconds = max(0.1, until - time.monotonic())
                return self._kept(create_connection((address, port), seconds, socket_options=options))
            except OSError as error:
                failure = error
        raise failure

    def _kept(self, connection: socket.socket) -> socket.socket:
        """With a second handle: TLS takes the first one away, and cutting either cuts both."""
        with self._lock:
            self._open = connection.dup()
        connection.settimeout(self._patience.read_seconds)
        if self.is_late:
            self._cut()
        return connection

    def _cut(self) -> None:
        self.is_late = True
        with self._lock, contextlib.suppress(OSError):
            if self._open is not None:
                self._open.shutdown(socket.SHUT_RDWR)

    def _close(self) -> None:
        with self._lock:
            if self._open is not None:
                self._open.close()


class DestinationAdapter(HTTPAdapter):
    """requests over the sockets of a Destination."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._destination)


def _pools(destination: Destination) -> dict[str, Any]:
    """Pool classes whose connections the destination opens, as urllib3's own SOCKS support does it."""

    class Plain(urllib3.connection.HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return destination.connect(self.host, self.port, self.socket_options)

    class Tls(urllib3.connection.HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return destination.connect(self.host, self.port, self.socket_options)

    class PlainPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Tls

    return {"http": PlainPool, "https": TlsPool}


def resolved(host: str, port: int, seconds: float) -> list[str]:
    """The addresses of a name. The system's resolver cannot be told a time: a thread waits for it."""
    answers: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_addresses(host, port)), daemon=True).start()
    try:
        found = answers.get(timeout=seconds)
    except queue.Empty:
        found = []
    if not found:
        raise Unresolved
    return found


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # ValueError: what IDNA cannot write
        return []
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def is_public(address: str) -> bool:
    """Whether an address is of the internet; one that carries an IPv4 address is judged by that one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast
