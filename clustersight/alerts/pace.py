"""How fast a channel may be used: a token bucket, and how long a failure waits (pure)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# facts/alerting-engines.md 3.3: Slack takes about one message a second and short bursts.
PER_SECOND = 1.0
BURST = 5.0
FIRST_BACKOFF_SECONDS = 1.0
MOST_BACKOFF_SECONDS = 300.0
PROBE_SECONDS = 300.0


@dataclass(slots=True)
class Bucket:
    """Tokens at a moment of the monotonic clock."""

    tokens: float
    at: float

    def wait(self, now: float) -> float:
        """Seconds until a message may go; 0: now."""
        self._fill(now)
        return max(0.0, (1.0 - self.tokens) / PER_SECOND)

    def take(self, now: float) -> None:
        """A message went."""
        self._fill(now)
        self.tokens -= 1.0

    def _fill(self, now: float) -> None:
        self.tokens = min(BURST, self.tokens + max(0.0, now - self.at) * PER_SECOND)
        self.at = now


def full(now: float, *, idle_seconds: float) -> Bucket:
    """The bucket of a channel that was last used so long ago: a restart gives no second burst."""
    return Bucket(min(BURST, max(0.0, idle_seconds) * PER_SECOND), now)


def backoff(failures: int, random: Callable[[], float]) -> float:
    """Seconds after so many failures in a row, from half to the whole of 1, 2, 4 … 300 s.

    The jitter: several alerters and channels must not come back together.
    """
    most = min(MOST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 20))
    return most * (0.5 + 0.5 * random())
