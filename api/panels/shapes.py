"""Rows of the panels that spec/api.md fixes; each panel's payload() makes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from api.resource import Shape

Seconds = Annotated[float, Field(description="seconds")]
Bytes = Annotated[int, Field(description="bytes")]
Percent = Annotated[float, Field(description="0..100")]


class NodeRow(Shape):
    """A row of one node."""

    host: str


class OpenRow(NodeRow):
    """A row of a panel whose fields the panel alone decides."""

    model_config = ConfigDict(extra="allow")


class TableRow(NodeRow):
    """A row of one table on one node."""

    database: str
    table: str


class ReplicaRow(TableRow):
    """A replica; `lag_seconds` is null while nobody can say it."""

    replica: str
    lag_seconds: Seconds | None
    lag_unknown: bool
    is_readonly: bool
    readonly_since: str | None
    expected: bool = Field(description="expected_readonly names it.")
    is_session_expired: bool
    queue_size: int
    inserts_in_queue: int
    merges_in_queue: int
    oldest_task_age_seconds: Seconds
    stuck_tasks: int | None
    last_exception: str
    status: Literal["ok", "lagging", "readonly", "session_expired", "unknown"]


class MergeRow(TableRow):
    """A running merge; `eta_seconds` is null before any progress."""

    result_part: str
    elapsed_seconds: Seconds
    progress: float | None = Field(description="0..1")
    eta_seconds: Seconds | None
    num_parts: int
    size_bytes: Bytes
    memory_bytes: Bytes
    is_mutation: bool
    is_stuck: bool


class DiskRow(NodeRow):
    """A disk; numbers are null where it has no capacity, as object storage."""

    disk: str
    path: str
    type: str
    used_bytes: Bytes | None
    free_bytes: Bytes | None
    unreserved_bytes: Bytes | None
    total_bytes: Bytes | None
    usage_pct: Percent | None
    is_broken: bool
    is_read_only: bool
    full_in_hours: float | None = Field(description="By the last day; null if it does not fill.")


class MutationRow(TableRow):
    """An unfinished mutation."""

    mutation_id: str
    command: str
    created_at: str
    age_seconds: Seconds
    parts_to_do: int
    parts_done_pct: Percent | None
    is_stuck: bool
    is_failing: bool | None
    latest_fail_reason: str
    latest_failed_part: str
    fix_command: str | None
    real_table: str = Field(description="The inner table's name, where `table` is that of its view.")


class BrokenPartsRow(TableRow):
    """Detached parts of a table, by reason."""

    reason: str
    reason_class: Literal["broken", "unexpected", "temporary", "harmless", "manual"]
    count: int
    bytes: int | None


class KeeperRow(NodeRow):
    """How a node stands with Keeper."""

    status: Literal["ONLINE", "OFFLINE", "NOT_CONFIGURED"]
    session_uptime_seconds: Seconds | None
    connected_to: str | None
    last_error: str


class KeeperNodeRow(Shape):
    """A Keeper node; `host` is its own. `status`: 1 if it serves, null where nobody can tell from here."""

    node: str
    host: str
    port: int
    status: Literal[0, 1] | None
    state: Literal[
        "down", "up_no_quorum", "leader", "follower", "observer", "standalone", "up_unknown",
        "unreachable_from_exporter",
    ]  # fmt: skip
    latency_ms: float | None
    role: str | None
    version: str
    outstanding_requests: float | None
    znode_count: float | None
    ephemerals: float | None
    watches: float | None
    followers: float | None
    synced_followers: float | None
    source: str
    error: str


class ZookeeperRow(NodeRow):
    """A node's session with Keeper by its own counters; rates are null before the second visit."""

    sessions: float | None
    session_expired: float | None
    watches: float | None
    requests_in_flight: float | None
    transactions_per_sec: float | None
    hardware_exceptions_per_min: float | None
    user_exceptions_per_min: float | None
    wait_ms_avg: float | None


class CompressionRow(TableRow):
    """How well a table is compressed; `ratio` is compressed / uncompressed."""

    compressed_bytes: Bytes
    uncompressed_bytes: Bytes
    ratio: float
    ratio_pct: Percent
    rows: int


class ErrorRow(NodeRow):
    """An exception of the server itself, by name."""

    name: str
    code: int
    count_in_range: int | None = Field(description="Null where the history does not know it.")
    total: int
    last_error_time: str | None
    last_error_message: str
    remote: bool
    is_critical: bool


Point = tuple[int, float | None]


class PanelSeries(Shape):
    """One line of a picture; `metric` is the rule key, in whose unit the values are."""

    metric: str
    labels: dict[str, str]
    points: list[Point] = Field(description="[epoch seconds, value or null]; at most 500")


class RangeData(Shape):
    """A range of time, and the rows of now."""

    from_: str = Field(alias="from")
    to: str
    step_sec: int
    series: list[PanelSeries]


class ReplicationData(RangeData):
    """Lag of each replica (`replication.lag_seconds`)."""

    range: Literal["1h", "6h", "24h", "7d"]
    current: list[ReplicaRow]


class MergesData(RangeData):
    """Running merges of each table (`merges.active`) and the longest (`merges.longest_seconds`)."""

    range: Literal["1h", "6h", "24h", "7d"]
    current: list[MergeRow]


class ErrorsData(RangeData):
    """Exceptions a minute by name (`errors.per_min`)."""

    range: int = Field(description="seconds")
    current: list[ErrorRow]
