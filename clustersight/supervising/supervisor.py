"""One thread that keeps programs running: their output, their deaths, and the signals it gets.

It may be process 1 of a container, and then it also takes the ends of processes that it never started.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from clustersight.logs import event
from clustersight.supervising.child import Child, Program, how
from clustersight.supervising.restarts import Death, refused, row_of_deaths, wait_seconds
from clustersight.supervising.signals import Signals

log = logging.getLogger("up")


@dataclass(slots=True)
class Place:
    """A program that runs as `child`, or starts at `due` (monotonic seconds)."""

    program: Program
    due: float
    child: Child | None = None
    starts: int = 0
    deaths: int = 0  # in a row


class Supervisor:
    """Runs programs until a signal stops it. `stop_seconds` is what they get to end by themselves.

    `refusal` says, after run(), which program can never start; empty if none.
    """

    def __init__(
        self, programs: Sequence[Program], monotonic: Callable[[], float], stop_seconds: float
    ) -> None:
        self.refusal = ""
        self._monotonic = monotonic
        self._stop_seconds = stop_seconds
        self._places = [Place(program, due=monotonic()) for program in programs]
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._kill_at: float | None = None

    def run(self) -> None:
        """Until SIGTERM or SIGINT came, or a program refused to start, and all have ended."""
        with Signals() as signals:
            self._selector.register(signals, selectors.EVENT_READ)
            while not self._stopping or any(self._children()):
                self._start_due()
                self._wait()
                self._reap()
                for number in signals.take():
                    self._obey(number)
                self._kill_late()

    def _children(self) -> Iterator[Child]:
        return (place.child for place in self._places if place.child is not None)

    def _start_due(self) -> None:
        now = self._monotonic()
        for place in self._places:
            if place.child is None and place.due <= now and not self._stopping:
                self._start(place, now)

    def _start(self, place: Place, now: float) -> None:
        place.starts += 1
        try:
            place.child = Child(place.program, now)
        except OSError as error:  # no memory, no more processes: it may pass
            self._put_off(place, 0.0, f"cannot be started: {error.strerror}")
            return
        self._selector.register(place.child.output, selectors.EVENT_READ, place.child)
        event(log, logging.INFO, "started", process=place.program.name, pid=place.child.pid)

    def _wait(self) -> None:
        """Until something happens; passes on the output of children meanwhile."""
        for key, _ in self._selector.select(self._seconds_to_wait()):
            if isinstance(key.data, Child):
                self._pass_on(key.data)

    def _seconds_to_wait(self) -> float | None:
        times = [place.due for place in self._places if place.child is None and not self._stopping]
        times += [] if self._kill_at is None else [self._kill_at]
        return max(0.0, min(times) - self._monotonic()) if times else None

    def _pass_on(self, child: Child) -> None:
        lines = child.read()
        if lines is None:  # it closed its output: nothing more will come
            self._selector.unregister(child.output)
            lines = child.lines.end()
        show(lines)

    def _reap(self) -> None:
        for pid, code in ended_processes():
            for place in self._places:
                if place.child is not None and place.child.pid == pid:
                    self._bury(place, place.child, code)

    def _bury(self, place: Place, child: Child, code: int) -> None:
        child.ended(code)
        if child.output in self._selector.get_map():
            self._selector.unregister(child.output)
            show(child.last_words())
        child.close()
        place.child = None
        if self._stopping:
            event(log, logging.INFO, "ended", process=place.program.name, how=how(code))
            return
        death = Death(code, self._monotonic() - child.started_at, place.starts)
        if refused(death):
            self.refusal = f"{place.program.name} cannot start ({how(code)}); its message stands above"
            self._stop()
        else:
            self._put_off(place, death.ran_seconds, f"ended by itself, {how(code)}")

    def _put_off(self, place: Place, ran_seconds: float, why: str) -> None:
        place.deaths = row_of_deaths(ran_seconds, place.deaths)
        seconds = wait_seconds(place.deaths)
        place.due = self._monotonic() + seconds
        name = place.program.name
        event(
            log, logging.ERROR, f"{name} {why}; it is started again", in_seconds=seconds, deaths=place.deaths
        )

    def _obey(self, number: signal.Signals) -> None:
        if number == signal.SIGHUP:
            self._reload()
        else:
            event(log, logging.INFO, "stopping", signal=number.name)
            self._stop()

    def _reload(self) -> None:
        """Each reads its configuration again; one that waits for its next start has it at once."""
        event(log, logging.INFO, "reloading")
        for child in self._children():
            child.send(signal.SIGHUP)
        for place in self._places:
            place.due = self._monotonic()

    def _stop(self) -> None:
        """Ask all to end; who asks again wants it at once."""
        self._kill_at = self._monotonic() + (0.0 if self._stopping else self._stop_seconds)
        self._stopping = True
        for child in self._children():
            child.send(signal.SIGTERM)

    def _kill_late(self) -> None:
        if self._kill_at is None or self._monotonic() < self._kill_at:
            return
        self._kill_at = None
        for child in self._children():
            event(log, logging.WARNING, "killed, since it did not end in time", process=child.program.name)
            child.kill()


def ended_processes() -> Iterator[tuple[int, int]]:
    """Each child that has ended, with its exit status or minus its signal; also those that we inherited."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            yield pid, os.waitstatus_to_exitcode(status)


def show(lines: bytes) -> None:
    """Write whole lines where our own go. Nobody may be reading any more: the work goes on."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.buffer.write(lines)
        sys.stderr.buffer.flush()
