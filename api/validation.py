"""What pydantic finds wrong with a request, as the `detail` of a 422: a path and a message, no input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from api.errors import Detail, Invalid

# A field that somebody made up is named in the answer, up to here.
_PATH_CHARACTERS = 200


def invalid(detail: Sequence[Detail]) -> Invalid:
    """The error about these fields."""
    first, more = detail[0], len(detail) - 1
    others = f", and {more} more" if more else ""
    return Invalid(f"{first.path} {first.message}{others}", detail=detail)


def from_pydantic(error: ValidationError, allowed: Iterable[str] = (), root: str = "body") -> Invalid:
    """The error of a model; `allowed` are its fields, `root` names the whole of what was read."""
    found = error.errors(include_url=False, include_input=False)
    return invalid([Detail(_path(one, root), message_of(one, allowed)) for one in found])


def _path(error: ErrorDetails, root: str) -> str:
    steps = [str(step) for step in error["loc"]]
    context = error.get("ctx", {})
    # clustersight.settings.fields.fault() may name another field than the one that failed.
    if beside := context.get("beside"):
        steps = [*steps[:-1], beside]
    if below := context.get("below"):
        steps = [*steps, below]
    return (".".join(steps) or root)[:_PATH_CHARACTERS]


def message_of(error: ErrorDetails, allowed: Iterable[str] = ()) -> str:
    """One line that goes on after the name of the field: `must be …`, `is required`."""
    if error["type"] == "missing":
        return "is required"
    if error["type"] == "extra_forbidden":
        names = ", ".join(allowed) if len(error["loc"]) == 1 else ""
        return f"is unknown; there are: {names}" if names else "is unknown"
    text = error["msg"].removeprefix("Value error, ")
    if text.startswith("Input should be"):
        return "must be" + text.removeprefix("Input should be")
    if text.startswith("Invalid JSON:"):
        return "is not JSON:" + text.removeprefix("Invalid JSON:")
    return text[:1].lower() + text[1:]
