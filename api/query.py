"""Query parameters: typed, each at most once, none unknown; and pages of lists."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.errors import Detail
from api.validation import from_pydantic, invalid

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_BOOLEAN = {"true": True, "false": False}


class Query(BaseModel):
    """Base of all query strings; fields are int, float, bool, str, enumerations, or None by default."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class NoQuery(Query):
    """No parameters at all."""


class Paged(Query):
    """`limit` and `offset` of a list."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    offset: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0


class NoMeta(BaseModel):
    """Nothing beside the data."""


class PageMeta(BaseModel):
    """Which part of a list this is; `has_more`: there is something behind it."""

    total: int
    limit: int
    offset: int
    has_more: bool


def page_meta(total: int, query: Paged) -> PageMeta:
    """The meta of a page of a list of `total` items."""
    more = query.offset + query.limit < total
    return PageMeta(total=total, limit=query.limit, offset=query.offset, has_more=more)


Q = TypeVar("Q", bound=Query)


def read_query(model: type[Q]) -> Q:
    """The query string of this request. Raises Invalid."""
    if not request.query_string and not _required(model):
        return model()
    given = request.args.to_dict(flat=False)
    wrong = [
        Detail(name[:200], "is given more than once") for name, values in given.items() if len(values) > 1
    ]
    wrong += [
        Detail(name[:200], "must not hold the character NUL") for name in given if _holds_nul(given, name)
    ]
    if wrong:
        raise invalid(wrong)
    fields = model.model_fields
    values = {
        name: _read(values[0], fields[name].annotation) if name in fields else values[0]
        for name, values in given.items()
    }
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise from_pydantic(error, fields, "query") from None


def _required(model: type[Query]) -> bool:
    return any(field.is_required() for field in model.model_fields.values())


def _holds_nul(given: Mapping[str, list[str]], name: str) -> bool:
    return "\0" in name or any("\0" in value for value in given[name])


def _read(text: str, annotation: Any) -> Any:
    """Numbers and booleans as JSON writes them; what is none stays text, and the model says so."""
    kinds = _kinds(annotation)
    if bool in kinds:
        return _BOOLEAN.get(text, [])  # a list is no bool in any mode
    if int in kinds:
        return int(text) if _INTEGER.fullmatch(text) else []
    if float in kinds:
        return float(text) if _NUMBER.fullmatch(text) else []
    return text


def _kinds(annotation: Any) -> set[Any]:
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return set().union(*map(_kinds, get_args(annotation)))
    return {annotation}
