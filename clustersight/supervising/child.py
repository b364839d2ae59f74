"""A child process: its output in a pipe, in a session of its own, never outliving its parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clustersight.supervising.lines import Lines

_LINUX = sys.platform == "linux"
_LIBC = ctypes.CDLL(None) if _LINUX else None
_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class Program:
    """What to run; the name is for people."""

    name: str
    command: Sequence[str]


class Child:
    """A program that runs. Its end is told by the parent's wait(2), which sees those of strangers too."""

    def __init__(self, program: Program, started_at: float) -> None:
        """Start it; `started_at` is monotonic. Raises OSError."""
        self.program = program
        self.started_at = started_at
        self.lines = Lines()
        # A session of its own: Ctrl-C in the terminal reaches the parent alone, which stops all in order.
        self._process = subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Safe here: the parent has one thread.
            preexec_fn=_prepare(os.getpid()),  # noqa: PLW1509
        )
        self.pid = self._process.pid
        self.output = self._fileno()
        os.set_blocking(self.output, False)

    def _fileno(self) -> int:
        pipe = self._process.stdout
        return pipe.fileno() if pipe is not None else -1

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it and all that it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of the dead
            os.killpg(self.pid, signal.SIGKILL)

    def read(self) -> bytes | None:
        """The whole lines of its output that are there; None at the end of it."""
        piece = self._piece()
        return None if piece == b"" else self.lines.feed(piece or b"")

    def last_words(self) -> bytes:
        """All that is still there, after its end; others may hold its pipe open and say nothing."""
        found = b""
        while piece := self._piece():
            found += self.lines.feed(piece)
        return found + self.lines.end()

    def _piece(self) -> bytes | None:
        """Some bytes; empty at the end, None while there are none."""
        try:
            return os.read(self.output, 65536)
        except BlockingIOError:
            return None

    def ended(self, code: int) -> None:
        """Note how it ended. What it started ends too: a worker left behind would hold its address."""
        self._process.returncode = code
        self.kill()

    def close(self) -> None:
        """Close the pipe."""
        if self._process.stdout is not None:
            self._process.stdout.close()


def _prepare(parent: int) -> Callable[[], None]:
    """What a child does first. Linux alone tells it of its parent's end, by a signal."""

    def prepare() -> None:
        # A reload must not end one that is still starting, and reads its configuration anyway.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
            if os.getppid() != parent:  # it has died already
                os._exit(1)

    return prepare


def how(code: int) -> str:
    """`exit status 1`, or `signal SIGKILL`."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"signal {-code}"
