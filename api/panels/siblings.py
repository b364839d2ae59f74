"""What the other worker processes of this API have just found out: files in `data_dir`, gone after CACHE_TTL.

Without them each worker would ask ClickHouse for itself, and one of two requests in a row would not find
what the one before it had made.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from clustersight.logs import event
from clustersight.store.errors import Corrupt
from clustersight.store.packing import pack, unpack

log = logging.getLogger("api")

FOLDER = "live"
# A live run takes so long at most; a sibling that takes longer hangs, and holds nobody else up.
TURN_SECONDS = 8.0
POLL_SECONDS = 0.02
_SUFFIX = ".z"


class Siblings:
    """Thread safe. `monotonic` is in seconds, and the same for all processes of a machine."""

    def __init__(self, folder: Path, seconds: float, monotonic: Callable[[], float]) -> None:
        self._folder = folder / FOLDER
        self._seconds = seconds
        self._monotonic = monotonic

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """One process at a time, for a name. Where files cannot be used, everyone at once."""
        try:
            lock = self._open(self._path(name, ".lock"))
        except OSError as error:
            event(log, logging.WARNING, "workers do not share what they find", error=error)
            yield
            return
        try:
            self._wait(lock)
            yield
        finally:
            os.close(lock)  # which gives the lock back

    def _wait(self, lock: int) -> None:
        ends = self._monotonic() + TURN_SECONDS
        pause = threading.Event()
        while self._monotonic() < ends:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pause.wait(POLL_SECONDS)
            else:
                return

    def read(self, name: str) -> tuple[float, Any] | None:
        """What was written under this name and when (monotonic seconds), while it is not too old."""
        try:
            at, seconds, value = unpack(self._path(name, _SUFFIX).read_bytes())
        except (OSError, Corrupt):
            return None  # nobody wrote it
        # A time that has not come yet is one of before the machine was started.
        return (at, value) if 0 <= self._monotonic() - at < seconds else None

    def write(self, name: str, value: Any, seconds: float | None = None) -> None:
        """Let the others have it, too: for these seconds, or as long as everything."""
        path = self._path(name, _SUFFIX)
        unfinished = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        try:
            self._prune()
            file = self._open(unfinished)
            with os.fdopen(file, "wb") as stream:
                stream.write(pack([self._monotonic(), self._seconds if seconds is None else seconds, value]))
            unfinished.replace(path)
        except OSError as error:
            event(log, logging.WARNING, "workers do not share what they find", error=error)

    def _prune(self) -> None:
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if self.read(path.stem) is None:
                with suppress(FileNotFoundError):  # a sibling was faster
                    path.unlink()

    def _open(self, path: Path) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def _path(self, name: str, suffix: str) -> Path:
        return self._folder / (name + suffix)


def name_of(*parts: str) -> str:
    """A file name for what a result depends on."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
