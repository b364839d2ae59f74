"""How many requests may wait for the same thing: one that hangs must leave threads for all the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from api.context import Context

# A burst at something that answers is let in after a moment; what takes longer than this is slow.
PATIENCE_SECONDS = 0.5
# For whoever is sent away.
RETRY_SECONDS = 2


class Crowded(Exception):
    """As many wait already as may, and have done so for a while."""


class Rooms:
    """One per process: `current().of(Rooms)`. Thread safe."""

    def __init__(self, _context: Context, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._inside: dict[Hashable, list[float]] = {}

    @contextmanager
    def room(self, key: Hashable, most: int) -> Iterator[None]:
        """Be one of the `most` who wait for `key`. Raises Crowded, at once where it is known to be slow."""
        began = self._enter(key, most)
        try:
            yield
        finally:
            self._leave(key, began)

    def _enter(self, key: Hashable, most: int) -> float:
        with self._changed:
            if not self._has_room(key, most):
                slow = self._monotonic() - min(self._inside[key]) > PATIENCE_SECONDS
                if slow or not self._changed.wait_for(lambda: self._has_room(key, most), PATIENCE_SECONDS):
                    raise Crowded
            began = self._monotonic()
            self._inside.setdefault(key, []).append(began)
            return began

    def _has_room(self, key: Hashable, most: int) -> bool:
        return len(self._inside.get(key, ())) < most

    def _leave(self, key: Hashable, began: float) -> None:
        with self._changed:
            self._inside[key].remove(began)
            if not self._inside[key]:
                del self._inside[key]
            self._changed.notify_all()
