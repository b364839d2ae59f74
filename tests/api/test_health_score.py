"""The health score over the API on real servers: explained by what a query confirms; without Keeper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.answers import good
from tests.conftest import factory
from tests.exporter.conftest import QUICK, new, old
from tests.servers.clickhouse18 import Options
from tests.servers.exporter import ExporterProcess
from tests.servers.process import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.api import ApiProcess
    from tests.servers.clickhouse18 import ClickHouse18
    from tests.servers.embedded import EmbeddedServer
    from tests.servers.zookeeper import ZooKeeper

# 18.16 notices a lost session within this, and tries again as slowly.
KEEPER_SECONDS = 120


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Callable[..., ExporterProcess]]:
    """A function that starts an exporter with a configuration."""
    yield from factory(ExporterProcess, tmp_path)


@pytest.fixture
def watching(
    exporter: Callable[..., ExporterProcess], api: Callable[..., ApiProcess]
) -> Callable[..., ApiProcess]:
    """A function that starts an exporter and an API on one store."""

    def start(*clusters: dict[str, Any]) -> ApiProcess:
        config = {"clusters": list(clusters), "collection": QUICK | {"tier2_every": 1}}
        running = exporter(config)
        running.wait_collected()
        return api(config | {"data_dir": str(running.folder / "state"), "api": {"cache_ttl_sec": 0}})

    return start


def score(api: ApiProcess) -> dict[str, Any]:
    found: dict[str, Any] = good(api.ask("GET", "/api/v1/panels/health-score"))
    return found


def deductions(found: dict[str, Any], component: str) -> dict[str, dict[str, Any]]:
    return {one["metric_key"]: one for one in found["components"][component]["deductions"]}


def test_each_deduction_is_what_a_query_on_the_server_says(
    embedded: EmbeddedServer, watching: Callable[..., ApiProcess]
) -> None:
    embedded.execute("CREATE DATABASE scored ENGINE = Atomic")
    try:
        embedded.execute(
            "CREATE TABLE scored.pressed (x UInt64) ENGINE = MergeTree ORDER BY x"
            " SETTINGS parts_to_delay_insert = 9, parts_to_throw_insert = 10"
        )
        embedded.execute("SYSTEM STOP MERGES scored.pressed")
        for number in range(8):
            embedded.execute(f"INSERT INTO scored.pressed SELECT {number}")
        embedded.execute("CREATE TABLE scored.stuck (x UInt64) ENGINE = MergeTree ORDER BY x")
        embedded.execute("INSERT INTO scored.stuck SELECT 1")
        embedded.execute("ALTER TABLE scored.stuck DELETE WHERE throwIf(x = 1)", mutations_sync=0)
        api = watching(new(embedded))

        wait_until(lambda: "mutations.failing" in deductions(score(api), "errors"), 60, "the mutation counts")
        found = score(api)

        pressure = deductions(found, "storage")["parts.pressure_pct"]
        [[parts]] = embedded.execute(
            "SELECT count() FROM system.parts WHERE active AND database = 'scored' AND table = 'pressed'"
        )
        assert pressure["labels"]["table"] == "pressed"
        assert pressure["value"] == pytest.approx(100 * int(parts) / 10)
        # Straight between 30 at 60 % and 60 at 90 %.
        assert pressure["points"] == pytest.approx(50)

        failing = deductions(found, "errors")["mutations.failing"]
        [[mutations]] = embedded.execute(
            "SELECT count() FROM system.mutations WHERE database = 'scored' AND NOT is_done"
            " AND latest_fail_reason != ''"
        )
        assert (failing["labels"]["table"], failing["value"]) == ("stuck", int(mutations))
        assert failing["points"] == 40
    finally:
        embedded.execute("KILL MUTATION WHERE database = 'scored' SYNC")
        embedded.execute("DROP DATABASE scored")


def test_without_keeper_the_score_falls_names_keeper_and_recovers(
    own_zookeeper: Callable[..., ZooKeeper],
    own_clickhouse18: Callable[..., ClickHouse18],
    watching: Callable[..., ApiProcess],
) -> None:
    keeper = own_zookeeper()
    server = own_clickhouse18(Options(replica="1", zookeeper=[keeper.port]))
    server.execute(
        "CREATE TABLE default.replicated (x UInt64)"
        " ENGINE = ReplicatedMergeTree('/clickhouse/scored', '1') ORDER BY x"
    )
    api = watching(old(server, keeper_nodes=[keeper.address]))

    def infrastructure() -> set[str]:
        return set(deductions(score(api), "infrastructure"))

    wait_until(lambda: (score(api)["overall_score"] or 0) >= 95, 60, "all is well")
    before = score(api)

    keeper.stop()
    wait_until(
        lambda: {"keeper.online", "keeper_nodes.up"} <= infrastructure(), KEEPER_SECONDS, "Keeper is named"
    )
    without = score(api)
    assert without["overall_score"] < before["overall_score"] - 30
    [offline] = [d for key, d in deductions(without, "infrastructure").items() if key == "keeper.online"]
    assert (offline["value"], offline["points"]) == (0, 100)

    def is_back() -> bool:
        # One answer: a session that has just come back may be lost once more before the next one.
        found = score(api)
        named = {"keeper.online", "keeper_nodes.up"} & set(deductions(found, "infrastructure"))
        return (found["overall_score"] or 0) >= before["overall_score"] - 1 and not named

    keeper.start()
    wait_until(is_back, KEEPER_SECONDS, "it is back, and Keeper is not named")
