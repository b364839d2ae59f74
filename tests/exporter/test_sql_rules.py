"""SQL rules from the store to their snapshots, through an exporter on real servers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from clustersight.effective import Effective
from clustersight.metrics import Sample
from clustersight.rules.definition import definition_of
from clustersight.rules.rule import SQL_PREFIX, Operator, Rule, RunOn
from clustersight.self_metrics import PANEL_UP, STATUS, UP
from clustersight.settings.model import Settings
from clustersight.store import clusters, rules, series, snapshots
from clustersight.store.database import Database, sqlite_url
from clustersight.store.snapshots import MOST_NAME, Snapshot
from exporter.scoring import ours
from exporter.sql_rules import is_over, names_of, panels_by_cluster
from tests.exporter.conftest import QUICK, new, old

if TYPE_CHECKING:
    from tests.servers.clickhouse18 import ClickHouse18
    from tests.servers.embedded import EmbeddedServer
    from tests.servers.exporter import ExporterProcess

Exporters = Callable[..., "ExporterProcess"]
# An interval, and what a busy machine adds.
SOON_SECONDS = QUICK["interval_sec"] + 20


def sql_rule(sql: str, name: str = "Mine", **more: Any) -> Rule:
    return Rule(
        name=name, metric_key=SQL_PREFIX + name, operator=Operator.ABOVE, threshold=0, sql=sql, **more
    )


class Stored:
    """The store of an exporter, changed as the API does."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ids: dict[str, str] = {}

    def create(self, rule: Rule) -> None:
        with self.database.begin() as db:
            self.ids[rule.name] = rules.create(db, rule.name, definition_of(rule), time.time()).id

    def update(self, rule: Rule) -> None:
        with self.database.begin() as db:
            wanted = definition_of(rule)
            rules.update(db, self.ids[rule.name], rule.name, wanted, time.time(), enabled=rule.enabled)

    def delete(self, name: str) -> None:
        with self.database.begin() as db:
            rules.delete(db, self.ids.pop(name))

    def cluster_ids(self) -> dict[str, str]:
        with self.database.read() as db:
            return {one.name: one.id for one in clusters.active(db)}

    def snapshots(self, name: str = "Mine") -> dict[tuple[str, str], Snapshot]:
        """By cluster and host."""
        with self.database.read() as db:
            found = [
                (cluster, one)
                for cluster, cluster_id in ((one.name, one.id) for one in clusters.active(db))
                for one in snapshots.of_panel(db, cluster_id, SQL_PREFIX + name)
            ]
        return {(cluster, one.host): one for cluster, one in found}


@contextmanager
def store_of(exporter: ExporterProcess) -> Iterator[Stored]:
    with Database(sqlite_url(exporter.folder / "state")) as database:
        yield Stored(database)


def test_a_rule_is_followed_collected_changed_and_gone(exporter: Exporters, embedded: EmbeddedServer) -> None:
    started = exporter({"clusters": [new(embedded)], "collection": QUICK})
    started.wait_collected()
    rule = sql_rule("SELECT 'a' AS label, 7 AS value")

    with store_of(started) as store:
        store.create(rule)
        started.wait_for(store.snapshots, "it is collected", SOON_SECONDS)
        [one] = store.snapshots().values()
        assert one.samples == [["rule:Mine", {"label": "a"}, 7.0]]
        assert one.payload == [{"label": "a", "value": 7.0}]
        labels = {"panel": "rule:Mine"}
        assert started.value("clustersight_panel_status", **labels, status="ok") == 1
        assert started.value("clustersight_panel_duration_seconds", **labels) is not None
        assert started.value("clustersight_panel_last_success_timestamp_seconds", **labels) is not None
        assert started.get("/metrics?cluster=new&panel=rule:Mine").ok
        assert "rule:Mine" in started.get("/").text
        with store.database.read() as db:
            kept = series.of_panel(db, store.cluster_ids()["new"], "rule:Mine")
        assert kept == []

        store.update(replace(rule, sql="SELECT 'b' AS label, 8 AS value"))
        started.wait_for(
            lambda: (
                [one.samples for one in store.snapshots().values()] == [[["rule:Mine", {"label": "b"}, 8.0]]]
            ),
            "the change is collected",
            SOON_SECONDS,
        )

        store.update(replace(rule, enabled=False))
        started.wait_for(lambda: not store.snapshots(), "it is off", SOON_SECONDS)
        store.update(rule)
        started.wait_for(store.snapshots, "it is on again", SOON_SECONDS)

        store.delete("Mine")
        started.wait_for(lambda: not store.snapshots(), "it is gone", SOON_SECONDS)
        visits = started.value("clustersight_exporter_visits_stored_total") or 0
        started.wait_for(
            lambda: (started.value("clustersight_exporter_visits_stored_total") or 0) > visits, "a visit"
        )
        assert not store.snapshots()
        started.wait_for(lambda: "rule:Mine" not in started.get("/metrics").text, "not on the page either")


