"""Any receiver of JSON: the whole message, to be taken apart by a program of the user's.

The body: `id`, `form`, `sent_at` (epoch seconds), `links`, `text` (plain, for people) and `notices`, each
with the fields of notice.Notice. A number that JSON does not know (NaN) is null. Any 2xx is a success.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from clustersight.notify import wording
from clustersight.notify.channel import Outcome
from clustersight.notify.limits import PLAIN_SIZE, clean
from clustersight.notify.notice import Message
from clustersight.notify.posting import Answer, Poster
from clustersight.notify.verdict import verdict

# Half of a surrogate pair, which no UTF-8 holds.
_HALF = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


class WebhookChannel:
    """One URL; the header Idempotency-Key is the same for every try of a message."""

    def __init__(self, name: str, poster: Poster, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` tells epoch seconds, for a Retry-After with a date."""
        self._name, self._poster, self._clock = name, poster, clock

    def __repr__(self) -> str:
        return f"WebhookChannel({self._name!r})"

    @property
    def name(self) -> str:
        return self._name

    def send(self, message: Message, *, plain: bool = False) -> Outcome:
        content = _head(message) if plain else _content(message)
        body = json.dumps(_encodable(content), ensure_ascii=False, allow_nan=False).encode()
        answer = self._poster.post(body, {"Idempotency-Key": message.id})
        return verdict(answer, self._clock()) if isinstance(answer, Answer) else answer


def _head(message: Message) -> dict[str, Any]:
    text = clean(wording.lines(message), PLAIN_SIZE, lines=True)
    return {"id": message.id, "form": message.form, "sent_at": message.sent_at, "text": text}


def _content(message: Message) -> dict[str, Any]:
    return _head(message) | {
        "links": dataclasses.asdict(message.links),
        "notices": [notice.plain() for notice in message.notices],
    }


def _encodable(value: Any) -> Any:
    """What JSON and UTF-8 can hold; a row of evidence may have anything."""
    if isinstance(value, Mapping):
        return {_encodable(str(key)): _encodable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    return _HALF.sub(_REPLACEMENT, str(value))
