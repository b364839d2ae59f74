"""Numbers that a process and those that it forks see together."""

from __future__ import annotations

from mmap import mmap


def doubles(count: int) -> memoryview[float]:
    """So many of them, all zero. Reading or writing one is atomic; += is not."""
    return memoryview(mmap(-1, 8 * count)).cast("d")
