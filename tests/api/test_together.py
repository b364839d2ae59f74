"""Several processes on one SQLite store: none is in another's way, and each sees what the others do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from clustersight.cli import main
from tests.api.answers import good
from tests.api.live import live_config
from tests.api.writing import Writer
from tests.conftest import factory
from tests.servers.api import BASE, ApiProcess
from tests.servers.embedded import EmbeddedServer
from tests.servers.exporter import ExporterProcess
from tests.servers.process import wait_until

# As quick as the settings allow.
INTERVAL_SECONDS = 5
COLLECTIONS = 3
CLIENTS = 4


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Callable[..., ExporterProcess]]:
    yield from factory(ExporterProcess, tmp_path)


def checked(config: Path) -> str:
    """What `clustersight store check` says; it must be content."""
    result = CliRunner().invoke(main, ["store", "check", "--config", str(config)])
    assert result.exit_code == 0, result.output
    return result.output


class Reader(threading.Thread):
    """Looks at everything, and keeps what it should not have seen."""

    PATHS = ("/clusters", "/overview", "/panels/disk", "/silences", "/alerts/rules", "/settings", "/panels")

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._ended = threading.Event()
        self.answers = 0
        self.strange: list[str] = []

    def run(self) -> None:
        while not self._ended.is_set():
            for path in self.PATHS:
                answer = requests.get(self._url + BASE + path, timeout=30)
                self.answers += 1
                if answer.status_code != 200:
                    self.strange.append(f"{path}: {answer.text[:300]}")

    def end(self) -> None:
        self._ended.set()
        self.join()


def test_two_apis_and_the_exporter_write_at_once(
    embedded: EmbeddedServer,
    api: Callable[..., ApiProcess],
    exporter: Callable[..., ExporterProcess],
    tmp_path: Path,
) -> None:
    config = live_config(embedded, tmp_path / "state")
    config["collection"] = {"interval_sec": INTERVAL_SECONDS, "tier2_every": 1}
    collecting = exporter(config)
    apis = [api(config), api(config)]
    apis[0].wait_for(lambda: good(apis[0].get("/clusters")), "the exporter has made its cluster known")
    writers = [Writer(apis[n % 2].url, f"writer{n}") for n in range(CLIENTS)]
    clients: list[Writer | Reader] = [*writers, *(Reader(one.url) for one in apis)]
    for client in clients:
        client.start()

    seen: set[str] = set()

    def collected() -> bool:
        seen.add(last_run(apis[0]))
        return len(seen - {""}) > COLLECTIONS

    wait_until(collected, 90, "the exporter has recorded several collections meanwhile")
    for client in clients:
        client.end()

    assert [one for client in clients for one in client.strange] == []
    assert sum(writer.acknowledged for writer in writers) > 100
    for process in (*apis, collecting):
        assert "locked" not in process.logs()
        assert "Traceback" not in process.logs()
        assert "the store failed" not in process.logs()
    assert collecting.value("clustersight_store_up") == 1
    checked(collecting.file)


def last_run(process: ApiProcess) -> str:
    """When the exporter last stored a run of the panel `disk`, as the API tells it; empty before."""
    listed = good(process.get("/panels"))
    return next(one["last_run"] or "" for one in listed if one["name"] == "disk")


def test_the_exporter_follows_the_api_without_a_restart(
    embedded: EmbeddedServer,
    api: Callable[..., ApiProcess],
    exporter: Callable[..., ExporterProcess],
    tmp_path: Path,
) -> None:
    config: dict[str, Any] = {"data_dir": str(tmp_path / "state")}
    # As somebody who begins without a file; the shortest interval, so that one is soon over.
    asked = api(config)
    good(asked.ask("PUT", f"{BASE}/settings", json={"collection_interval_sec": INTERVAL_SECONDS}))
    page = exporter(config)
    pid = page.pid
    assert page.value("clickhouse_up") is None

    new = {"host": "127.0.0.1", "port": embedded.port, "protocol": "http", "name": "made"}
    made = good(asked.post("/clusters", json=new), 201)
    within(lambda: page.value("clickhouse_up", cluster="made") == 1, "the new cluster is on the page")
    asked.wait_for(
        lambda: good(asked.get(f"/clusters/{made['id']}"))["collector_status"] == "online",
        "the API says that the exporter reaches it",
    )

    good(asked.ask("PUT", f"{BASE}/clusters/{made['id']}", json={"name": "renamed"}))
    within(lambda: page.value("clickhouse_up", cluster="renamed") == 1, "the new name is on the page")
    assert page.value("clickhouse_up", cluster="made") is None

    disk = {"panel": "disk", "status": "disabled"}
    good(asked.ask("PUT", f"{BASE}/settings", json={"tier1_enabled": False}))
    within(lambda: page.value("clustersight_panel_status", **disk) == 1, "the quick panels are switched off")

    good(asked.ask("DELETE", f"{BASE}/clusters/{made['id']}"))
    within(lambda: page.value("clickhouse_up") is None, "the series are gone")
    assert not [labels for _, labels in page.series() if ("cluster", "renamed") in labels]
    assert page.pid == pid
    assert "configuration reloaded" not in page.logs()


def test_a_shorter_interval_holds_at_once(
    embedded: EmbeddedServer,
    api: Callable[..., ApiProcess],
    exporter: Callable[..., ExporterProcess],
    tmp_path: Path,
) -> None:
    config = live_config(embedded, tmp_path / "state")
    asked = api(config)
    good(asked.ask("PUT", f"{BASE}/settings", json={"collection_interval_sec": 3600}))
    page = exporter(config)
    page.wait_collected()
    before = visits(page)  # the next one is in up to an hour

    good(asked.ask("PUT", f"{BASE}/settings", json={"collection_interval_sec": INTERVAL_SECONDS}))

    within(lambda: visits(page) > before, "the new interval holds")


def visits(page: ExporterProcess) -> float:
    return sum(
        value for (name, _), value in page.series().items() if name == "clustersight_exporter_visits_total"
    )


def within(condition: Callable[[], object], what: str) -> None:
    """In one interval, and what a visit takes on a busy machine."""
    wait_until(condition, INTERVAL_SECONDS + 10, what)
