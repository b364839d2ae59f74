"""A rule's own SELECT as a panel: a column `value`, labels in all others; its tables are the user's choice.

The statement is a stranger's: it is judged (sql_text/selects.py), runs read-only with our limits, and stands
in brackets, so that no more rows than MAX_ROWS leave the server.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from clustersight.clickhouse import errors
from clustersight.clickhouse.connection import Result
from clustersight.clickhouse.sql import ident
from clustersight.metrics import Sample
from clustersight.panels.panel import Context, Panel, Rows, Scope
from clustersight.sql_text.literals import stripped_message
from clustersight.sql_text.selects import NotASelect, asks_keeper, one_select

# spec/rules.md: more is an error, since each row can become an alert.
MAX_ROWS = 10_000
# A longer label helps nobody; the end shows that it was cut.
MAX_LABEL = 1000
VALUE = "value"
# 2 GB and 64 MB; no setting of a profile may cut an answer silently.
SETTINGS: Mapping[str, Any] = {
    "max_memory_usage": 2_000_000_000,
    "max_result_bytes": 64_000_000,
    **dict.fromkeys(
        (
            *("timeout_overflow_mode", "read_overflow_mode", "result_overflow_mode"),
            *("group_by_overflow_mode", "sort_overflow_mode", "set_overflow_mode"),
        ),
        "throw",
    ),
}
_GRANT = re.compile(r"have the grant (.+? ON \S+?)\.?(?:\s|$)")

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A value and its labels, in the order of the columns."""

    labels: Labels
    value: float


def panel_of(name: str, sql: str, *, on_each: bool) -> Panel:
    """The panel of a rule; its name is the rule's metric key. Not `on_each`: on the configured node alone."""
    keeper = asks_keeper(sql)
    return Panel(
        name=name,
        about="What the SELECT of a rule returns.",
        probe=lambda context: _probe(context, sql, keeper=keeper),
        samples=_no_samples,
        metrics=(),
        scope=Scope.NODE if on_each else Scope.CLUSTER,
        asks_keeper=keeper,
        of_user=True,
        payload=payload,
        row_of=row_of,
    )


def _no_samples(_rows: Rows) -> Iterable[Sample]:
    """None for the page and the history: the labels are in no catalogue. `plain_samples` has them."""
    return ()


def plain_samples(name: str, rows: Sequence[Row]) -> list[list[object]]:
    """[panel, {label: text}, value], as the store keeps them for the alerter."""
    return [[name, dict(row.labels), row.value] for row in rows]


def payload(rows: Rows) -> list[dict[str, Any]]:
    return [{**dict(row.labels), VALUE: row.value} for row in rows]


def row_of(rows: Rows, labels: Mapping[str, str]) -> Row | None:
    return next((row for row in rows if labels.items() >= dict(row.labels).items()), None)


def _probe(context: Context, sql: str, *, keeper: bool) -> Rows:
    try:
        text = f"SELECT * FROM (\n{one_select(sql)}\n) LIMIT {MAX_ROWS + 1}"  # noqa: S608 - it was judged
        return rows_of(context.statement(text, SETTINGS, asks_keeper=keeper))
    except NotASelect as fault:
        raise errors.QueryFailed(f"the rule's SQL is not run: {fault}") from None
    except errors.ClickHouseError as error:
        raise _told(error, sql, context.username) from error


def _told(error: errors.ClickHouseError, sql: str, username: str) -> errors.ClickHouseError:
    """The failure without values of customers; what is not there is a mistake of the rule."""
    if not error.answered:
        return error
    if isinstance(error, errors.AccessDenied):
        found = _GRANT.search(error.message)
        privilege = found.group(1) if found else "SELECT ON the rule's tables"
        message = f"the rule needs: GRANT {privilege} TO {ident(username)}"
        return errors.AccessDenied(message, error.code, error.name)
    kind = errors.QueryFailed if isinstance(error, errors.Unsupported) else type(error)
    return kind(stripped_message(error.message, sql), error.code, error.name)


def rows_of(result: Result) -> list[Row]:
    """The rows that have a value. Raises QueryFailed for what no rule can be made of."""
    if not result.rows:
        return []  # over HTTP without columns
    _check_columns(result.columns)
    if len(result.rows) > MAX_ROWS:
        raise errors.QueryFailed(
            f"the SELECT returns more than {MAX_ROWS} rows: filter or GROUP BY, or add ORDER BY and LIMIT"
        )
    at = result.columns.index(VALUE)
    found: dict[Labels, Row] = {}
    for cells in result.rows:
        value = _number(cells[at])
        if value is None:
            continue
        labels = tuple((n, _text(c)) for n, c in zip(result.columns, cells, strict=True) if n != VALUE)
        if labels in found:
            raise _repeated([name for name, _ in labels])
        found[labels] = Row(labels, value)
    return list(found.values())


def _check_columns(names: Sequence[str]) -> None:
    if VALUE not in names:
        raise errors.QueryFailed(f"the SELECT returns no column {VALUE}: add AS {VALUE} to the number")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise errors.QueryFailed(f"the SELECT returns two columns {twice[:100]}: rename one with AS")


def _repeated(names: Sequence[str]) -> errors.QueryFailed:
    if not names:
        return errors.QueryFailed(
            "the SELECT returns several rows without labels: add a column that tells them apart, or aggregate"
        )
    several = ", ".join(names)[:200]
    return errors.QueryFailed(
        f"two rows have the same labels: GROUP BY {several}, or add a column that tells them apart"
    )


def _number(cell: Any) -> float | None:
    """None for NULL and NaN, which is what a share of nothing gives."""
    if cell is None:
        return None
    if not isinstance(cell, int | float | Decimal):
        raise errors.QueryFailed(f"{VALUE} is no number: convert it, as in toFloat64(…) AS {VALUE}")
    number = float(cell)
    if math.isinf(number):
        raise errors.QueryFailed(f"{VALUE} is infinite: divide by nullIf(…, 0)")
    return None if math.isnan(number) else number


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    text = str(cell).lower() if isinstance(cell, bool) else str(cell)
    return text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"
