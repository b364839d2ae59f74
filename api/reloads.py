"""How the reloads of the configuration went: written by the parent process, read by all."""

from __future__ import annotations

from api.memory import doubles


class ReloadState:
    """Starts with the configuration of the start, taken over at `now` (epoch seconds)."""

    def __init__(self, now: float) -> None:
        self._memory = doubles(3)
        self.record(ok=True, now=now)

    def record(self, *, ok: bool, now: float) -> None:
        """Note a reload."""
        self._memory[1] = float(ok)
        if ok:
            self._memory[2] = now
        self._memory[0] += 1  # last: whoever waits for it then reads the rest

    @property
    def count(self) -> int:
        return int(self._memory[0])

    @property
    def ok(self) -> bool:
        return bool(self._memory[1])

    @property
    def succeeded_at(self) -> float:
        return self._memory[2]
