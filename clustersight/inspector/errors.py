"""What the inspector raises beside ClickHouse's own errors: one class for each decision of a caller.

InspectorError
├── QueryLogUnavailable    no node has a query_log that we may read
├── TooExpensive           the server or our deadline broke the question off; a smaller one may do
├── NotExplainable         a text that no EXPLAIN is run for, or a server that has none
└── UnknownHash            no query of the last days has it
"""

from __future__ import annotations


class InspectorError(Exception):
    """Base of the tree. `message` is for a person and holds no literal of a query."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class QueryLogUnavailable(InspectorError):
    """The message says what to enable or to grant."""


class TooExpensive(InspectorError):
    """`smaller_hours` is the next smaller range, None where the question has no range or no smaller one."""

    def __init__(self, message: str, smaller_hours: int | None = None) -> None:
        super().__init__(message)
        self.smaller_hours = smaller_hours


class NotExplainable(InspectorError):
    """The message says why."""


class UnknownHash(InspectorError):
    """No reachable node has logged such a query in the last seven days."""
