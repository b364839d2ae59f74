"""A process that the demo starts: its output in a file, its end noticed, stopped without leftovers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

POLL_SECONDS = 0.1
START_SECONDS = 60.0
# More than the embedded server takes to end its queries (5 s), on a slow machine.
STOP_SECONDS = 20.0
LOG_LINES = 15


class DemoError(Exception):
    """The demo cannot go on; the text is for the user."""


class Stopped(Exception):
    """The user asked to stop while the demo was busy."""


class Child:
    """`python -P -m MODULE …` in a session of its own, so that Ctrl-C reaches only the demo itself."""

    def __init__(self, name: str, module: str, arguments: Sequence[str], log: Path) -> None:
        self.name = name
        self.log = log
        # -P: a folder of the user's of the same name must not shadow the module.
        self._command = [sys.executable, "-P", "-m", module, *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(),
                start_new_session=True,
            )

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def check(self) -> None:
        """Raise DemoError, with the end of its log, when it has ended."""
        code = self._process.poll() if self._process else None
        if code is not None:
            raise DemoError(f"{self.name} ended by itself, {exit_text(code)}; its last lines:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of its output."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LOG_LINES:]) or "  (none)"

    def stop(self) -> bool:
        """SIGTERM, then SIGKILL when that takes too long; False for the latter."""
        if self._process is None:
            return True
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        ended = self._process.poll() is not None
        # Also what it may have started: the session is its own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        return ended


def environment() -> dict[str, str]:
    """Ours without ClusterSight's variables: they speak of the user's clusters, not of the demo."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CLUSTERSIGHT")}


def exit_text(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def wait_for(
    condition: Callable[[], bool],
    what: str,
    children: Sequence[Child],
    stopped: threading.Event,
    timeout_seconds: float = START_SECONDS,
) -> None:
    """Wait until the condition is true. Raises Stopped, and DemoError when a child ends or time is up."""
    ends = time.monotonic() + timeout_seconds
    while not condition():
        for child in children:
            child.check()
        if time.monotonic() > ends:
            logs = "\n".join(f"{child.name}:\n{child.tail()}" for child in children)
            raise DemoError(f"after {timeout_seconds:g} s still not: {what}\n{logs}")
        if stopped.wait(POLL_SECONDS):
            raise Stopped
