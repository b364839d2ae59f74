"""Identities of what people make: two letters, an underscore, twelve hex digits (spec/api.md)."""

from __future__ import annotations

import re
import secrets
from enum import StrEnum

# For routes too: what does not look like an id is another path, such as /clusters/test.
PATTERN = r"[a-z]{2}_[0-9a-f]{12}"
_ID = re.compile(PATTERN)


class Prefix(StrEnum):
    """What an id names."""

    CLUSTER = "cl"
    RULE = "ru"
    ALERT = "al"
    SILENCE = "si"


def new_id(prefix: Prefix) -> str:
    """A new id; 48 random bits, and the store's primary key notices the one collision in a lifetime."""
    return f"{prefix}_{secrets.token_hex(6)}"


def is_id(text: str) -> bool:
    """Whether the text has the form of an id."""
    return _ID.fullmatch(text) is not None
