"""ClickHouse's own names, on ClickHouse 26.9 and 18.16."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest

from clustersight.clickhouse.connection import Address, Wire
from clustersight.clickhouse.sql import compose, ident
from clustersight.collection import PanelRun
from clustersight.metrics import Kind
from clustersight.panels.builtin import NAMED_EVENTS, PANEL, SQL_ASYNC, Named, Row, samples
from clustersight.panels.panel import Status
from tests.panels.tables import address_of, database
from tests.panels.visiting import run, values
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
HERE = "127.0.0.1:8123"


def named_of(panel_run: PanelRun) -> dict[str, object]:
    return {s.metric.name: s.metric for s in panel_run.samples}


def sampled(*rows: Row) -> dict[tuple[str, ...], float]:
    return {(s.metric.name, *s.labels): s.value for s in samples([Named(row, HERE) for row in rows])}


@pytest.mark.parametrize("fixture", ["embedded", "replicas"])
def test_the_names_are_those_of_clickhouse(fixture: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(fixture)
    address = address_of(found[0] if isinstance(found, list) else found)
    seen = run(address, PANEL)
    assert seen.status is Status.OK, seen.error
    assert values(seen)["ClickHouseMetrics_Query", address.endpoint] >= 1
    assert values(seen)["ClickHouseProfileEvents_SelectQuery", address.endpoint] >= 1
    assert all(NAME.fullmatch(name) for name in named_of(seen))
    assert len(values(seen)) == len(seen.samples) > 50


def test_events_are_counters_and_metrics_are_gauges(embedded: EmbeddedServer) -> None:
    address = address_of(embedded)
    event = "ClickHouseProfileEvents_InsertQuery"
    before = values(run(address, PANEL)).get((event, address.endpoint), 0)
    embedded.execute("INSERT INTO FUNCTION null('a Int32') SELECT 1")
    found = run(address, PANEL)
    assert values(found)[event, address.endpoint] == before + 1
    kinds = {s.metric.name: s.metric.kind for s in found.samples}
    assert (kinds[event], kinds["ClickHouseMetrics_Query"]) == (Kind.COUNTER, Kind.GAUGE)


def test_events_that_dashboards_name_are_there_before_they_happen(embedded: EmbeddedServer) -> None:
    """system.events hides zeros."""
    address = address_of(embedded)
    found = values(run(address, PANEL))
    assert found["ClickHouseProfileEvents_ReplicatedPartFetches", address.endpoint] == 0
    assert {(f"ClickHouseProfileEvents_{name}", address.endpoint) for name in NAMED_EVENTS} <= found.keys()
    assert found["ClickHouseProfileEvents_SelectQuery", address.endpoint] > 0


def test_a_family_is_made_once(embedded: EmbeddedServer, replicas: list[ClickHouse18]) -> None:
    """Samples of all nodes are grouped by it."""
    new, old = (named_of(run(address_of(server), PANEL)) for server in (embedded, replicas[0]))
    name = "ClickHouseMetrics_Query"
    assert new[name] is old[name]


def test_the_page_refuses_such_families_of_other_panels(embedded: EmbeddedServer) -> None:
    found = run(address_of(embedded), dataclasses.replace(PANEL, dynamic=False))
    assert found.status is Status.ERROR
    assert "undeclared sample" in found.error


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ("metric String, value Float64", "('Uptime', 5)"),
        (
            "metric String, value Float64, key_values Map(String, Float64)",
            "('Uptime', 5, map()), ('DiskFree', nan, map('default', 7, 'a\"b', 8))",
        ),
        (
            "metric String, value Float64, key LowCardinality(String)",
            "('Uptime', 5, ''), ('DiskFree', 7, 'default'), ('DiskFree', 8, 'a\"b')",
        ),
    ],
)
def test_asynchronous_metrics_are_read_in_every_form(
    embedded: EmbeddedServer, columns: str, rows: str
) -> None:
    """The embedded engine has none: tables of the same columns stand in for system.asynchronous_metrics."""
    names = set(re.findall(r"(\w+) (?:String|Float64|Map|Low)", columns))
    with database(embedded) as own:
        embedded.execute(f"CREATE TABLE {ident(own)}.asynchronous_metrics ({columns}) ENGINE = Memory")
        embedded.execute(f"INSERT INTO {ident(own)}.asynchronous_metrics VALUES {rows}")
        sql = compose(SQL_ASYNC, names.__contains__).replace("system.", f"{ident(own)}.")
        found = sampled(*(Row(*row) for row in embedded.execute(sql) if row[3] is not None))
    expected = {("ClickHouseAsyncMetrics_Uptime", HERE): 5.0}
    if "DiskFree" in rows:
        expected["ClickHouseAsyncMetrics_DiskFree", HERE, "default"] = 7.0
        expected["ClickHouseAsyncMetrics_DiskFree", HERE, 'a"b'] = 8.0
    assert {labels: value for labels, value in found.items() if not math.isnan(value)} == expected


def test_a_key_is_labelled_by_what_it_is_of() -> None:
    rows = [
        Row("AsyncMetrics", "DiskAvailable", "default", 1),
        Row("AsyncMetrics", "BlockReadBytes", "sda", 2),
        Row("AsyncMetrics", "OSUserTime", "3", 3),
        Row("AsyncMetrics", "OSUserTime", "", 4),
    ]
    labels = [s.metric.labels for s in samples([Named(row, HERE) for row in rows])]
    assert labels == [("instance", "disk"), ("instance", "device"), ("instance", "key"), ("instance",)]


def test_names_are_made_safe() -> None:
    assert sampled(Row("AsyncMetrics", 'jemalloc.arenas-"a"\n', "", 1)) == {
        ("ClickHouseAsyncMetrics_jemalloc_arenas__a__", HERE): 1
    }


def test_nothing_of_it_is_kept_for_the_api() -> None:
    assert PANEL.payload([Named(Row("Metrics", "Query", "", 1), HERE)]) == []


def test_the_instance_is_host_and_port() -> None:
    assert Address("h", 9000, Wire.NATIVE).endpoint == "h:9000"
