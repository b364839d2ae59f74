"""A client of the API in a process of its own: `python -m benchmarks.asking_process` with one JSON argument.

It asks for one path over connections that stay open, either so many times a second or as fast as it is
answered, and prints what it saw as JSON. A request counts from when it was due, not from when it could be
sent: an answer that is late makes those behind it late too.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from dataclasses import dataclass

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Order:
    """`rate` requests a second, 0 for as many as are answered."""

    host: str
    port: int
    path: str
    rate: float
    seconds: float
    connections: int


class Client:
    """One connection, one thread."""

    def __init__(self, order: Order, number: int) -> None:
        self._order = order
        self._number = number
        self._request = f"GET {order.path} HTTP/1.1\r\nHost: {order.host}\r\n\r\n".encode()
        self._socket: socket.socket | None = None
        self.milliseconds: list[float] = []
        self.failed = 0

    def run(self, start: float) -> None:
        ends, sent = start + self._order.seconds, 0
        while True:
            due = self._due(start, sent)
            if due > ends:
                return
            time.sleep(max(0.0, due - time.perf_counter()))
            self.failed += not self._ask()
            self.milliseconds.append(1000 * (time.perf_counter() - due))
            sent += 1

    def _due(self, start: float, sent: int) -> float:
        order = self._order
        if not order.rate:
            return max(start, time.perf_counter())
        return start + (sent * order.connections + self._number) / order.rate

    def _ask(self) -> bool:
        """Whether the answer was a 200."""
        if self._socket is None:
            place = (self._order.host, self._order.port)
            self._socket = socket.create_connection(place, TIMEOUT_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(self._request)
        head = self._read(self._socket)
        if b"connection: close" in head:
            self._socket.close()
            self._socket = None
        return head.startswith(b"http/1.1 200")

    def _read(self, connection: socket.socket) -> bytes:
        """The head in small letters; the body is read and dropped."""
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._received(connection)
        head, _, body = got.partition(b"\r\n\r\n")
        head = head.lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        left = length - len(body)
        while left > 0:
            left -= len(self._received(connection))
        return head

    def _received(self, connection: socket.socket) -> bytes:
        got = connection.recv(1 << 16)
        if not got:
            raise ConnectionError("the API closed the connection within an answer")
        return got


def main(order: Order) -> None:
    clients = [Client(order, number) for number in range(order.connections)]
    start = time.perf_counter() + 0.2
    threads = [threading.Thread(target=client.run, args=(start,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = sorted(one for client in clients for one in client.milliseconds)
    found = {
        "answered": len(took),
        "failed": sum(client.failed for client in clients),
        "per_second": len(took) / order.seconds,
        "p50_ms": took[len(took) // 2],
        "p99_ms": took[len(took) * 99 // 100],
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Order(**json.loads(sys.argv[1])))
