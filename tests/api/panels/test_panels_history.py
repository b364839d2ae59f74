"""What history adds to panels: series, gaps, counts within a range, and when a disk is full."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from clustersight.history.slope import hours_until_empty
from clustersight.panels import disk, merges
from clustersight.store.samples import HistoryWriter, PanelHistory
from clustersight.store.series import Key, labels_text
from tests.api.answers import bad, good, meta
from tests.api.conftest import Client
from tests.api.panels.conftest import Watching, new, old
from tests.api.panels.test_panels import only_id
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer

HOUR = 3600


def remember(
    client: Client,
    host: str,
    panel: str,
    metric: str,
    values: Mapping[int, Mapping[str, float]],
    **labels: str,
) -> None:
    """Write history as the exporter does: by time, the value of each `table` (or `disk`)."""
    writer, [name] = HistoryWriter(), labels
    for at, by_label in values.items():
        found = {
            Key(metric, labels_text({**EXTRA[name], name: one})): value for one, value in by_label.items()
        }
        with client.store.database.begin() as db:
            written = writer.write(db, only_id(client), host, at, [PanelHistory(panel, True, found)])
        writer.confirm(written)


EXTRA: dict[str, dict[str, str]] = {"table": {"database": "shop"}, "disk": {}}


def host_of(server: EmbeddedServer | ClickHouse18) -> str:
    return f"127.0.0.1:{server.port}"


def test_a_series_has_a_gap_where_nobody_looked(watching: Watching, embedded: EmbeddedServer) -> None:
    client = watching.client(new(embedded))
    now = int(time.time())
    then = {at: {"orders": 3.0} for at in range(now - 3000, now - 2400, 60)}
    since = {at: {"orders": 5.0} for at in range(now - 600, now, 60)}
    remember(client, host_of(embedded), "merges", merges.ACTIVE.name, then | since, table="")

    data = good(client.get("/panels/merges"))

    assert (data["range"], data["step_sec"]) == ("1h", 10)
    assert set(data) == {"range", "from", "to", "step_sec", "series", "current"}
    [series] = data["series"]
    assert series["metric"] == "merges.active"
    assert series["labels"] == {"host": host_of(embedded), "database": "shop", "table": "orders"}
    points = dict(series["points"])
    assert len(points) <= 500

    def at(seconds_ago: int) -> float | None:
        return points[(now - seconds_ago) // 10 * 10]

    assert (at(3300), at(2700), at(1000), at(300)) == (None, 3.0, None, 5.0)


def test_the_worst_series_are_shown_and_how_many_there_are(
    watching: Watching, embedded: EmbeddedServer
) -> None:
    client = watching.client(new(embedded))
    now = int(time.time())
    tables = {f"t{number:02}": float(number) for number in range(60)}
    remember(
        client,
        host_of(embedded),
        "merges",
        merges.ACTIVE.name,
        {now - 120: tables, now - 60: tables},
        table="",
    )

    answer = client.get("/panels/merges?range=7d")

    shown = [series["labels"]["table"] for series in good(answer)["series"]]
    assert shown == [f"t{number}" for number in range(59, 34, -1)]  # 25 of each of the two metrics
    assert meta(answer)["series_total"] == 60


@pytest.mark.parametrize(
    ("name", "seconds"), [("1h", HOUR), ("6h", 6 * HOUR), ("24h", 86400), ("7d", 604800)]
)
def test_every_range_has_at_most_500_points(
    watching: Watching, embedded: EmbeddedServer, name: str, seconds: int
) -> None:
    client = watching.client(new(embedded))
    now = int(time.time())
    values = {now - 2 * HOUR: {"orders": 1.0}, now - 10: {"orders": 2.0}}
    remember(client, host_of(embedded), "merges", merges.ACTIVE.name, values, table="")

    data = good(client.get(f"/panels/merges?range={name}"))

    [series] = data["series"]
    assert seconds / data["step_sec"] <= len(series["points"]) <= 500


def test_errors_are_counted_within_the_range(watching: Watching, own_embedded: Callable[..., Any]) -> None:
    server = own_embedded()
    started = watching.export(new(server))
    client = watching.client(new(server), api={"cache_ttl_sec": 0})

    def fail() -> None:
        with pytest.raises(Exception, match=r"THROW_IF|throwIf"):
            server.execute("SELECT throwIf(1, 'no')")

    def row() -> dict[str, Any]:
        data = good(client.get("/panels/errors?range=600"))
        assert data["range"] == 600
        rows = [r for r in data["current"] if r["name"] == "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"]
        return rows[0] if rows else {"count_in_range": 0}

    fail()
    started.wait_for(lambda: row()["count_in_range"] == 0 and "total" in row(), "it is known", 30)
    for _ in range(3):
        fail()
    started.wait_for(lambda: row()["count_in_range"] == 3, "three more are counted", 30)
    assert row()["total"] == 4
    assert row()["code"] == 395

    def highest() -> float:
        series = good(client.get("/panels/errors?range=600"))["series"]
        mine = [s for s in series if s["labels"]["error"] == "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"]
        assert {s["metric"] for s in mine} <= {"errors.per_min"}
        return max((value for s in mine for _, value in s["points"] if value is not None), default=0.0)

    # The rows may be live while the series are what the exporter stored.
    started.wait_for(lambda: highest() > 0, "the series shows them", 30)


def test_lag_is_drawn_for_each_replica(watching: Watching, replicas: list[ClickHouse18]) -> None:
    client = watching.client(old(replicas[0]))
    now = int(time.time())
    lags = {now - 120: {"orders": 4.0}, now - 60: {"orders": 9.0}}
    remember(client, host_of(replicas[0]), "replication", "clickhouse_replica_lag_seconds", lags, table="")

    data = good(client.get("/panels/replication"))

    [series] = data["series"]
    assert series["metric"] == "replication.lag_seconds"
    assert {value for _, value in series["points"]} == {None, 4.0, 9.0}


def test_a_disk_that_fills_says_when_it_is_full(watching: Watching, embedded: EmbeddedServer) -> None:
    client = watching.client(new(embedded))
    now = int(time.time())
    # 10 GB an hour, 100 GB left: full in ten hours.
    free = {now - minutes * 60: {"default": 1e11 + minutes / 60 * 1e10} for minutes in range(720, -1, -10)}
    remember(client, host_of(embedded), "disk", disk.FREE.name, free, disk="")

    [row, *_] = good(client.get("/panels/disk"))

    assert row["full_in_hours"] == pytest.approx(10, abs=0.5)


def test_a_prometheus_that_is_down_costs_the_series_and_not_the_rows(
    watching: Watching, embedded: EmbeddedServer
) -> None:
    client = watching.client(new(embedded), history={"prometheus_url": "http://127.0.0.1:1"})

    bad(client.get("/panels/errors"), 503, "history_unavailable")
    [row, *_] = good(client.get("/panels/disk"))
    assert row["full_in_hours"] is None


@pytest.mark.parametrize(
    ("points", "hours"),
    [
        ([], None),
        ([(0, 10.0)], None),
        ([(0, 10.0), (600, 1.0)], None),  # too short
        ([(0, 3600.0), (1800, 1800.0)], 0.5),
        ([(0, 3600.0), (900, None), (1800, 1800.0)], 0.5),
        ([(0, 1.0), (3600, 2.0)], None),  # grows
        ([(0, 1.0), (3600, 1.0)], None),
        ([(0, 1e15), (3600, 1e15 - 1)], None),  # in thousands of years
        ([(0, 3600.0), (1800, 0.0)], 0.0),
    ],
)
def test_hours_until_empty(points: list[tuple[int, float | None]], hours: float | None) -> None:
    assert hours_until_empty(points) == hours
