"""kill -9 in the middle of writes: the store opens, is whole, and has every write that was answered."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from clustersight.store import settings
from clustersight.store.alert_schema import silences
from clustersight.store.database import DATABASE_FILE, Database, sqlite_url
from clustersight.store.schema import clusters, rules
from tests.api.answers import good
from tests.api.live import live_config, provisioned
from tests.api.test_together import checked, last_run
from tests.api.writing import Writer
from tests.conftest import factory
from tests.servers.api import ApiProcess
from tests.servers.embedded import EmbeddedServer
from tests.servers.exporter import ExporterProcess
from tests.servers.process import wait_until

# Five in `make test`, fifty in `make soak` (issue: Shown by).
ROUNDS = [5, pytest.param(50, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])]
CLIENTS = 3


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Callable[..., ExporterProcess]]:
    yield from factory(ExporterProcess, tmp_path)


class Acknowledged:
    """What the writers of all rounds were told."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.gone: set[str] = set()

    def add(self, writers: list[Writer]) -> None:
        for writer in writers:
            self.there |= writer.there
            self.gone |= writer.gone

    def assert_kept(self, folder: Path) -> None:
        with Database(sqlite_url(folder)) as database, database.read() as db:
            found = present(db)
        assert self.there - found == set()
        assert self.gone & found == set()


def present(db: Connection) -> set[str]:
    """The paths of everything that can be made over the API."""
    active = select(clusters.c.id).where(clusters.c.deleted_at.is_(None))
    found = {f"/clusters/{one}" for one in db.execute(active).scalars()}
    found |= {f"/silences/{one}" for one in db.execute(select(silences.c.id)).scalars()}
    return found | {f"/alerts/rules/{one}" for one in db.execute(select(rules.c.id)).scalars()}


def started(process: ApiProcess, number: int) -> list[Writer]:
    writers = [Writer(process.url, f"writer{number}-{n}") for n in range(CLIENTS)]
    for writer in writers:
        writer.start()
    return writers


@pytest.mark.parametrize("rounds", ROUNDS)
def test_the_api_is_killed(
    embedded: EmbeddedServer, api: Callable[..., ApiProcess], tmp_path: Path, rounds: int
) -> None:
    chance = random.Random(1)
    config = live_config(embedded, tmp_path / "state")
    provisioned(config)
    acknowledged = Acknowledged()
    process = api(config)
    for number in range(rounds):
        writers = started(process, number)
        wanted = chance.randint(1, 30)
        wait_until(lambda: all(w.acknowledged >= wanted for w in writers), 60, "writes were answered")  # noqa: B023
        process.kill()  # the whole group: parent and workers
        for writer in writers:
            writer.join()
        assert [one for writer in writers for one in writer.strange] == []
        acknowledged.add(writers)
        checked(process.file)
        acknowledged.assert_kept(tmp_path / "state")
        process.start()
        assert_setting_kept(tmp_path / "state", writers)
    assert len(acknowledged.there | acknowledged.gone) > 10 * rounds
    good(process.get("/clusters"))


def assert_setting_kept(folder: Path, writers: list[Writer]) -> None:
    """Where anybody was told of a change, the value is of this round: told, or just on its way."""
    with Database(sqlite_url(folder)) as database, database.read() as db:
        stored = settings.read(db).get("retention_raw_days")
    if any(writer.days for writer in writers):
        assert stored in {day for writer in writers for day in writer.sent_days}


@pytest.mark.parametrize("rounds", ROUNDS)
def test_the_exporter_is_killed(
    embedded: EmbeddedServer,
    api: Callable[..., ApiProcess],
    exporter: Callable[..., ExporterProcess],
    tmp_path: Path,
    rounds: int,
) -> None:
    chance = random.Random(2)
    folder = tmp_path / "state"
    config = live_config(embedded, folder)
    config["collection"] = {"interval_sec": 5, "tier2_every": 1}
    collecting, asked = exporter(config), api(config)
    writers = started(asked, 0)
    log, shown = folder / f"{DATABASE_FILE}-wal", ""
    for _ in range(rounds):
        before = shown
        # The first visit follows the start at once: it is killed while it is being written.
        wait_until(lambda: last_run(asked) > before, 60, "a collection was stored")  # noqa: B023
        written = changes(log, chance.randint(0, 30))
        shown = last_run(asked)
        collecting.kill()
        assert written
        checked(collecting.file)
        assert last_run(asked) >= shown, "what was shown once is there"
        collecting.start()
    for writer in writers:
        writer.end()
    acknowledged = Acknowledged()
    acknowledged.add(writers)
    acknowledged.assert_kept(folder)
    assert [one for writer in writers for one in writer.strange] == []


def changes(log: Path, count: int) -> bool:
    """Wait until the log has grown or begun anew so many times."""
    seen = {log.stat().st_mtime_ns}

    def changed() -> bool:
        seen.add(log.stat().st_mtime_ns)
        return len(seen) > count

    wait_until(changed, 30, "the store is written")
    return True
