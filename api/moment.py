"""A point in time in a request: ISO 8601 with a zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

_LEAST = datetime(2000, 1, 1, tzinfo=UTC)
_MOST = datetime(2100, 1, 1, tzinfo=UTC)


def _sane(moment: datetime) -> datetime:
    if not _LEAST <= moment < _MOST:
        raise ValueError("must be between the years 2000 and 2100")
    return moment


Moment = Annotated[
    AwareDatetime, Field(strict=False, examples=["2026-03-22T14:00:00Z"]), AfterValidator(_sane)
]


def epoch(moment: datetime) -> float:
    """In epoch seconds."""
    return moment.timestamp()
