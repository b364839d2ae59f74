"""Where alerts are delivered: the channels and what they accept."""

from __future__ import annotations

import ipaddress
from collections import Counter
from datetime import timedelta
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import InitErrorDetails

from clustersight.settings.fields import Duration, ExistingFile, Section, WebSecret, fault


class ChannelKind(StrEnum):
    """Who receives the message."""

    SLACK = "slack"
    WEBHOOK = "webhook"


class Severity(StrEnum):
    """How bad an alert is."""

    WARNING = "warning"
    CRITICAL = "critical"


def _listed(value: object) -> object:
    """Let `severity: critical` stand for a list of one."""
    return [value] if isinstance(value, str) else value


class ChannelMatch(Section):
    """Which alerts a channel takes; an empty condition takes all."""

    severity: Annotated[tuple[Severity, ...], BeforeValidator(_listed)] = ()
    """Severities that it takes; empty: all."""
    cluster: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Clusters that it takes; empty: all."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels that an alert must have, each with this value; empty: any."""


class ChannelSettings(Section):
    """One channel; without a URL it is off."""

    name: Annotated[str, Field(min_length=1)]
    """Unique; `slack` is also the one that the API sets (slack_webhook_url)."""
    kind: ChannelKind
    """An incoming webhook of Slack, or JSON posted to any address."""
    url_file: ExistingFile = None
    url: WebSecret = None
    """Where to; a channel with an empty URL is off."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Headers of each request, for the kind webhook; their values are secrets."""
    match: ChannelMatch = ChannelMatch()
    """Which alerts it takes."""

    @property
    def is_on(self) -> bool:
        """Whether there is somewhere to deliver to."""
        return self.url is not None


def _is_private(host: str) -> bool:
    """Tell from the text alone; names are resolved where a message is sent."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _refusal(channel: ChannelSettings) -> str | None:
    url = urlsplit(channel.url.get_secret_value() if channel.url else "https://none.example")
    if url.scheme == "https" and not _is_private(url.hostname or ""):
        return None
    return "must be https and not a private address; fix it, or accept it with notify.allow_private: true"


class NotifySettings(Section):
    """All channels; an undelivered message is given up after `max_age`."""

    allow_private: bool = False
    """Whether webhooks may be plain http or on private addresses."""
    max_age: Duration = timedelta(hours=24)
    """An undelivered message is given up after this, and shown as dead."""
    channels: tuple[ChannelSettings, ...] = ()
    """Where alerts go; every channel gets each alert that its `match` takes."""

    @field_validator("max_age")
    @classmethod
    def _positive(cls, max_age: timedelta) -> timedelta:
        if max_age <= timedelta(0):
            raise fault("must be longer than 0s")
        return max_age

    @field_validator("channels")
    @classmethod
    def _public_and_unique(
        cls, channels: tuple[ChannelSettings, ...], info: ValidationInfo
    ) -> tuple[ChannelSettings, ...]:
        seen = Counter[str]()
        errors: list[InitErrorDetails] = []
        for index, channel in enumerate(channels):
            refusal = None if info.data.get("allow_private", True) else _refusal(channel)
            if refusal:
                errors.append(InitErrorDetails(type=fault(refusal), loc=(index, "url"), input=None))
            if seen[channel.name]:
                twice = fault("is the name of an earlier channel; names are unique")
                errors.append(InitErrorDetails(type=twice, loc=(index, "name"), input=None))
            seen[channel.name] += 1
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return channels
