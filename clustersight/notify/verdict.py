"""What an answer means for the message and the channel: the table of spec/rules.md, "Delivery"."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime

from clustersight.notify.channel import ChannelBroken, Delivered, Outcome, Paused, Refused, TryAgain
from clustersight.notify.posting import Answer

# Where a receiver asks for patience, and does not say how much.
DEFAULT_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 3600.0
# "Now" and a date that is over mean: soon, not in a loop.
SHORTEST_PAUSE_SECONDS = 1.0
# 401 and 405 speak of credentials and URL: with them, every message would be refused until it is dead.
_BROKEN = frozenset({401, 403, 404, 405, 410})
# The receiver says itself that it was too slow, or that it is too early.
_PASSING = frozenset({408, 425})


def verdict(answer: Answer, now: float) -> Outcome:
    """By the status alone; `now` in epoch seconds, for a Retry-After with a date."""
    status, reason = answer.status, said(answer)
    if 200 <= status < 300:
        return Delivered()
    if status == 429:
        return Paused(pause_seconds(answer.retry_after, now), reason)
    if 300 <= status < 400:
        return ChannelBroken(f"it redirects ({status}); set the URL to the address it leads to")
    if status in _BROKEN:
        return ChannelBroken(reason)
    if 400 <= status < 500 and status not in _PASSING:
        return Refused(reason)
    return TryAgain(reason)


def said(answer: Answer) -> str:
    """`it answers 404: no_service`."""
    return f"it answers {answer.status}" + (f": {answer.excerpt}" if answer.excerpt else "")


def pause_seconds(retry_after: str | None, now: float) -> float:
    """Retry-After: seconds or an HTTP date (RFC 9110, 10.2.3)."""
    seconds = _seconds(retry_after or "", now)
    if not math.isfinite(seconds):
        return DEFAULT_PAUSE_SECONDS
    return min(max(seconds, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)


def _seconds(text: str, now: float) -> float:
    """NaN for what cannot be read."""
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        return seconds if seconds >= 0 else math.nan
    try:
        return parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return math.nan
