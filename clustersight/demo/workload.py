"""Runs the demo's steps on a ClickHouse over HTTP: the setup once, then the routine until it is stopped."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

import requests

from clustersight.demo.steps import DROP, LATER, REPLICATED, ROUTINE, SETUP, Step

# The longest step sleeps for 25 s; DROP … SYNC waits for the merges of the last run.
STEP_TIMEOUT_SECONDS = 120.0
# ZooKeeper may hang while a replica is dropped.
CLEAR_TIMEOUT_SECONDS = 10.0
# How often it is looked whether it is time for what breaks later.
LOOK_SECONDS = 1.0
CODE_HEADER = "X-ClickHouse-Exception-Code"


class StepError(Exception):
    """A step ended otherwise than it is meant to; the text names the step and what ClickHouse said."""


class Workload:
    """`data` is the folder of the server's data. `skip` names steps that are left out.

    `complain` is told, once a step, what went wrong in the routine.
    """

    def __init__(
        self,
        url: str,
        data: Path,
        *,
        replicated: bool = False,
        skip: Iterable[str] = (),
        complain: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._url = url
        self._values = {"{data}": in_literal(str(data)), "{run}": uuid.uuid4().hex}
        self._replicated = replicated
        self._setup = chosen((*SETUP, *(REPLICATED if replicated else ())), skip)
        self._routine = chosen(ROUTINE, skip)
        self._later = chosen(LATER, skip)
        self._complain = complain
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def set_up(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Make the database anew, with its faults; raises StepError. Ends early once `stopped()`."""
        with requests.Session() as session:
            for step in self._setup:
                if stopped():
                    return
                self._run(session, step)

    def start(self) -> None:
        """Start the routine: a thread for each step, so that the slow ones hold up nobody."""
        self._threads = [
            threading.Thread(target=self._repeat, args=(step,), name=step.name, daemon=True)
            for step in self._routine
        ]
        for thread in self._threads:
            thread.start()

    def break_later(self, is_time: Callable[[], bool]) -> None:
        """Break something more once `is_time()`, in a thread of its own."""
        threading.Thread(target=self._break, args=(is_time,), name="later", daemon=True).start()

    def _break(self, is_time: Callable[[], bool]) -> None:
        while not is_time():
            if self._stopped.wait(LOOK_SECONDS):
                return
        try:
            with requests.Session() as session:
                for step in self._later:
                    self._run(session, step)
        except StepError as error:
            if not self._stopped.is_set():
                self._complain(str(error))

    def stop(self) -> None:
        """Start no further step; those that run end with the server."""
        self._stopped.set()

    def clear(self) -> None:
        """Take the replicas out of ZooKeeper; with them, the embedded engine would not end (26.9)."""
        if self._replicated:
            with requests.Session() as session, contextlib.suppress(StepError):
                self._run(session, DROP, CLEAR_TIMEOUT_SECONDS)

    def run_once(self, name: str) -> None:
        """Run one step of the routine by its name; raises StepError."""
        with requests.Session() as session:
            self._run(session, next(step for step in self._routine if step.name == name))

    def _repeat(self, step: Step) -> None:
        complained = False
        with requests.Session() as session:
            while not self._stopped.is_set():
                try:
                    self._run(session, step)
                except StepError as error:
                    if not (complained or self._stopped.is_set()):
                        self._complain(str(error))
                    complained = True
                self._stopped.wait(step.pause_seconds)

    def _run(
        self, session: requests.Session, step: Step, timeout_seconds: float = STEP_TIMEOUT_SECONDS
    ) -> None:
        sql = step.sql
        for name, value in self._values.items():
            sql = sql.replace(name, value)
        try:
            answer = session.post(self._url, data=sql.encode(), timeout=timeout_seconds)
        except requests.RequestException as error:
            raise StepError(f"{step.name}: {error}") from error
        code = int(answer.headers.get(CODE_HEADER, "0"))
        if code != step.fails_with:
            raise StepError(f"{step.name}: {answer.text.strip() or 'worked, and should have failed'}")


def chosen(steps: Iterable[Step], skip: Iterable[str]) -> tuple[Step, ...]:
    left_out = frozenset(skip)
    return tuple(step for step in steps if step.name not in left_out)


def in_literal(text: str) -> str:
    """The text as it stands between the quotes of an SQL string."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
