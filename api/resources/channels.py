"""GET /channels: where alerts are delivered, and how each channel does."""

from __future__ import annotations

import math
from dataclasses import replace
from enum import StrEnum

from pydantic import Field

from api import channels
from api.context import current
from api.resource import Resource, Shape
from clustersight.channels import Known
from clustersight.settings.notify import ChannelKind, Severity
from clustersight.store import channels as stored_channels
from clustersight.store.channels import HEALTHY, PAUSED, UNHEALTHY, ChannelState
from clustersight.times import iso

RESOURCE = Resource("channels", "Where alerts are delivered, and how each channel does.")


class ChannelCondition(StrEnum):
    """How a channel does: `unused` has sent nothing yet, `off` has no URL that can be used."""

    HEALTHY = HEALTHY
    PAUSED = PAUSED
    UNHEALTHY = UNHEALTHY
    UNUSED = "unused"
    OFF = "off"


class ChannelMatchShape(Shape):
    """Which alerts it takes; an empty condition takes all."""

    severity: list[Severity]
    cluster: list[str]
    labels: dict[str, str]


class ChannelShape(Shape):
    """A channel, without its URL. `since` is when it came into this state."""

    name: str = Field(examples=["slack"])
    kind: ChannelKind
    state: ChannelCondition
    since: str | None
    paused_until: str | None
    last_error: str | None
    last_delivered_at: str | None
    match: ChannelMatchShape


@RESOURCE.get("/channels")
def get_channels() -> list[ChannelShape]:
    """All channels that are configured, as the alerter last found them."""
    with current().database.read() as db:
        known, states = channels.every(current(), db), stored_channels.every(db)
    now = current().now
    return [_shape(one, states.get(one.settings.name), now) for one in known]


def _shape(known: Known, found: ChannelState | None, now: float) -> ChannelShape:
    settings = known.settings
    if found is not None and found.paused_until is not None and found.paused_until <= now:
        # The next message says so too; until then nobody waits any more.
        found = replace(found, state=ChannelCondition.HEALTHY, since=found.paused_until, paused_until=None)
    if found is None or not settings.is_on:
        condition = ChannelCondition.UNUSED if settings.is_on else ChannelCondition.OFF
        found = ChannelState(settings.name, condition, math.nan, last_error=known.problem)
    return ChannelShape(
        name=settings.name,
        kind=settings.kind,
        state=ChannelCondition(found.state),
        since=iso(found.since),
        paused_until=iso(found.paused_until),
        last_error=found.last_error or None,
        last_delivered_at=iso(found.last_delivered_at),
        match=ChannelMatchShape(
            severity=list(settings.match.severity),
            cluster=list(settings.match.cluster),
            labels=dict(settings.match.labels),
        ),
    )
