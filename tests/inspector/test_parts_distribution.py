"""Sizes of parts by table, on ClickHouse 26.9 and 18.16."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clustersight.clickhouse.errors import AccessDenied
from clustersight.inspector.parts_distribution import BUCKETS, TableParts, parts_distribution
from tests.inspector.asking import Server, sessions
from tests.panels.tables import HOSTILE, database, make_table
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer


@pytest.fixture(params=["embedded", "replicas"])
def server(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    return found[0] if isinstance(found, list) else found


def tables(*servers: Server, limit: int = 500) -> tuple[TableParts, ...]:
    with sessions(*servers) as opened:
        return parts_distribution(opened, limit=limit).rows


def test_the_figures_are_those_of_the_parts(server: Server) -> None:
    with database(server) as name:
        quoted = make_table(server, (name, HOSTILE))
        server.execute(f"SYSTEM STOP MERGES {quoted}" if isinstance(server, EmbeddedServer) else "SELECT 1")
        for month, rows in ((1, 10), (1, 200_000), (2, 30), (2, 1), (2, 500_000)):
            server.execute(
                f"INSERT INTO {quoted} SELECT toDate('2020-0{month}-01'), number,"
                f" toString(cityHash64(number)) FROM system.numbers LIMIT {rows}"
            )
        server.execute(f"SYSTEM STOP MERGES {quoted}" if isinstance(server, EmbeddedServer) else "SELECT 1")
        by_hand = (
            "SELECT bytes_on_disk, partition_id, rows FROM system.parts"
            f" WHERE active AND database = '{name}' ORDER BY bytes_on_disk"
        )
        parts = server.execute(by_hand)
        [found] = [row for row in tables(server) if row.database == name]
        unmoved = server.execute(by_hand) == parts
    assert unmoved
    sizes = [part[0] for part in parts]
    partitions = [part[1] for part in parts]
    assert (found.table, found.parts, found.partitions) == (HOSTILE, len(parts), len(set(partitions)))
    assert (found.rows, found.bytes) == (sum(part[2] for part in parts), sum(sizes))
    assert (found.min_part_bytes, found.max_part_bytes) == (sizes[0], sizes[-1])
    assert found.avg_part_bytes == round(sum(sizes) / len(sizes))
    assert found.median_part_bytes == sizes[len(sizes) // 2]
    assert found.max_parts_in_partition == max(map(partitions.count, partitions))
    assert found.histogram == {
        **dict.fromkeys(BUCKETS, 0),
        "<1MB": sum(size < 1e6 for size in sizes),
        "<10MB": sum(1e6 <= size < 1e7 for size in sizes),
        "<100MB": sum(1e7 <= size < 1e8 for size in sizes),
    }
    assert found.histogram["<10MB"] >= 1


def test_a_table_nearest_to_its_own_limit_comes_first(server: Server) -> None:
    with database(server) as name:
        for table, settings in (
            ("many", ""),
            ("low", "parts_to_throw_insert = 4, parts_to_delay_insert = 0"),
        ):
            quoted = make_table(server, (name, table), settings)
            for at in range(6 if table == "many" else 3):
                server.execute(f"INSERT INTO {quoted} SELECT toDate('2020-{at + 1:02}-01'), {at}, ''")
        quoted = make_table(server, (name, "two"), "parts_to_throw_insert = 4")
        server.execute(f"INSERT INTO {quoted} SELECT toDate('2020-01-01'), 1, ''")
        server.execute(f"INSERT INTO {quoted} SELECT toDate('2020-01-01'), 2, ''")
        found = [row for row in tables(server) if row.database == name]
        [first] = tables(server, limit=1)
    assert [row.table for row in found] == ["two", "low", "many"]
    default = 3000 if isinstance(server, EmbeddedServer) else 300
    assert [row.limit for row in found] == [4, 4, default]
    assert [row.pressure for row in found] == [0.5, 0.25, round(1 / default, 4)]
    assert (first.database, first.table) == (name, "two")


def test_a_partition_of_large_parts_has_no_pressure(embedded: EmbeddedServer) -> None:
    """Only its limits; its parts count as all others do."""
    with database(embedded) as name:
        settings = "parts_to_throw_insert = 4, max_avg_part_size_for_too_many_parts = 1"
        quoted = make_table(embedded, (name, "large"), settings)
        embedded.execute(f"INSERT INTO {quoted} SELECT toDate('2020-01-01'), 1, ''")
        [found] = [row for row in tables(embedded) if row.database == name]
    assert (found.pressure, found.limit, found.max_parts_in_partition) == (0, 4, 1)


def test_each_node_has_its_own_row(replicas: list[ClickHouse18]) -> None:
    with database(replicas[0]) as name:
        quoted = make_table(replicas[0], (name, "t"))
        replicas[0].execute(f"INSERT INTO {quoted} SELECT toDate('2020-01-01'), 1, ''")
        found = [row for row in tables(*replicas) if row.database == name]
    assert [(row.host, row.parts) for row in found] == [("node0", 1)]


def test_hidden_tables_are_no_empty_answer(own_embedded: Callable[..., EmbeddedServer]) -> None:
    hiding = own_embedded(
        grants=[f"GRANT SELECT ON system.{name}" for name in ("parts", "merge_tree_settings", "metrics")]
    )
    hiding.execute("SELECT 1")
    with pytest.raises(AccessDenied, match="SHOW TABLES"):
        tables(hiding)
