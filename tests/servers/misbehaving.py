"""Peers that break the rules of the network, on real sockets: what a client must survive.

They stand for broken networks and hung processes, never for ClickHouse itself.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Self

# How long a thread of a peer may take to notice that the peer was stopped.
JOIN_SECONDS = 5.0


class Peer:
    """Listens on a free port of 127.0.0.1 within a `with` block; a subclass says what it does wrong.

    `accepted` counts connections.
    """

    def __init__(self) -> None:
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def behave(self, connection: socket.socket) -> None:
        """Do wrong to one connection; it stays open afterwards unless closed here."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_exception: object) -> None:
        # Closing alone does not wake a thread that waits in accept or recv.
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(JOIN_SECONDS)
        for one in (self._listener, *self._open):
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                self._open.append(connection)
                thread = threading.Thread(target=self._behave, args=[connection], daemon=True)
                self._threads.append(thread)
                thread.start()

    def _behave(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.behave(connection)


class SilentPeer(Peer):
    """Accepts, and never answers nor closes."""

    def behave(self, connection: socket.socket) -> None:
        pass


class ClosingPeer(Peer):
    """Accepts, reads what comes first, and closes."""

    def behave(self, connection: socket.socket) -> None:
        connection.recv(1)
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()


class GarbagePeer(Peer):
    """Answers whatever comes first with bytes that are no protocol, and closes."""

    def __init__(self, answer: bytes = b"\x00\xff\x13garbage\r\n\r\n" * 8) -> None:
        super().__init__()
        self.answer = answer

    def behave(self, connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(self.answer)
        connection.shutdown(socket.SHUT_RDWR)


class HangingFourLetterPeer(Peer):
    """Takes a 4-letter word, begins to answer it with `beginning`, and hangs; `words` are those it got."""

    def __init__(self, beginning: bytes = b"") -> None:
        super().__init__()
        self.beginning = beginning
        self.words: list[bytes] = []

    def behave(self, connection: socket.socket) -> None:
        self.words.append(connection.recv(4, socket.MSG_WAITALL))
        connection.sendall(self.beginning)
        # Until the client goes away or the peer is stopped.
        while connection.recv(1024):
            pass


class DrippingPeer(Peer):
    """Answers one byte at a time for ever: every single read succeeds, the answer never ends.

    A timeout on each read does not help against it; only a deadline for the whole does.
    """

    pause_seconds = 0.1

    def __init__(self, beginning: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        super().__init__()
        self.beginning = beginning
        self._stopped = threading.Event()

    def behave(self, connection: socket.socket) -> None:
        connection.sendall(self.beginning)
        while not self._stopped.wait(self.pause_seconds):
            connection.sendall(b"x")

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        super().__exit__(*exception)


class SlowPath(Peer):
    """A network path to a real server of 127.0.0.1 on which every answer takes `delay_seconds`."""

    def __init__(self, port: int, delay_seconds: float) -> None:
        super().__init__()
        self._server_port, self._delay_seconds = port, delay_seconds

    def behave(self, connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._server_port)) as server:
            self._open.append(server)
            answers = threading.Thread(target=self._pass_on, args=(server, connection, self._delay_seconds))
            answers.start()
            self._pass_on(connection, server, 0.0)
            answers.join(JOIN_SECONDS)

    def _pass_on(self, source: socket.socket, sink: socket.socket, delay_seconds: float) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                time.sleep(delay_seconds)  # this is the peer's fault, not a wait of the test
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
