"""Snapshots, settings, scores and leases, on both databases."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from clustersight.store import clusters, health_scores, leases, settings, snapshots
from clustersight.store.clusters import Description
from clustersight.store.health_scores import StoredScore
from clustersight.store.snapshots import Snapshot

if TYPE_CHECKING:
    from clustersight.store.database import Database

NOW = 1_790_000_000.0


def cluster(database: Database) -> str:
    with database.begin() as db:
        return clusters.create(db, Description("one", "ch1", 8123), None, NOW).id


def snapshot(cluster_id: str, **changes: object) -> Snapshot:
    found = Snapshot(
        cluster_id, "disk", "ch1", "ok", "", NOW, 0.1, 3, NOW, [{"disk": "d"}], [["m", ["d"], 0.5]]
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def test_a_failed_run_keeps_the_last_good_rows_and_their_time(database: Database) -> None:
    cluster_id = cluster(database)
    with database.begin() as db:
        snapshots.put(db, [snapshot(cluster_id)])
        failed = snapshot(
            cluster_id, status="timeout", error="slow", finished_at=NOW + 30, collected_at=None, payload=[]
        )
        snapshots.put(db, [failed])
        [found] = snapshots.of_panel(db, cluster_id, "disk")

    assert (found.status, found.error, found.finished_at) == ("timeout", "slow", NOW + 30)
    assert (found.collected_at, found.payload) == (NOW, [{"disk": "d"}])
    assert found.samples == [["m", ["d"], 0.5]]


def test_names_that_are_no_unicode_and_numbers_that_are_none_can_be_kept(database: Database) -> None:
    cluster_id = cluster(database)
    rows = [{"table": "half \ud800 pair", "ratio": math.nan, "nested": [math.inf, {"x": 1}]}]
    with database.begin() as db:
        snapshots.put(db, [snapshot(cluster_id, payload=rows, error="a NUL \x00 here")])
        [found] = snapshots.of_cluster(db, cluster_id)

    assert found.error == "a NUL \\x00 here"
    assert found.payload == [{"table": "half \ud800 pair", "ratio": None, "nested": [None, {"x": 1}]}]


def test_states_have_no_rows(database: Database) -> None:
    cluster_id = cluster(database)
    with database.begin() as db:
        snapshots.put(db, [snapshot(cluster_id)])
        [found] = snapshots.states(db, cluster_id)

    assert (found.status, found.payload, found.samples) == ("ok", [], [])


def test_settings_are_plain_or_encrypted_and_can_be_removed(database: Database) -> None:
    with database.begin() as db:
        settings.write(db, {"interval": 30, "tier1": False}, {"url": "token"}, NOW)
        settings.write(db, {"interval": 60}, {}, NOW)
        assert settings.read(db) == {"interval": 60, "tier1": False}
        assert settings.read_encrypted(db) == {"url": "token"}

        settings.write(db, {}, {"url": None}, NOW)
        assert settings.read_encrypted(db) == {}


def test_a_score_of_nothing_is_remembered_as_nothing(database: Database) -> None:
    cluster_id = cluster(database)
    with database.begin() as db:
        health_scores.put(db, StoredScore(cluster_id, 100, 87.4, "B+", {"a": 1}))
        health_scores.put(db, StoredScore(cluster_id, 200, None, None, {}))

        assert health_scores.latest(db, cluster_id, 99) is None
        assert health_scores.latest(db, cluster_id, 150) == StoredScore(cluster_id, 100, 87.4, "B+", {"a": 1})
        latest = health_scores.latest(db, cluster_id, 300)
        assert latest is not None
        assert latest.score is None


def take(database: Database, holder: str, now: float) -> str:
    with database.begin() as db:
        return leases.take(db, "exporter", holder, now, 20)


def test_one_holds_a_lease_until_it_runs_out(database: Database) -> None:
    assert take(database, "a", NOW) == "a"
    assert take(database, "b", NOW + 19) == "a"
    assert take(database, "a", NOW + 19) == "a"
    assert take(database, "b", NOW + 38) == "a"
    assert take(database, "b", NOW + 40) == "b"
    assert take(database, "a", NOW + 41) == "b"


def test_a_lease_that_was_given_back_is_free_at_once(database: Database) -> None:
    take(database, "a", NOW)
    with database.begin() as db:
        leases.release(db, "exporter", "b")
    assert take(database, "b", NOW) == "a"

    with database.begin() as db:
        leases.release(db, "exporter", "a")
    assert take(database, "b", NOW) == "b"


def test_a_lease_from_a_clock_that_was_a_year_ahead_holds_nobody_up(database: Database) -> None:
    take(database, "a", NOW + 365 * 86400)

    assert take(database, "b", NOW) == "b"


def test_hosts_that_share_a_store_go_by_its_clock(database: Database) -> None:
    with database.read() as db:
        shared = leases.clock(db, NOW)

    assert shared == NOW if database.is_sqlite else shared == pytest.approx(time.time(), abs=60)
