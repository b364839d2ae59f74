"""The faults that the demo makes, and the series in which each must be seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clustersight.demo.series import Series


@dataclass(frozen=True, slots=True)
class Fault:
    """A series of `metric` with at least these labels and at least this value.

    `alert` is the rule that fires for it within about a minute; empty where none does so soon.
    """

    name: str
    metric: str
    labels: Mapping[str, str] = field(default_factory=dict)
    minimum: float = 1.0
    alert: str = ""

    @property
    def selector(self) -> str:
        """As one would ask Prometheus for it."""
        labels = ",".join(f'{name}="{value}"' for name, value in self.labels.items())
        return f"{self.metric}{{{labels}}}" if labels else self.metric

    def found(self, page: Iterable[Series]) -> Series | None:
        """The first series that shows it."""
        return next((series for series in page if self._shown_by(series)), None)

    def _shown_by(self, series: Series) -> bool:
        return (
            series.name == self.metric
            and series.value >= self.minimum
            and self.labels.items() <= series.labels.items()
        )


def _table(name: str, **labels: str) -> dict[str, str]:
    return {"database": "demo", "table": name, **labels}


FAULTS: tuple[Fault, ...] = (
    Fault(
        "a mutation that fails for good",
        "clickhouse_mutations_failing",
        _table("customers"),
        alert="MutationFailing",
    ),
    Fault("a failed backup", "clickhouse_backups_failed", alert="BackupFailed"),
    Fault("a detached part", "clickhouse_detached_parts", _table("archive", reason_class="manual")),
    Fault("a broken part", "clickhouse_detached_parts", _table("invoices", reason_class="broken")),
    Fault(
        "too many parts",
        "clickhouse_table_parts_pressure_ratio",
        _table("pressed"),
        minimum=0.75,
        alert="PartsPressure",
    ),
    Fault(
        "a dictionary that does not load",
        "clickhouse_dictionary_failing",
        {"database": "demo", "dictionary": "exchange_rates"},
        alert="DictionaryFailing",
    ),
    Fault(
        "a view that does not refresh",
        "clickhouse_view_refresh_failing",
        {"database": "demo", "view": "daily_sales"},
        alert="ViewRefreshFailing",
    ),
    Fault(
        "sends that are stopped",
        "clickhouse_distribution_queue_blocked",
        _table("events_everywhere"),
        alert="DistributionBlocked",
    ),
    Fault("a long merge", "clickhouse_merges_active", _table("prices")),
    Fault("errors", "clickhouse_errors_total", {"error": "MEMORY_LIMIT_EXCEEDED"}),
    Fault("failing queries", "clickhouse_failed_queries_total", {}),
    Fault("running queries", "clickhouse_queries_running", {}),
    Fault("a slow query", "clickhouse_query_longest_running_seconds", {}, minimum=2.0),
)
WITH_ZOOKEEPER: tuple[Fault, ...] = (
    Fault(
        "a read-only replica",
        "clickhouse_replica_readonly",
        _table("orders_one"),
        alert="ReplicaReadonly",
    ),
    Fault("an unknown lag", "clickhouse_replica_lag_unknown", _table("orders_one")),
)
# It happens after the first collection, which is all that `--once` waits for.
LATER = Fault(
    "a part that breaks now",
    "clickhouse_detached_parts",
    _table("receipts", reason_class="broken"),
    alert="BrokenParts",
)


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a fault is on the page; `series` is the line that shows it, empty where there is none."""

    fault: Fault
    series: str

    @property
    def ok(self) -> bool:
        return bool(self.series)

    @property
    def text(self) -> str:
        """One line for a person."""
        if self.ok:
            return f"ok      {self.fault.name}: {self.series}"
        return f"FAILED  {self.fault.name}: no {self.fault.selector} of at least {self.fault.minimum:g}"


def faults(*, zookeeper: bool) -> tuple[Fault, ...]:
    """What there is to see in a demo with or without ZooKeeper."""
    return FAULTS + WITH_ZOOKEEPER if zookeeper else FAULTS


def check(expected: Iterable[Fault], page: Sequence[Series]) -> list[Check]:
    found = ((fault, fault.found(page)) for fault in expected)
    return [Check(fault, series.text if series else "") for fault, series in found]
