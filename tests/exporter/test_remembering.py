"""What the exporter writes into its store, and what it follows from there."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from clustersight.store import clusters, health_scores, nodes, samples, series, settings, snapshots, tiers
from clustersight.store.clusters import Description, StoredCluster
from clustersight.store.database import DATABASE_FILE, Database, sqlite_url
from clustersight.store.history import held
from clustersight.store.secrets import SecretBox, key_from_file
from clustersight.store.tiers import Tier
from tests.exporter.conftest import QUICK, new, old
from tests.servers.process import wait_until

if TYPE_CHECKING:
    from tests.servers.clickhouse18 import ClickHouse18
    from tests.servers.embedded import EmbeddedServer
    from tests.servers.exporter import ExporterProcess
    from tests.servers.postgresql import PostgreSQL

Exporters = Callable[..., "ExporterProcess"]


def state(exporter: ExporterProcess) -> Path:
    return exporter.folder / "state"


def store_of(exporter: ExporterProcess) -> Database:
    return Database(sqlite_url(state(exporter)))


def only_cluster(database: Database) -> StoredCluster:
    with database.read() as db:
        [found] = clusters.active(db)
    return found


def test_a_visit_is_in_the_store_as_it_is_on_the_page(exporter: Exporters, embedded: EmbeddedServer) -> None:
    started = exporter({"clusters": [new(embedded)], "collection": QUICK})
    started.wait_collected()

    with store_of(started) as database:
        cluster = only_cluster(database)

        def found() -> dict[str, snapshots.Snapshot]:
            with database.read() as db:
                return {one.panel: one for one in snapshots.of_cluster(db, cluster.id) if one.host}

        wait_until(lambda: {"disk", "collector"} <= set(found()), 15, "the visit is written")
        [disk, *_] = found()["disk"].payload
        assert disk["disk"] == "default"
        assert disk["total_bytes"] == started.value("clickhouse_disk_total_bytes", disk="default")
        assert found()["keeper-nodes"].status == "unsupported"
        with database.read() as db:
            [node] = nodes.of_cluster(db, cluster.id)
        assert (node.is_up, node.is_configured, node.address_port) == (True, True, embedded.port)
        assert node.version.startswith("26.")


def test_history_is_kept_in_the_unit_of_the_rule_key(exporter: Exporters, embedded: EmbeddedServer) -> None:
    started = exporter({"clusters": [new(embedded)], "collection": QUICK})

    with store_of(started) as database:

        def values() -> list[float]:
            with database.read() as db:
                [cluster] = clusters.active(db)
                known = series.of_metrics(db, cluster.id, ["clickhouse_disk_usage_ratio"])
                now = int(time.time()) + 1
                pieces = tiers.pieces(Tier.RAW, now - 60, now, tiers.reaches(db))
                spans = held(db, [one.id for one in known], pieces)
            return [span.last for found in spans.values() for span in found]

        started.wait_collected()
        wait_until(values, 15, "there is history")
        ratio = started.value("clickhouse_disk_usage_ratio", disk="default")
        assert ratio is not None
        assert values()[-1] == pytest.approx(100 * ratio, abs=1)


def test_a_node_that_is_down_is_a_gap_and_no_flat_line(
    exporter: Exporters, replicas: list[ClickHouse18]
) -> None:
    started = exporter({"clusters": [old(replicas[1])], "collection": QUICK})
    started.wait_collected()

    with store_of(started) as database:

        def last() -> list[Any]:
            with database.read() as db:
                [cluster] = clusters.active(db)
                return series.alive(db, cluster.id, f"127.0.0.1:{replicas[1].port}", 0)

        def metrics() -> set[str]:
            return {one.key.metric for one in last()}

        wait_until(lambda: "clickhouse_uptime_seconds" in metrics(), 15, "there is history")
        replicas[1].kill()
        try:
            wait_until(lambda: "clickhouse_uptime_seconds" not in metrics(), 30, "its series have ended")
            up = [one.value for one in last() if one.key.metric == "clickhouse_up"]
            assert up == [0.0]
        finally:
            replicas[1].start()


def test_a_cluster_made_over_the_api_is_watched_within_an_interval_and_gone_when_deleted(
    exporter: Exporters, embedded: EmbeddedServer
) -> None:
    started = exporter({"clusters": [], "collection": QUICK})
    secrets = SecretBox(key_from_file(state(started)))
    made = Description("made", "127.0.0.1", embedded.port, {"protocol": "http"})

    with store_of(started) as database:
        with database.begin() as db:
            cluster_id = clusters.create(db, made, secrets.encrypt(""), time.time()).id
        started.wait_for(lambda: started.value("clickhouse_up", cluster="made") == 1, "it is watched", 5)

        with database.begin() as db:
            clusters.delete(db, cluster_id, time.time())
        started.wait_for(lambda: "made" not in started.get("/metrics").text, "it is gone", 5)


def test_a_password_that_cannot_be_decrypted_disables_its_cluster_alone(
    exporter: Exporters, embedded: EmbeddedServer
) -> None:
    started = exporter({"clusters": [new(embedded)], "collection": QUICK})
    elsewhere = SecretBox("another key, which is long enough for one").encrypt("hunter2")

    with store_of(started) as database, database.begin() as db:
        made = Description("locked", "127.0.0.1", 1, {"protocol": "http"})
        clusters.create(db, made, elsewhere, time.time())

    started.wait_for(lambda: "cluster is not watched" in started.logs(), "it is said")
    started.wait_for(lambda: started.value("clickhouse_up", cluster="new") == 1, "the other is watched")
    assert "locked: a stored secret cannot be decrypted" in started.logs()
    assert "hunter2" not in started.logs()


def test_settings_made_over_the_api_are_followed_and_the_files_win(
    exporter: Exporters, embedded: EmbeddedServer
) -> None:
    started = exporter({"clusters": [new(embedded)], "collection": QUICK})
    started.wait_collected()

    with store_of(started) as database, database.begin() as db:
        settings.write(db, {"tier1_enabled": False, "collection_interval_sec": 3600}, {}, time.time())

    def disabled() -> bool:
        return started.value("clustersight_panel_status", panel="disk", status="disabled") == 1

    # The file's interval of 5 s wins, or else this would take an hour.
    started.wait_for(disabled, "tier 1 is off", 15)


def test_the_score_is_on_the_page_and_explained_in_the_store(
    exporter: Exporters, embedded: EmbeddedServer
) -> None:
    started = exporter({"clusters": [new(embedded)], "collection": QUICK})
    started.wait_for(lambda: started.value("clickhouse_health_score", cluster="new"), "there is a score")

    with store_of(started) as database:
        cluster = only_cluster(database)
        with database.read() as db:
            score = health_scores.latest(db, cluster.id, time.time())
    assert score is not None
    assert set(score.explanation["components"]) == {
        "replication", "storage", "errors", "infrastructure", "queries",
    }  # fmt: skip
    assert json.dumps(score.explanation)
    infrastructure = started.value("clickhouse_health_component_score", component="infrastructure")
    assert infrastructure is not None


def test_a_second_exporter_on_the_store_stands_by_and_takes_over(
    exporter: Exporters, embedded: EmbeddedServer
) -> None:
    config = {"clusters": [new(embedded)], "collection": QUICK}
    first = exporter(config)
    first.wait_collected()
    second = exporter({**config, "data_dir": str(state(first))})

    waiting = second.get("/-/ready")
    assert waiting.status_code == 503
    assert "standby" in waiting.text
    assert second.value("clustersight_exporter_leader") == 0
    assert second.value("clickhouse_up") is None

    first.kill()
    second.wait_for(lambda: second.value("clickhouse_up") == 1, "the second has taken over")
    assert second.value("clustersight_exporter_leader") == 1


def test_what_is_no_database_ends_the_start_and_stays_as_it_is(exporter: Exporters, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / DATABASE_FILE
    file.parent.mkdir()
    file.write_bytes(b"important, but not a database " * 100)

    with pytest.raises(Exception, match="is not a database; move it away or restore a backup"):
        exporter({"clusters": [], "data_dir": str(file.parent)})

    assert file.read_bytes().startswith(b"important")


def test_collecting_goes_on_without_the_store_and_writing_comes_back(
    exporter: Exporters, embedded: EmbeddedServer, own_postgresql: PostgreSQL
) -> None:
    url = own_postgresql.database("state")
    store = {"url": url, "secret_key": "k" * 32}
    started = exporter({"clusters": [new(embedded)], "collection": QUICK, "store": store})
    started.wait_for(lambda: started.value("clustersight_exporter_visits_stored_total"), "it is stored")

    own_postgresql.stop()
    started.wait_for(lambda: started.value("clustersight_store_up") == 0, "it is said that nothing is stored")
    before = started.value("clustersight_exporter_visits_total") or 0
    started.wait_for(
        lambda: (started.value("clustersight_exporter_visits_total") or 0) > before, "visits go on"
    )
    assert started.value("clickhouse_up") == 1
    assert "collecting goes on" in started.logs()

    own_postgresql.start()
    started.wait_for(lambda: started.value("clustersight_store_up") == 1, "it is stored again", 60)
    assert (started.value("clustersight_exporter_visits_not_stored_total") or 0) > 0
    assert samples.HOLD_SECONDS == 900


def test_an_exporter_without_a_file_leaves_the_files_clusters_of_others(
    exporter: Exporters, embedded: EmbeddedServer, tmp_path: Path
) -> None:
    folder = tmp_path / "shared"
    first = exporter({"clusters": [new(embedded)], "collection": QUICK, "data_dir": str(folder)})
    first.wait_collected()
    first.stop()
    command = [sys.executable, "-P", "-m", "exporter", "--listen", "127.0.0.1:0"]
    file = tmp_path / "url"
    alone = subprocess.Popen(
        [*command, "--url-file", str(file)], env={"PATH": "", "CLUSTERSIGHT_DATA_DIR": str(folder)}
    )
    try:
        wait_until(file.exists, 20, "it serves")
        url = file.read_text().strip()
        wait_until(lambda: requests.get(f"{url}/-/ready", timeout=5).ok, 20, "it is ready")
    finally:
        alone.terminate()
        alone.wait(20)

    with Database(sqlite_url(folder)) as database:
        assert only_cluster(database).name == "new"


def test_a_disk_that_takes_no_more_stops_the_writing_and_not_the_collecting(
    exporter: Exporters, embedded: EmbeddedServer
) -> None:
    started = exporter({"clusters": [new(embedded)], "collection": QUICK})
    started.wait_for(lambda: started.value("clustersight_exporter_visits_stored_total"), "it is stored")
    before = started.value("clustersight_exporter_visits_total") or 0

    # No file of this process may be longer than a page: the kernel refuses what the store writes.
    resource.prlimit(started.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    try:
        started.wait_for(lambda: started.value("clustersight_store_up") == 0, "it is said")
        seen = started.value("clustersight_exporter_visits_total") or 0
        assert seen >= before
        started.wait_for(
            lambda: (started.value("clustersight_exporter_visits_total") or 0) > seen, "visits go on"
        )
        assert started.value("clickhouse_up") == 1
    finally:
        resource.prlimit(started.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

    started.wait_for(lambda: started.value("clustersight_store_up") == 1, "it is stored again")
