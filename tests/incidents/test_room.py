"""A ClickHouse 26.9 that runs out of disk, memory and patience, then a monitor that sees nothing any more.

Hours pass between the two looks at it: the clock of exporter and alerter is injected, which at first is
slow; that is a fault of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.incidents.chain import INTERVAL, Chain, of_26, watched
from tests.servers.embedded import EmbeddedError, EmbeddedServer
from tests.servers.process import wait_until

# What is usual takes six hours to know.
EARLIER = -7 * 3600.0
MEGABYTE = 1_000_000
# A file system of which others use little, some megabytes: hundreds make that a percent.
SHARED_MEMORY = Path("/dev/shm")
ROOM_MEGABYTES = 400
MEMORY_LIMIT = 1_500 * MEGABYTE
CROWD = 24
FRAGMENT = """
<max_server_memory_usage>{limit}</max_server_memory_usage>
<local_disk_check_period_ms>500</local_disk_check_period_ms>
<storage_configuration>
    <local_disk_check_period_ms>500</local_disk_check_period_ms>
    <disks>
        <room><path>{room}/</path><keep_free_space_bytes>{keep}</keep_free_space_bytes></room>
        <fragile><path>{fragile}/</path></fragile>
    </disks>
</storage_configuration>
"""


@dataclass
class Room:
    """A disk of 400 MB, by keep_free_space_bytes, and one that can be taken away."""

    folder: Path
    fragile: Path

    def fill(self, percent: int) -> None:
        """So much of it is used then; it only grows, for a file that is written anew is short at first."""
        ballast = self.folder / "ballast"
        held = ballast.stat().st_size if ballast.exists() else 0
        with ballast.open("ab") as file:
            file.write(bytes(ROOM_MEGABYTES * MEGABYTE * percent // 100 - held))

    @property
    def fragment(self) -> str:
        space = os.statvfs(self.folder)
        keep = space.f_bavail * space.f_frsize - ROOM_MEGABYTES * MEGABYTE
        return FRAGMENT.format(limit=MEMORY_LIMIT, room=self.folder, keep=keep, fragile=self.fragile)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    found = Room(SHARED_MEMORY / f"clustersight-{uuid.uuid4().hex}", tmp_path / "fragile")
    found.folder.mkdir()
    found.fragile.mkdir()
    yield found
    shutil.rmtree(found.folder)


# It takes a minute and a half, and 400 MB of /dev/shm, which a container need not have.
@pytest.mark.soak
def test_a_server_that_runs_out_of_room(tmp_path: Path, room: Room, own_embedded) -> None:
    server = own_embedded(fragment=room.fragment)
    room.fill(65)
    with watched(tmp_path / "chain", [of_26(server, "prod")], shift_seconds=EARLIER) as chain:
        hours_ago(chain, server)
        room.fill(75)
        chain.move_clocks(0.0)
        chain.wait_message("[WARNING] DiskWillFill on prod", "disk=room")
        with slow_users(server):
            fill_memory(server)
            chain.wait_message("[WARNING] MemoryPressure", "of the memory that it may")
            chain.wait_message("[WARNING] SlowQueries", "times as long as usual")
        a_disk_fills(chain, room)
        shutil.rmtree(room.fragile)
        chain.wait_message("[CRITICAL] DiskBroken", "disk=fragile")
        who_sees_nothing_says_so(chain)


def hours_ago(chain: Chain, server: EmbeddedServer) -> None:
    """The clocks are apart; queries are quick, as usual."""
    message = chain.wait_message("[WARNING] ClockSkew")
    assert re.search(r"is (7h 0m|6h 59m) \d+s off", message.text), message.text
    with users(server, "SELECT 1", pause_seconds=0.1):
        quantile = {"quantile": "0.95"}
        chain.exporter.wait_for(
            lambda: chain.exporter.value("clickhouse_query_duration_seconds", **quantile) is not None,
            "there is a usual duration",
            60,
        )


@contextlib.contextmanager
def users(server: EmbeddedServer, sql: str, *, number: int = 2, pause_seconds: float = 0.0) -> Iterator[None]:
    """Some who ask the same again and again."""
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.wait(pause_seconds):
            with contextlib.suppress(EmbeddedError):
                server.execute(sql)

    with ThreadPoolExecutor(number) as pool:
        for _ in range(number):
            pool.submit(ask)
        try:
            yield
        finally:
            stopped.set()


def slow_users(server: EmbeddedServer) -> contextlib.AbstractContextManager[None]:
    """Enough that fifty queries end within a window of five seconds."""
    return users(server, "SELECT sleep(1.2)", number=CROWD)


def fill_memory(server: EmbeddedServer) -> None:
    """A table in memory grows to 93 % of the limit."""
    server.execute("CREATE TABLE filler (s String) ENGINE = Memory")
    used = "SELECT max(value) FROM system.metrics WHERE metric IN ('MemoryTracking', 'MemoryResident')"

    def is_full() -> bool:
        if server.execute(used)[0][0] > 0.93 * MEMORY_LIMIT:
            return True
        with contextlib.suppress(EmbeddedError):
            server.execute("INSERT INTO filler SELECT randomString(1000000) FROM numbers(20)")
        return False

    wait_until(is_full, 60, "the memory is used")


def a_disk_fills(chain: Chain, room: Room) -> None:
    """First a warning, whose severity rises; the faster it goes, the sooner it is full."""
    room.fill(89)
    chain.wait_message("[WARNING] DiskUsage", "disk=room")
    chain.wait_message("[CRITICAL] DiskWillFill (severity rose)", "disk=room")
    room.fill(97)
    message = chain.wait_message("[CRITICAL] DiskUsage (severity rose)", "disk=room")
    assert "never rm in store/ or data/" in message.fix


def who_sees_nothing_says_so(chain: Chain) -> None:
    """Without the exporter nothing resolves, and within a few intervals the blindness is an alert itself."""
    before = {one.id for one in chain.unresolved()}
    chain.exporter.kill()
    chain.wait_message("CollectionStale", timeout_seconds=6 * INTERVAL)
    assert before <= {one.id for one in chain.unresolved()}
