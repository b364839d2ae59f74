"""Rows as JSON, whatever strangers named their tables."""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticSerializationError

from api.envelope import Rendered, render


def rendered(data: Any) -> Rendered:
    """The JSON; half a surrogate pair, for which UTF-8 has no form, is written as its escape."""
    try:
        return Rendered(render(data))
    except PydanticSerializationError:
        return Rendered(render(_speakable(data)))


def _speakable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_speakable(key): _speakable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_speakable(item) for item in value]
    return value
