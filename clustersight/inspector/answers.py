"""What a question to several nodes ends with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from clustersight.panels.panel import Status

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Found(Generic[RowT]):
    """Rows, the worst first. `nodes` says of every node whether it answered, `errors` why it did not.

    `quantiles` says how those of several nodes were put together, empty where there are none.
    """

    rows: tuple[RowT, ...]
    nodes: Mapping[str, Status]
    errors: Mapping[str, str]
    quantiles: str = ""

    @property
    def data(self) -> list[dict[str, Any]]:
        """The rows as the API names them."""
        return [asdict(row) for row in self.rows]  # type: ignore[call-overload]

    @property
    def meta(self) -> dict[str, Any]:
        """What the API adds to its envelope."""
        known = {"nodes": dict(self.nodes), "node_errors": dict(self.errors)}
        return known | ({"quantiles": self.quantiles} if self.quantiles else {})
