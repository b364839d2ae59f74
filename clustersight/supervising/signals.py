"""Signals as something to wait for: handlers only take a note, and a byte in a socket wakes the loop."""

from __future__ import annotations

import contextlib
import signal
import socket
from types import FrameType
from typing import Self

_NOTED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Signals:
    """A context in which they are noted; `fileno()` can be read from when one came."""

    def __init__(self) -> None:
        self._awake, self._wake = socket.socketpair()
        self._came: list[int] = []

    def __enter__(self) -> Self:
        for end in (self._awake, self._wake):
            end.setblocking(False)
        # A full socket is awake already.
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number in _NOTED:
            signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        # The process ends now: one more signal must not end it otherwise.
        for number in _NOTED:
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        self._awake.close()
        self._wake.close()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(number)

    def fileno(self) -> int:
        return self._awake.fileno()

    def take(self) -> list[signal.Signals]:
        """Those that came since the last time, without SIGCHLD, which only wakes."""
        with contextlib.suppress(BlockingIOError):
            while self._awake.recv(4096):
                pass
        came, self._came = self._came, []
        return [signal.Signals(number) for number in came if number != signal.SIGCHLD]
