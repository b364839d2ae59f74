"""The channels that are configured, as a request sees them."""

from __future__ import annotations

from api.context import Context
from clustersight import channels
from clustersight.channels import Known
from clustersight.settings.notify import ChannelSettings
from clustersight.store.database import Connection


def every(context: Context, db: Connection) -> list[Known]:
    """All of them, also what is off."""
    return channels.every(context.settings.notify.channels, context.secrets, db)


def usable(context: Context, db: Connection) -> list[ChannelSettings]:
    """Those that are on, as the alerter has them."""
    return [known.settings for known in every(context, db) if known.settings.is_on]
