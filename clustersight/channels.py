"""The channels that are configured: those of the file, and the one that is set over the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from clustersight.settings.notify import ChannelKind, ChannelSettings
from clustersight.store import settings as stored_settings
from clustersight.store.database import Connection
from clustersight.store.errors import Undecryptable
from clustersight.store.secrets import SecretBox

# The setting, and the channel that it is (spec/api.md, "Settings").
SETTING = "slack_webhook_url"
SLACK = "slack"


@dataclass(frozen=True, slots=True)
class Known:
    """A channel; `problem` says why it cannot be used although it is set."""

    settings: ChannelSettings
    problem: str = ""


def stored_webhook(secrets: SecretBox, db: Connection) -> tuple[str | None, str]:
    """The URL that was set over the API, in clear, and why it cannot be used; neither where none is set."""
    token = stored_settings.read_encrypted(db).get(SETTING)
    if token is None:
        return None, ""
    try:
        return secrets.decrypt(token), ""
    except Undecryptable as error:
        return None, str(error)


def every(own: Sequence[ChannelSettings], secrets: SecretBox, db: Connection) -> list[Known]:
    """All of them, also what is off; `own` are those of the file, in its order, and win by name."""
    found = [Known(channel) for channel in own]
    url, problem = stored_webhook(secrets, db)
    if any(channel.name == SLACK for channel in own) or not (url or problem):
        return found
    secret = SecretStr(url) if url else None
    return [*found, Known(ChannelSettings(name=SLACK, kind=ChannelKind.SLACK, url=secret), problem)]
