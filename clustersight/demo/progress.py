"""Says on standard error what the demo is doing: a line a stage with its seconds, a spinner on a terminal."""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO

FRAMES = "|/-\\"
FRAME_SECONDS = 0.1
ERASE_LINE = "\r\x1b[K"


class Progress:
    """Lines are whole in a log; only on a terminal the last one moves."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.stderr
        self._terminal = self._out.isatty()
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """One line, whatever stage is under way."""
        with self._lock:
            self._write(f"{ERASE_LINE if self._terminal else ''}{text}\n")

    @contextlib.contextmanager
    def stage(self, text: str) -> Iterator[None]:
        """`text ... 1.9 s` once the block has ended, `text ... failed after 1.9 s` if it raised."""
        started = time.monotonic()
        outcome = "failed after "
        try:
            with self._spinning(text, started):
                yield
            outcome = ""
        finally:
            self.say(f"{text} ... {outcome}{time.monotonic() - started:.1f} s")

    @contextlib.contextmanager
    def _spinning(self, text: str, started: float) -> Iterator[None]:
        if not self._terminal:
            yield
            return
        done = threading.Event()
        thread = threading.Thread(target=self._spin, args=(text, started, done), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _spin(self, text: str, started: float, done: threading.Event) -> None:
        for frame in itertools.cycle(FRAMES):
            with self._lock:
                self._write(f"{ERASE_LINE}{text} {frame} {time.monotonic() - started:.0f} s")
            if done.wait(FRAME_SECONDS):
                return

    def _write(self, text: str) -> None:
        # A closed standard error (a pipe whose reader went away) must not end the demo.
        with contextlib.suppress(OSError, ValueError):
            self._out.write(text)
            self._out.flush()
