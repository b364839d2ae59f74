"""Which module sends for which kind of channel: a new kind is a module and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clustersight.notify.channel import Channel
from clustersight.notify.destination import Patience
from clustersight.notify.posting import Poster
from clustersight.notify.slack import SlackChannel
from clustersight.notify.webhook import WebhookChannel
from clustersight.settings.notify import ChannelKind, ChannelSettings

KINDS: Mapping[ChannelKind, Callable[[str, Poster], Channel]] = {
    ChannelKind.SLACK: SlackChannel,
    ChannelKind.WEBHOOK: WebhookChannel,
}


def open_channel(
    settings: ChannelSettings, *, allow_private: bool, patience: Patience | None = None
) -> Channel:
    """A channel that is on; nothing is connected before it sends. Raises ValueError for one without a URL."""
    if settings.url is None:
        raise ValueError(f"the channel {settings.name} has no URL")
    headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
    url = settings.url.get_secret_value()
    poster = Poster(url, headers, allow_private=allow_private, patience=patience)
    return KINDS[settings.kind](settings.name, poster)
