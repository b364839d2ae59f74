"""Rows of the panels on how data comes in, and on tables that are missing."""

from __future__ import annotations

from pydantic import Field

from api.panels.shapes import Bytes, NodeRow, Seconds, TableRow
from api.resource import Shape


class FailedLoadRow(NodeRow):
    """A table that failed to load; the place is null where the job's name does not surely say it."""

    job: str
    database: str | None
    table: str | None
    exception: str


class PartLogRow(TableRow):
    """Parts of a table within the last window of tier 2; all but `rows_per_part` are a minute."""

    created_per_min: float = Field(description="By inserts on this node.")
    small_per_min: float = Field(description="Those with fewer than 1000 rows.")
    fetched_per_min: float = Field(description="Parts of inserts on other replicas.")
    merged_per_min: float = Field(description="By how many parts merges made the table smaller.")
    growth_per_min: float | None = Field(description="Null where fetched merges may outweigh it.")
    rows_per_part: float | None


class WaitingInserts(Shape):
    """Asynchronous inserts into a table that are not flushed yet."""

    database: str
    table: str
    inserts: int
    bytes: Bytes
    oldest_seconds: Seconds


class EndedInserts(Shape):
    """How the asynchronous inserts into a table ended within the last window of tier 2."""

    database: str
    table: str
    flushed: int
    parsing_errors: int
    flush_errors: int
    last_failed_at: str | None
    last_exception: str


class AsyncInsertsRow(NodeRow):
    """Asynchronous inserts of a node since its start, and what waits; those that failed most come first."""

    inserts: float
    bytes: float
    failed: float
    pending: float | None
    oldest_pending_seconds: Seconds
    waiting: list[WaitingInserts]
    log_note: str | None = Field(description="Why `tables` is empty, where the log cannot be read.")
    tables: list[EndedInserts]
