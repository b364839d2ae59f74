"""What the workers of one API have in common, in memory that is made before they are forked."""

from __future__ import annotations

from dataclasses import dataclass

from api.attempts import Attempts
from api.reloads import ReloadState
from api.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Shared:
    """Wrong tokens, counts of requests, and how reloads went."""

    attempts: Attempts
    traffic: Traffic
    reloads: ReloadState


def shared(attempts_per_minute: int, now: float) -> Shared:
    """Fresh memory for all of it; `now` in epoch seconds."""
    return Shared(Attempts(attempts_per_minute), Traffic(), ReloadState(now))
