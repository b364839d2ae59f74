"""What follows from the death of a child: pure, the times are arguments."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_SECONDS = 1.0
# A store or a port that comes back is noticed within a minute; a log does not fill up until then.
LONGEST_SECONDS = 60.0
# Who ran this long was well: its next death is a new story.
STEADY_SECONDS = 60.0
# Reading a configuration and opening a store takes a second, on a busy machine several.
START_SECONDS = 30.0
# How our processes say that they cannot start: 1 (configuration, store, address), 2 (command line).
REFUSALS = (1, 2)


@dataclass(frozen=True, slots=True)
class Death:
    """`code` is the exit status, or minus the signal; `start` counts from 1."""

    code: int
    ran_seconds: float
    start: int


def refused(death: Death) -> bool:
    """Whether it says that it can never run so. Later the same may pass, such as a database that is away."""
    return death.start == 1 and death.code in REFUSALS and death.ran_seconds < START_SECONDS


def row_of_deaths(ran_seconds: float, before: int) -> int:
    """How many deaths there were in a row, this one included."""
    return 1 if ran_seconds >= STEADY_SECONDS else before + 1


def wait_seconds(deaths: int) -> float:
    """How long to wait after so many deaths in a row: twice as long each time, up to a minute."""
    doublings = min(deaths - 1, 10)  # beyond, the number would grow without a use
    return float(min(LONGEST_SECONDS, FIRST_SECONDS * 2**doublings))
