"""The contract of a channel: it sends a message and says itself what is to be done if that failed.

The reasons are a closed set (spec/rules.md, "Delivery"); the sender in alerter/ acts on them and knows
nothing of HTTP or Slack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from clustersight.notify.notice import Message


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """5xx, refused connection, no answer in time: it may go through later. `reason` holds no secret."""

    reason: str


@dataclass(frozen=True, slots=True)
class Paused:
    """429: nothing may be sent for so many seconds."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class ChannelBroken:
    """403, 404, 410: the channel needs repair; messages wait for it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """400: this message is not taken; the next one may be."""

    reason: str


Outcome = Delivered | TryAgain | Paused | ChannelBroken | Refused


class Channel(Protocol):
    """Where messages go; one thread uses it at a time. Its repr and errors never show URL or headers."""

    @property
    def name(self) -> str:
        """As the configuration has it."""

    def send(self, message: Message, *, plain: bool = False) -> Outcome:
        """One try, at most some 10 s; never raises for what a receiver does.

        `plain`: as plain text of at most 3000 characters, for a message that was refused with its blocks.
        """
