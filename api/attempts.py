"""Wrong tokens of the last minute by address, and right ones, in memory that all worker processes share."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import threading
from collections.abc import Iterator

from api.memory import doubles

WINDOW_SECONDS = 60.0
# Doubles in all: 4 MB at most, 400 kB with the default of 10 attempts a minute.
_MAX_DOUBLES = 500_000
_MAX_SLOTS = 4096
# An address may stand in so many places: with one, two unlucky ones would forget each other.
_PLACES = 4
# People and scrapers who come in with a name and a password.
_RIGHT = 4096


class Attempts:
    """A table of fixed size. An address's slot is its tag, how many were seen, and the last times.

    Workers write without a lock between them: what two lose to each other is one attempt of many.
    """

    def __init__(self, limit: int) -> None:
        """`limit` a minute; 0 is none."""
        self._limit = limit
        self._width = limit + 2
        self._slots = min(_MAX_SLOTS, max(_PLACES, _MAX_DOUBLES // self._width))
        self._memory = doubles(self._slots * self._width)
        self._right = doubles(_RIGHT)
        # The workers are forked with the same one: they must find the same places.
        self._key = secrets.token_bytes(16)
        self._lock = threading.Lock()

    def wrong(self, address: str, now: float) -> float:
        """Count a wrong token; returns the seconds to wait, 0 while the limit is kept. `now` is monotonic."""
        if not self._limit:
            return 0.0
        tag, places = self._places(address)
        with self._lock:
            slot = self._slot(tag, places)
            oldest = self._push(slot, now)
        return max(0.0, oldest + WINDOW_SECONDS - now) if oldest else 0.0

    def wait(self, address: str, now: float) -> float:
        """The seconds that another wrong token would have to wait, which is not counted."""
        if not self._limit:
            return 0.0
        tag, places = self._places(address)
        with self._lock:
            slot = next((place for place in places if self._memory[place] == tag), None)
            times = [] if slot is None else list(self._times(slot))
        return max(0.0, min(times) + WINDOW_SECONDS - now) if len(times) == self._limit else 0.0

    def right(self, header: str) -> None:
        """Note an Authorization header that was right."""
        place, tag = self._tag(header)
        self._right[place] = tag

    def was_right(self, header: str) -> bool:
        """Whether it was noted and not displaced; it must be checked all the same."""
        place, tag = self._tag(header)
        return self._right[place] == tag

    def _tag(self, header: str) -> tuple[int, float]:
        digest = hashlib.blake2b(header.encode(), key=self._key).digest()
        return int.from_bytes(digest[6:10], "big") % _RIGHT, float(int.from_bytes(digest[:6], "big") + 1)

    def _places(self, address: str) -> tuple[float, list[int]]:
        digest = hashlib.blake2b(_network(address).encode(), key=self._key, digest_size=32).digest()
        numbers = [int.from_bytes(digest[i : i + 4], "big") for i in range(8, 8 + 4 * _PLACES, 4)]
        # 52 bits are exact in a double; 0 is an empty slot.
        return float(int.from_bytes(digest[:6], "big") + 1), [n % self._slots * self._width for n in numbers]

    def _slot(self, tag: float, places: list[int]) -> int:
        for place in places:
            if self._memory[place] == tag:
                return place
        slot = min(places, key=self._newest)
        self._memory[slot], self._memory[slot + 1] = tag, 0.0
        return slot

    def _newest(self, slot: int) -> float:
        return max(self._times(slot), default=float("-inf"))

    def _times(self, slot: int) -> Iterator[float]:
        seen = min(int(self._memory[slot + 1]), self._limit)
        return (self._memory[slot + 2 + i] for i in range(seen))

    def _push(self, slot: int, now: float) -> float:
        """Note a time; returns the oldest of the last `limit` before it, 0 where that is no longer one."""
        seen = int(self._memory[slot + 1])
        place = slot + 2 + seen % self._limit
        oldest = self._memory[place] if seen >= self._limit else 0.0
        self._memory[place], self._memory[slot + 1] = now, float(seen + 1)
        return oldest if oldest > now - WINDOW_SECONDS else 0.0


def _network(address: str) -> str:
    """Who has one address of IPv6 has 2^64 of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 6:
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network(f"{found}/64", strict=False))
    return address
