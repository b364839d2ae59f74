"""How the document of the settings names a type and a default."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from clustersight.duration import format_duration
from clustersight.settings.fields import Bounds
from clustersight.settings.listen import Listen

_PLAIN: dict[Any, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    SecretStr: "secret",
    Path: "path",
    Listen: "HOST:PORT",
    timedelta: "duration",
}


@dataclass(frozen=True)
class Below:
    """A section below a key; `within` is what stands between: `[]` in a list, `NAME` in a mapping."""

    model: type[BaseModel]
    within: tuple[str, ...]


def section_of(annotation: Any) -> Below | None:
    """The section that a field is, or is a list or mapping of; None for a plain setting."""
    bare, _ = _bare(annotation)
    if _is_model(bare):
        return Below(bare, ())
    origin, arguments = typing.get_origin(bare), typing.get_args(bare)
    if origin is tuple and _is_model(arguments[0]):
        return Below(arguments[0], ("[]",))
    if origin is dict and _is_model(arguments[1]):
        return Below(arguments[1], ("NAME",))
    return None


def kind_of(field: FieldInfo) -> str:
    """Its type in words, with bounds where it has some."""
    bare, metadata = _bare(field.annotation)
    bounds = [
        one.func for one in (*field.metadata, *metadata) if isinstance(getattr(one, "func", None), Bounds)
    ]
    return _named(bare) + "".join(f", {one.low} to {one.high}" for one in bounds)


def default_of(field: FieldInfo) -> str:
    """As it is written in YAML."""
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        return "required"
    bare, _ = _bare(field.annotation)
    if default is None and (bare is bool or _is_enum(bare)):
        return "from the port"
    return f"`{_written(default)}`"


def _written(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple | dict):
        return "[]" if isinstance(value, tuple) else "{}"
    return str(value)


def _bare(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without None, and what was annotated to it."""
    if typing.get_origin(annotation) is typing.Annotated:
        inner, *metadata = typing.get_args(annotation)
        bare, more = _bare(inner)
        return bare, (*metadata, *more)
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        (only,) = [one for one in typing.get_args(annotation) if one is not type(None)]
        return _bare(only)
    return annotation, ()


def _named(annotation: Any) -> str:
    bare, _ = _bare(annotation)
    if _is_enum(bare):
        return ", ".join(f"`{member}`" for member in bare)
    origin, arguments = typing.get_origin(bare), typing.get_args(bare)
    if origin is dict:
        return "mapping" if _is_model(arguments[1]) else f"mapping of name to {_named(arguments[1])}"
    if origin is tuple:
        return "list" if _is_model(arguments[0]) else f"list of {_named(arguments[0])}"
    return _PLAIN[bare]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_enum(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, StrEnum)
