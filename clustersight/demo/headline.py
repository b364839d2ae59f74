"""A message for Slack in one line: what a notification shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_CHARACTERS = 160
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def headline(payload: Mapping[str, Any]) -> str:
    """`[WARNING] MutationFailing on demo/ch1 demo.customers: …`, safe for a terminal."""
    text = str(payload.get("text", ""))
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    # Also escape sequences, which would be the terminal's.
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"