def test_a_rule_that_fails_hides_nothing(
    exporter: Exporters, replicas: list[ClickHouse18], embedded: EmbeddedServer
) -> None:
    started = exporter({"clusters": [old(replicas[0]), new(embedded)], "collection": QUICK})
    started.wait_collected()

    with store_of(started) as store:
        store.create(sql_rule("SELECT 1 AS value FROM nowhere", "Bad"))
        store.create(sql_rule("SELECT 1 AS value; DROP TABLE x", "Hostile"))
        store.create(sql_rule("SELECT count() AS value FROM system.databases", "Good"))
        started.wait_for(lambda: len(store.snapshots("Good")) == 2, "all are collected", SOON_SECONDS)

        statuses = {
            name: {one.status for one in store.snapshots(name).values()}
            for name in ("Bad", "Hostile", "Good")
        }
        assert statuses == {"Bad": {"error"}, "Hostile": {"error"}, "Good": {"ok"}}
        assert all(one.error for one in store.snapshots("Bad").values())
        assert started.value("clustersight_panel_up", cluster="new", panel="rule:Bad") == 0
        assert started.value("clustersight_panel_up", cluster="new", panel="server") == 1


def test_a_rule_costs_a_cluster_no_points() -> None:
    samples = [
        Sample(UP, (), 1.0),
        Sample(PANEL_UP, ("server",), 1.0),
        Sample(PANEL_UP, ("rule:Bad",), 0.0),
        Sample(STATUS, ("rule:Bad", "refused"), 1.0),
    ]
    assert list(ours(samples)) == samples[:2]


def test_a_rule_runs_on_each_node_or_on_the_configured_one(
    exporter: Exporters, replicas: list[ClickHouse18]
) -> None:
    cluster = old(replicas[0], "pair", discover=True, logical_cluster="pair")
    started = exporter({"clusters": [cluster], "collection": QUICK})
    configured, other = (("pair", f"127.0.0.1:{server.port}") for server in replicas)
    each = sql_rule("SELECT 1 AS value", "Each")

    with store_of(started) as store:
        store.create(each)
        store.create(sql_rule("SELECT 1 AS value", "One", run_on=RunOn.ONE))
        started.wait_for(
            lambda: set(store.snapshots("Each")) == {configured, other}, "both nodes were asked", 60
        )
        assert set(store.snapshots("One")) == {configured}

        store.update(replace(each, run_on=RunOn.ONE))
        started.wait_for(
            lambda: set(store.snapshots("Each")) == {configured}, "the other node's is gone", SOON_SECONDS
        )


def test_cluster_ids_narrow_where_a_rule_runs(
    exporter: Exporters, replicas: list[ClickHouse18], embedded: EmbeddedServer
) -> None:
    started = exporter({"clusters": [old(replicas[0]), new(embedded)], "collection": QUICK})
    started.wait_collected()

    with store_of(started) as store:
        ids = store.cluster_ids()
        rule = sql_rule("SELECT 1 AS value", cluster_ids=(ids["new"],))
        store.create(sql_rule("SELECT 1 AS value", "Everywhere"))
        store.create(rule)
        started.wait_for(lambda: len(store.snapshots("Everywhere")) == 2, "all are asked", SOON_SECONDS)
        started.wait_for(store.snapshots, "it is collected", SOON_SECONDS)
        assert {cluster for cluster, _ in store.snapshots()} == {"new"}

        store.update(replace(rule, cluster_ids=(ids["old"],)))
        started.wait_for(
            lambda: {cluster for cluster, _ in store.snapshots()} == {"old"}, "it has moved", SOON_SECONDS
        )


def found(*sql_rules: Rule) -> Effective:
    return Effective(Settings(), {"c": "cl_1"}, sql_rules=sql_rules)


def test_a_name_that_the_store_has_no_room_for_is_told(caplog: pytest.LogCaptureFixture) -> None:
    if MOST_NAME is None:
        pytest.skip("the store has room for any name")
    fits = sql_rule("SELECT 1", "x" * (MOST_NAME - len(SQL_PREFIX)))
    longer = sql_rule("SELECT 1", fits.name + "x")

    assert set(panels_by_cluster(found(fits, longer))["c"]) == {SQL_PREFIX + fits.name}
    assert "shorten its name" in caplog.text


def test_what_is_no_rules_is_never_over() -> None:
    plain = Snapshot("cl_1", "disk", "h", "ok", "", 0.0, 0.0, 0, None, [], [])
    panels = panels_by_cluster(found(sql_rule("SELECT 1")))["c"]

    assert not is_over(plain, {}, ())
    assert not is_over(replace(plain, panel="rule:Mine"), panels, ())
    assert is_over(replace(plain, panel="rule:Other"), panels, ())


def test_a_match_on_the_cluster_narrows_where_a_rule_runs() -> None:
    here = sql_rule("SELECT 1 AS value", "Here", match={"cluster": "c"})
    there = sql_rule("SELECT 1 AS value", "There", match={"cluster": ("d", "e")})
    assert names_of(found(here, there), "c", "cl_1") == {"rule:Here"}
