"""When a target is due: decided on the monotonic clock, staggered over the interval (pure)."""

from __future__ import annotations

import hashlib


def phase(identity: str) -> float:
    """0..1, always the same for the same target: fifty nodes must not be asked in the same second."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:4]) / 2**32


def next_due(now: float, interval_seconds: float, target_phase: float) -> float:
    """The target's next slot after `now`, in monotonic seconds."""
    offset = target_phase * interval_seconds
    slots = (now - offset) // interval_seconds + 1
    return slots * interval_seconds + offset


def tier2_due(now: float, last: float | None, interval_seconds: float, every: int) -> bool:
    """Whether the slow panels belong into a visit; half an interval of grace keeps the rhythm."""
    return last is None or now - last >= (every - 0.5) * interval_seconds
