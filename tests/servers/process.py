"""A server process: started in a group of its own, its output kept, waited for by a condition."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

POLL_SECONDS = 0.05
START_SECONDS = 60.0
STOP_SECONDS = 20.0
# Enough of a log to see why a server did not start, little enough to read.
LOG_TAIL_CHARACTERS = 3000

# Ports given out and not bound yet: asking the kernel twice can give the same port twice.
_given_ports: set[int] = set()


class ServerError(Exception):
    """A server did not start, or ended by itself; the text holds the end of its logs."""


class MissingPackage(Exception):
    """The program of a Debian package is not installed; the text says how to get it."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on and that was not given out before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _given_ports:
            _given_ports.add(port)
            return port


def wait_until(condition: Callable[[], object], timeout_seconds: float, what: str) -> None:
    """Ask until the condition is true; raises TimeoutError with `what` and the last exception it raised."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            if condition():
                return
            last: Exception | None = None
        except Exception as error:  # noqa: BLE001 - whatever it raises means: not yet
            last = error
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {timeout_seconds} s still not: {what} ({last!r})") from last
        time.sleep(POLL_SECONDS)


def program(name: str, package: str) -> str:
    """Return the path of an installed program; raises MissingPackage."""
    # A user's PATH often lacks /usr/sbin.
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/share/zookeeper/bin")
    if not found:
        raise MissingPackage(
            f"{name} is missing: install the package {package} with tests/install-servers.sh"
        )
    return found


def connects(port: int, timeout_seconds: float = 1.0) -> bool:
    """Say whether the kernel accepts a connection to the port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout_seconds).close()
    except OSError:
        return False
    return True


def thread_states(pid: int) -> set[str]:
    """Return the states of a process' threads as in proc(5): R running, S sleeping, T stopped."""
    files = Path(f"/proc/{pid}/task").glob("*/stat")
    # The name of the program, in parentheses, may hold spaces and parentheses.
    return {file.read_text().rpartition(")")[2].split()[0] for file in files}


class ServerProcess:
    """A server in a folder. A subclass says how it is started (`command`) and when it is ready (`ready`)."""

    environment: dict[str, str] = {}  # noqa: RUF012 - replaced, never changed

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        """Write the configuration and return the command line."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Say whether it answers; an exception means no."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it and wait until it answers; raises ServerError with its logs."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start it without waiting: several can then start at the same time."""
        if self.is_running:
            raise ServerError(f"{self} runs already")
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                list(self.command()),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | self.environment,
                start_new_session=True,
            )

    def wait_ready(self, timeout_seconds: float = START_SECONDS) -> None:
        """Wait until it answers; raises ServerError with its logs, at once when it has ended."""
        try:
            wait_until(self._ready_or_ended, timeout_seconds, f"{self} answers")
        except TimeoutError as error:
            self.kill()
            raise ServerError(f"{error}\n{self.logs()}") from error
        if not self.is_running:
            raise ServerError(f"{self} ended by itself\n{self.logs()}")

    def _ready_or_ended(self) -> bool:
        return not self.is_running or self.ready()

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """End it with SIGTERM and wait; with SIGKILL where that takes too long. No error when it is down."""
        if not self._process:
            return
        self.resume()
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_seconds)
        self.kill()

    def kill(self) -> None:
        """End it with SIGKILL, its children too, and wait."""
        if self._process:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it with SIGSTOP: the kernel still accepts connections, nobody answers them.

        Returns when every thread has stopped: one that had not could still answer a client.
        """
        self._signal(signal.SIGSTOP)
        wait_until(lambda: thread_states(self.pid) == {"T"}, STOP_SECONDS, f"{self} is paused")

    def resume(self) -> None:
        """Let it go on after pause()."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop it and start it on the same ports and data."""
        self.stop()
        self.start()

    @property
    def is_running(self) -> bool:
        """Whether the process exists; true for a paused one."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id, which is that of its group too; raises ServerError when it is down."""
        if not self._process:
            raise ServerError(f"{self} is not running")
        return self._process.pid

    def logs(self) -> str:
        """Return the end of every log in the folder."""
        files = sorted(self.folder.rglob("*.log"))
        return "\n".join(f"--- {file.name}\n{tail(file)}" for file in files)

    def _signal(self, number: int) -> None:
        # The group may be gone although the process was not waited for yet.
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def __str__(self) -> str:
        return f"{type(self).__name__} in {self.folder.name}"


def tail(file: Path) -> str:
    """Return the last characters of a log."""
    return file.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL_CHARACTERS:]
