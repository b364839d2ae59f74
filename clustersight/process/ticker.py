"""The heartbeat of the process: the `schedule` package once a second, also across steps of the clock.

schedule compares naive local times: after a step back of an hour it would sleep for an hour. So the
loop watches for a divergence of wall and monotonic time, and then adds the tick anew.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import schedule

from clustersight.collection import Clock
from clustersight.logs import event

log = logging.getLogger(__name__)

# NTP slews and busy machines stay below this; a step that matters does not.
STEP_SECONDS = 2.0
POLL_SECONDS = 0.25


class Ticker:
    """Calls `tick` once a second until it is stopped."""

    def __init__(
        self, tick: Callable[[], None], clock: Clock, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.stopped = False
        self._tick = tick
        self._sleep = sleep
        self._clock = clock
        self._scheduler = schedule.Scheduler()
        self._offset = self._local_offset()
        self.last_tick = clock.monotonic()
        self._add()

    def _add(self) -> None:
        self._scheduler.clear()
        self._scheduler.every(1).seconds.do(self._beat)

    def _beat(self) -> None:
        self.last_tick = self._clock.monotonic()
        try:
            self._tick()
        except Exception:  # one bad turn must not end the process; the traceback is in the log
            log.exception("a tick failed")

    def _local_offset(self) -> float:
        # schedule lives in local time: the end of summer time is a step back like any other.
        wall = self._clock.wall()
        return wall + time.localtime(wall).tm_gmtoff - self._clock.monotonic()

    def step(self) -> None:
        """One turn of the loop: look at the clock, then run what is due."""
        offset = self._local_offset()
        if abs(offset - self._offset) > STEP_SECONDS:
            event(log, logging.WARNING, "the clock was stepped", seconds=round(offset - self._offset, 1))
            self._add()
        self._offset = offset
        self._scheduler.run_pending()

    def stop(self) -> None:
        """End run(), soon. Takes no lock: a signal handler may call it."""
        self.stopped = True

    def run(self) -> None:
        """Turn until `stopped` is set."""
        while not self.stopped:
            self.step()
            self._sleep(POLL_SECONDS)
