"""The server's own counters, read once a collection and shared by the panels that name some of them.

Sources: system.metrics, system.events, system.asynchronous_metrics. Zeros are hidden there,
so `Counters` answers 0 for an event that the server knows nothing of yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clustersight.panels.panel import Context

METRICS = (
    "Query", "ReadonlyReplica", "ZooKeeperSession", "ZooKeeperSessionExpired", "ZooKeeperRequest",
    "ZooKeeperWatch", "ZooKeeperConnectionLossStartedTimestampSeconds", "MemoryTracking", "DelayedInserts",
    "TCPConnection", "HTTPConnection", "InterserverConnection", "MySQLConnection", "PostgreSQLConnection",
    "DistributedFilesToInsert", "BrokenDistributedFilesToInsert", "MaxDDLEntryID", "PartsActive",
    "MaxPushedDDLEntryID",
    "BackgroundMergesAndMutationsPoolTask", "BackgroundMergesAndMutationsPoolSize", "BrokenDisks",
    "ReadonlyDisks", "PendingAsyncInsert",
)  # fmt: skip
EVENTS = (
    "Query", "InitialQuery", "SelectQuery", "InsertQuery", "FailedQuery", "FailedInitialQuery",
    "FailedInternalQuery", "FailedSelectQuery", "FailedInsertQuery", "DelayedInserts", "RejectedInserts",
    "DelayedInsertsMilliseconds", "RejectedMutations", "ZooKeeperTransactions", "ZooKeeperWaitMicroseconds",
    "ZooKeeperHardwareExceptions", "ZooKeeperUserExceptions", "ZooKeeperOtherExceptions",
    "ReplicatedDataLoss", "DistributedConnectionFailAtAll", "DistributedRejectedInserts",
    "InitialSelectQuery", "FailedInternalSelectQuery", "FailedInternalInsertQuery",
    "ReplicatedPartFailedFetches", "AsyncInsertQuery", "AsyncInsertBytes", "FailedAsyncInsertQuery",
)  # fmt: skip
ASYNC = (
    "MaxPartCountForPartition", "MemoryResident", "OSMemoryTotal", "CGroupMemoryTotal", "CGroupMaxMemory",
    "FilesystemMainPathAvailableINodes", "FilesystemMainPathTotalINodes",
)  # fmt: skip

# One round trip for three tables. The embedded engine and very young servers lack asynchronous_metrics.
SQL = """
SELECT 'metric' AS source, metric AS name, toFloat64(value) AS value
FROM system.metrics WHERE metric IN %(metrics)s
UNION ALL
SELECT 'event', event, toFloat64(value) FROM system.events WHERE event IN %(events)s
{{asynchronous_metrics.value ?
UNION ALL
SELECT 'async', metric, toFloat64(value) FROM system.asynchronous_metrics WHERE metric IN %(async_names)s
}}
"""


@dataclass(frozen=True, slots=True)
class Row:
    source: str
    name: str
    value: float


class Counters:
    """The counters of one moment, by name."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._values = {(row.source, row.name): row.value for row in rows}

    def metric(self, name: str) -> float | None:
        """A value of system.metrics; None where this version has no such metric."""
        return self._values.get(("metric", name))

    def event(self, name: str) -> float:
        """A counter of system.events since the start; 0 while it is hidden."""
        return self._values.get(("event", name), 0.0)

    def has_event(self, name: str) -> bool:
        return ("event", name) in self._values

    def async_metric(self, name: str) -> float | None:
        """A value of system.asynchronous_metrics; None in the first minute and where it is unknown."""
        return self._values.get(("async", name))


def read(context: Context) -> Counters:
    """This collection's counters: one query, however many panels ask. Raises ClickHouseError."""
    values = {"metrics": METRICS, "events": EVENTS, "async_names": ASYNC}
    return Counters(context.rows(SQL, Row, **values))
