"""Files of Distributed tables that wait, fail, are blocked or broken, made on a real server.

The embedded engine sends nothing by itself: SYSTEM FLUSH DISTRIBUTED does, to a port where nobody listens.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from clustersight.clickhouse.sql import compose, ident
from clustersight.collection import PanelRun
from clustersight.panels import distribution
from clustersight.panels.distribution import PANEL, Row
from clustersight.panels.panel import Status
from tests.panels.tables import HOSTILE, address_of, database
from tests.panels.visiting import run, values
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedError, EmbeddedServer

Name = tuple[str, str]


@pytest.fixture
def name(embedded: EmbeddedServer) -> Iterator[Name]:
    """A Distributed table whose shard does not listen."""
    with database(embedded, HOSTILE) as db:
        embedded.execute(
            f"CREATE TABLE {ident(db, HOSTILE)} (n UInt64) ENGINE = Distributed('default', 'none', 'none', n)"
        )
        yield db, HOSTILE


def insert(server: EmbeddedServer, name: Name) -> None:
    settings = {"distributed_foreground_insert": 0, "prefer_localhost_replica": 0}
    server.execute(f"INSERT INTO {ident(*name)} VALUES (1)", **settings)


def flush(server: EmbeddedServer, name: Name) -> None:
    with contextlib.suppress(EmbeddedError):
        server.execute(f"SYSTEM FLUSH DISTRIBUTED {ident(*name)}")


def of_table(found: PanelRun, name: Name) -> dict[str, float]:
    family = "clickhouse_distribution_queue_"
    return {key[0].removeprefix(family): value for key, value in values(found).items() if key[1:] == name}


def test_files_wait_without_a_failure(embedded: EmbeddedServer, name: Name) -> None:
    insert(embedded, name)
    insert(embedded, name)
    found = run(address_of(embedded), PANEL)
    sampled = of_table(found, name)
    assert sampled.pop("bytes") > 100
    assert sampled == {"files": 2, "broken_files": 0, "blocked": 0, "errors": 0}
    assert values(found)[("clickhouse_distribution_queue_files_all",)] >= 2


def test_sends_that_fail_are_errors_with_their_reason(embedded: EmbeddedServer, name: Name) -> None:
    insert(embedded, name)
    flush(embedded, name)
    found = run(address_of(embedded), PANEL)
    assert of_table(found, name)["errors"] == 1
    row = PANEL.row_of(found.rows, {"database": name[0], "table": name[1]})
    assert row is not None
    assert row.exception.startswith("Code: 279. DB::NetException: All connection tries failed.")
    assert len(row.exception) <= 300
    [shown] = [one for one in PANEL.payload(found.rows) if one["database"] == name[0]]
    assert (shown["targets"], shown["is_blocked"]) == (1, False)
    assert shown["last_exception_at"].endswith("Z")


def test_a_broken_file_stays_broken_and_is_no_error_any_more(embedded: EmbeddedServer, name: Name) -> None:
    insert(embedded, name)
    paths = embedded.execute("SELECT database, data_path FROM system.distribution_queue")
    [path] = [path for db, path in paths if db == name[0]]
    file = next(Path(path).glob("*.bin"))
    file.write_bytes(b"garbage")
    flush(embedded, name)
    sampled = of_table(run(address_of(embedded), PANEL), name)
    assert (sampled["files"], sampled["broken_files"], sampled["errors"]) == (0, 1, 0)


def test_sends_that_somebody_stopped_are_blocked(embedded: EmbeddedServer, name: Name) -> None:
    insert(embedded, name)
    embedded.execute(f"SYSTEM STOP DISTRIBUTED SENDS {ident(*name)}")
    assert of_table(run(address_of(embedded), PANEL), name)["blocked"] == 1
    embedded.execute(f"SYSTEM START DISTRIBUTED SENDS {ident(*name)}")
    assert of_table(run(address_of(embedded), PANEL), name)["blocked"] == 0


def test_several_targets_are_one_series(embedded: EmbeddedServer) -> None:
    """The engine's clusters have one shard: three targets are made up, the SQL that sums them is not."""
    rows = embedded.execute(
        compose(distribution.SQL, lambda _: True).replace(
            "system.distribution_queue",
            """(SELECT 'd' AS database, 't' AS table, number = 0 AS is_blocked, 5 AS error_count,
                number AS data_files, 10 AS data_compressed_bytes, number AS broken_data_files,
                7 AS broken_data_compressed_bytes, if(number = 1, '', concat('e', toString(number)))
                AS last_exception, toDateTime(1000 + number) AS last_exception_time FROM numbers(3))""",
        )
    )
    # No errors of the target without files, nor without an exception; 7 bytes of 0 broken files are one.
    assert [Row(*row) for row in rows] == [Row("d", "t", 3, 3, 30, 4, 1, 5, 1002, "e2")]


def test_before_the_columns_of_later_versions_broken_files_are_not_known(embedded: EmbeddedServer) -> None:
    old = {"database", "table", "data_path", "is_blocked", "error_count", "data_files", "last_exception"}
    [*_] = embedded.execute(compose(distribution.SQL, lambda column: column in old))
    row = Row("d", "t", 1, 2, 10, None, 0, 0, 0, "")
    assert ("clickhouse_distribution_queue_broken_files",) not in {
        (sample.metric.name,) for sample in PANEL.samples([row])
    }


def test_18_has_no_such_table(replicas: list[ClickHouse18]) -> None:
    found = run(address_of(replicas[0]), PANEL)
    assert (found.status, found.samples) == (Status.UNSUPPORTED, ())
