"""How unfinished mutations get on from one collection to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clustersight.panels.panel import Context

Identity = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Progress:
    """`still_seconds` is for how long no part got done, since it was first seen at the earliest."""

    still_seconds: float
    done_pct: float | None


@dataclass(frozen=True, slots=True)
class _Seen:
    most: int
    lowest: int
    fell_at: float


def follow(context: Context, parts_to_do: Mapping[Identity, int]) -> dict[Identity, Progress]:
    """Compare with earlier collections, and remember this one; what is finished is forgotten."""
    before: dict[Identity, _Seen] = context.memory.get("seen", {})
    seen = {
        identity: _next(before.get(identity), parts, context.monotonic)
        for identity, parts in parts_to_do.items()
    }
    context.memory["seen"] = seen
    return {
        identity: Progress(context.monotonic - seen[identity].fell_at, _done_pct(seen[identity], parts))
        for identity, parts in parts_to_do.items()
    }


def _next(before: _Seen | None, parts: int, now: float) -> _Seen:
    if before is None:
        return _Seen(parts, parts, now)
    fell_at = now if parts < before.lowest else before.fell_at
    return _Seen(max(parts, before.most), min(parts, before.lowest), fell_at)


def _done_pct(seen: _Seen, parts: int) -> float | None:
    return round(100 * (1 - parts / seen.most), 2) if seen.most > 0 else None
