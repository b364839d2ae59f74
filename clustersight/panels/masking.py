"""Rows without the values that their exceptions quote: what is stored never holds those of customers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from clustersight.sql_text.literals import masked

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RowT = TypeVar("RowT", bound="DataclassInstance")


def without_values(rows: Iterable[RowT], field: str) -> list[RowT]:
    """The rows with this field masked; those that have no exception, nearly all, are not copied."""
    return [replace(row, **{field: masked(text)}) if (text := getattr(row, field)) else row for row in rows]
