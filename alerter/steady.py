"""The alerter's clock: epoch seconds that no step of the wall clock moves."""

from __future__ import annotations

import logging

from clustersight.collection import Clock
from clustersight.logs import event

log = logging.getLogger(__name__)

# Slewing and the time between two readings stay below this.
STEP_SECONDS = 1.0
# More than this shifts what lies within a window of minutes.
LARGE_STEP_SECONDS = 30.0


class SteadyClock:
    """Begins as the wall clock and goes on as the monotonic one (spec/rules.md, "Life of an alert").

    What is measured (for, cooldown, the end of a snooze) is measured on it; what people and other processes
    read is wall time. `steps` counts how often the two came apart, `stepped_at` is when they last did so by
    much (monotonic).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = clock.wall() - clock.monotonic()
        self._offset = 0.0
        self.steps = 0
        self.stepped_at = float("-inf")

    def now(self) -> float:
        return self._begun + self._clock.monotonic()

    def wall(self) -> float:
        return self._clock.wall()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def of_wall(self, wall: float) -> float:
        """The steady time of a moment that was written by the wall clock as it goes now."""
        return wall - self.offset()

    def of_past(self, wall: float) -> float:
        """The same of something that is over: never in the future, whatever the clock was set to."""
        return min(self.of_wall(wall), self.now())

    def offset(self) -> float:
        """How far the wall clock is ahead; notes a step."""
        offset = self._clock.wall() - self.now()
        if abs(offset - self._offset) > STEP_SECONDS:
            self.steps += 1
            if abs(offset - self._offset) > LARGE_STEP_SECONDS:
                self.stepped_at = self._clock.monotonic()
            event(log, logging.WARNING, "the clock was stepped", seconds=round(offset - self._offset, 1))
            self._offset = offset
        return self._offset
