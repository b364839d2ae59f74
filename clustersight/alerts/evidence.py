"""The panel's row behind a sample: what an alert shows, and what its fix is written with (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
# A label whose column is named otherwise in the panel's rows.
_COLUMNS = {"error": "name"}


class Rows:
    """A panel's rows of one host, the worst first, found by their labels without looking at each."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._indexes: dict[tuple[str, ...], dict[tuple[str, ...], list[Row]]] = {}

    def behind(self, key: str, labels: Mapping[str, str]) -> dict[str, Any] | None:
        """The worst row that belongs to the labels of a sample; None where there is none.

        A label that the rows have no column for is not looked at. Of several rows the one is taken that
        says of itself what the key counts: mutations.failing -> is_failing.
        """
        if not self._rows:
            return None
        wanted = {_COLUMNS.get(name, name): value for name, value in labels.items()}
        names = tuple(name for name in wanted if name in self._rows[0])
        found = self._index(names).get(tuple(wanted[name] for name in names))
        if not found:
            return None
        flag = f"is_{key.rpartition('.')[2]}"
        return dict(next((row for row in found if row.get(flag)), found[0]))

    def _index(self, names: tuple[str, ...]) -> dict[tuple[str, ...], list[Row]]:
        if names not in self._indexes:
            index: dict[tuple[str, ...], list[Row]] = {}
            for row in self._rows:
                index.setdefault(tuple(str(row.get(name)) for name in names), []).append(row)
            self._indexes[names] = index
        return self._indexes[names]
