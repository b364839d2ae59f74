"""The channels that are configured now: the file's, and the one that is set over the API."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from alerter.planner import Target
from alerter.sending import Sender
from alerter.surroundings import Surroundings
from clustersight import channels
from clustersight.logs import event
from clustersight.notify.kinds import open_channel
from clustersight.settings.model import Settings
from clustersight.settings.notify import ChannelSettings
from clustersight.store import channels as stored_channels
from clustersight.store import outbox
from clustersight.store.database import Connection
from clustersight.store.opening import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Configured:
    """`usable` can be sent to; what waits for a channel of `names` waits on, also while it is not usable."""

    usable: tuple[ChannelSettings, ...]
    names: tuple[str, ...]


def configured(settings: Settings, store: Store, db: Connection) -> Configured:
    """Those that are on. One whose URL cannot be decrypted is not usable, with a line in the log."""
    known = channels.every(settings.notify.channels, store.secrets, db)
    for one in known:
        if one.problem:
            event(log, logging.ERROR, "channel is off", channel=one.settings.name, error=one.problem)
    return Configured(
        usable=tuple(one.settings for one in known if one.settings.is_on),
        names=tuple(one.settings.name for one in known if one.settings.is_on or one.problem),
    )


class Senders:
    """One sender for each channel; one whose channel is unchanged goes on undisturbed."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[tuple[object, ...], Sender]] = {}

    @property
    def all(self) -> Sequence[Sender]:
        return [sender for _, sender in self._running.values()]

    def follow(self, wanted: Sequence[ChannelSettings], around: Surroundings, *, allow_private: bool) -> None:
        """Start, replace and stop; a replaced one ends its message before the next one begins."""
        names = {channel.name for channel in wanted}
        for name in [name for name in self._running if name not in names]:
            self._running.pop(name)[1].stop()
        for channel in wanted:
            signature = (channel, around.links, around.max_age_seconds, allow_private)
            known = self._running.get(channel.name)
            if known is not None and known[0] == signature:
                continue
            before = known[1] if known else None
            if before is not None:
                before.stop()
            sender = Sender(open_channel(channel, allow_private=allow_private), around, after=before)
            self._running[channel.name] = (signature, sender)
            sender.start()

    def wake(self) -> None:
        for sender in self.all:
            sender.wake()

    def stop(self, timeout_seconds: float) -> None:
        """Let each one end the message that is in flight."""
        for sender in self.all:
            sender.stop()
        for sender in self.all:
            sender.join(timeout_seconds)


def targets(channels: Sequence[ChannelSettings]) -> tuple[Target, ...]:
    """The channels as planning sees them."""
    return tuple(Target(channel.name, channel.match) for channel in channels)


def bury(db: Connection, names: Sequence[str], now: float) -> None:
    """End what waits for channels that are not configured any more."""
    while lost := outbox.orphans(db, names):
        outbox.dead(db, lost, "the channel is not configured any more", now)
    stored_channels.forget(db, list(names))
