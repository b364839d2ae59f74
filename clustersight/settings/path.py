"""The way from Settings to one setting, by the types of the models: what is there, what is allowed."""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clustersight.yaml_tree import Keys


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """Return the types that an annotation allows, without None and without validators."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _alternatives(typing.get_args(annotation)[0])
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        found = [_alternatives(part) for part in typing.get_args(annotation)]
        return tuple(part for parts in found for part in parts if part is not type(None))
    return (annotation,)


def _child(annotation: Any, key: str | int) -> Any | None:
    for part in _alternatives(annotation):
        arguments = typing.get_args(part)
        if typing.get_origin(part) is tuple and isinstance(key, int):
            return arguments[0]
        if typing.get_origin(part) is dict and isinstance(key, str):
            return arguments[1]
        if isinstance(part, type) and issubclass(part, BaseModel) and key in part.model_fields:
            return part.model_fields[str(key)].annotation
    return None


def annotation_at(model: Any, keys: Keys) -> Any | None:
    """Return the type of the setting at `keys` below `model`; None where there is none."""
    found: Any | None = model
    for key in keys:
        found = None if found is None else _child(found, key)
    return found


def allowed_at(model: Any, keys: Keys) -> tuple[str, ...]:
    """Return the keys that the section at `keys` knows; none where there is no section."""
    for part in _alternatives(annotation_at(model, keys)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return tuple(part.model_fields)
    return ()


def holds(model: Any, keys: Keys, kind: type) -> bool:
    """Tell whether the setting at `keys` may be of the type `kind`."""
    return kind in _alternatives(annotation_at(model, keys))


def secrets_in(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, SecretStr]]:
    """Walk a model and yield the way to every secret that is set."""
    if isinstance(value, SecretStr):
        yield keys, value
        return
    for key, child in _children(value):
        yield from secrets_in(child, (*keys, key))


def _children(value: Any) -> Iterator[tuple[str | int, Any]]:
    # A model iterates over (name, value).
    if isinstance(value, BaseModel):
        yield from value
    elif isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, tuple):
        yield from enumerate(value)
