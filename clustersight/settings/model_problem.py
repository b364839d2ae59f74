"""pydantic's errors in our words: what is allowed, at its place, and never the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clustersight.problem import Problem, unknown
from clustersight.settings.path import allowed_at
from clustersight.yaml_file import named

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from clustersight.yaml_tree import Keys, Tree

# pydantic's own wording speaks of dictionaries and tuples; people wrote YAML.
_MESSAGES = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping (key: value)",
    "missing": "is missing; add it",
    "model_type": "must be a mapping (key: value)",
    "path_type": "must be a path",
    "string_too_short": "must not be empty",
    "string_type": "must be text; put the value in quotes",
    "tuple_type": "must be a list; write `- item` lines or [item, item]",
}


class Locator:
    """Makes Problems for one source: from its tree, or from the environment variable that set the value."""

    def __init__(self, source: str, tree: Tree, variables: Mapping[Keys, str] | None = None) -> None:
        """`variables` names the environment variable behind each overridden setting."""
        self._source = source
        self._tree = tree
        self._variables = variables or {}

    def problem(self, keys: Keys, message: str, *, of_key: bool = False) -> Problem:
        """Place a message at a value, or at its key."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self._variables:
                return Problem(f"environment {self._variables[keys[:length]]}", message)
        place = self._tree.keys.get(keys) if of_key else None
        place = place or self._tree.place(keys)
        return Problem(self._source, message, place.line, place.column)


def problems_of(
    error: ValidationError, model: Any, locator: Locator, known: Collection[Keys]
) -> list[Problem]:
    """Translate every error but those at `known` settings, of which a problem is already reported."""
    details = error.errors(include_url=False, include_input=False)
    return [_problem(detail, model, locator) for detail in details if _keys(detail) not in known]


def _keys(detail: ErrorDetails) -> Keys:
    ctx, loc = detail.get("ctx", {}), detail["loc"]
    if ctx.get("beside"):
        return (*loc[:-1], ctx["beside"])
    return (*loc, ctx["below"]) if ctx.get("below") else loc


def _problem(detail: ErrorDetails, model: Any, locator: Locator) -> Problem:
    keys = _keys(detail)
    kind = detail["type"]
    if kind == "extra_forbidden":
        message = unknown("key", str(keys[-1]), allowed_at(model, keys[:-1]))
        return locator.problem(keys, named(keys[:-1], message), of_key=True)
    ctx = detail.get("ctx", {})
    message = ctx["message"] if kind == "setting" else _MESSAGES.get(kind) or _reworded(detail["msg"])
    return locator.problem(keys, named(keys, message), of_key=bool(ctx.get("of_key")))


def _reworded(message: str) -> str:
    return message.replace("Input should", "must", 1)
