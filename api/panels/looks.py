"""What the store says, looked at a few times a second instead of at every request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from api.flight import Flight
from api.live.following import LOOK_SECONDS

SeenT = TypeVar("SeenT")

# Clusters come and go; what nobody has looked at for this long is forgotten.
FORGOTTEN_SECONDS = 60.0


class Looks(Generic[SeenT]):
    """Thread safe; `monotonic` in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._flight: Flight[SeenT] = Flight()
        self._seen: dict[Hashable, tuple[float, SeenT]] = {}

    def look(self, key: Hashable, read: Callable[[], SeenT]) -> SeenT:
        """What `read()` says, or said a quarter of a second ago. Raises what it raises."""
        known = self._seen.get(key)
        if known is not None and 0 <= self._monotonic() - known[0] < LOOK_SECONDS:
            return known[1]
        return self._flight.do(key, lambda: self.put(key, self._monotonic(), read()))

    def put(self, key: Hashable, at: float, seen: SeenT) -> SeenT:
        """Somebody has looked anyway; `at` is before they did."""
        with self._lock:
            old = at - FORGOTTEN_SECONDS
            self._seen = {other: one for other, one in self._seen.items() if one[0] >= old}
            self._seen[key] = (at, seen)
        return seen
