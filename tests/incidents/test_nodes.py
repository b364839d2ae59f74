"""Three real servers of 18.16 that are killed and started again: what is said of nodes, shards and starts."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from clickhouse_driver.errors import Error

from tests.conftest import running
from tests.incidents.chain import INTERVAL, Chain, of_18, watched
from tests.servers.clickhouse18 import ClickHouse18, Options, Ports
from tests.servers.process import wait_until
from tests.servers.zookeeper import ZooKeeper

# The cluster: a shard of two replicas, and one of a single server.
SHARD, ALONE = slice(0, 2), 2
# A server that starts within one visit or two is not down: as with the `for` of the pack.
LONGER_THAN_A_START = 10


@pytest.fixture
def servers(tmp_path: Path, zookeeper: ZooKeeper) -> Iterator[list[ClickHouse18]]:
    ports = [Ports(), Ports(), Ports()]
    clusters = {"three": [[one.native for one in ports[SHARD]], [ports[ALONE].native]]}
    # Not those of the session: what is killed in the middle of a fetch is not to be trusted afterwards.
    made = [
        ClickHouse18(
            tmp_path / f"server{number}",
            Options(replica=str(number), zookeeper=[zookeeper.port], clusters=clusters),
            own,
        )
        for number, own in enumerate(ports)
    ]
    with contextlib.ExitStack() as stack:
        for server in made:
            stack.enter_context(running(server))
        yield made


def host_of(server: ClickHouse18) -> str:
    return f"127.0.0.1:{server.port}"


# A minute and a half of waiting for servers that start.
@pytest.mark.soak
def test_nodes_that_die_start_again_and_lose_data(tmp_path: Path, servers: list[ClickHouse18]) -> None:
    make_tables(servers)
    three = of_18(servers[0], "prod", discover=True, logical_cluster="three")
    with watched(tmp_path / "chain", [three], longest_for=LONGER_THAN_A_START) as chain:
        wait_until(lambda: seen(chain) == 3, 90, "all three nodes are watched")
        a_lost_part_is_told(chain, servers[ALONE])
        a_loop_of_restarts_is_told(chain, servers[ALONE])
        a_dead_shard_is_told(chain, servers)
        half_of_all_at_once_is_the_monitor(chain, servers)


def make_tables(servers: Sequence[ClickHouse18]) -> None:
    """A Distributed table over all, and a replicated one that has only one replica."""
    for server in servers:
        server.execute("CREATE TABLE one (n UInt64) ENGINE = Memory")
        server.execute("CREATE TABLE everywhere (n UInt64) ENGINE = Distributed(three, default, one)")
    servers[ALONE].execute(
        "CREATE TABLE only (n UInt64) ENGINE = ReplicatedMergeTree('/incidents/only', '{replica}') ORDER BY n"
    )
    servers[ALONE].execute("INSERT INTO only SELECT number FROM system.numbers LIMIT 10")


def seen(chain: Chain) -> int:
    return sum(1 for (name, _), up in chain.exporter.series().items() if name == "clickhouse_up" and up == 1)


def a_dead_shard_is_told(chain: Chain, servers: Sequence[ClickHouse18]) -> None:
    """kill -9 of the only server of a shard: it, its shard, and who cannot reach it."""
    servers[ALONE].kill()
    with asking(lambda: servers[0].execute("SELECT count() FROM everywhere")):
        message = chain.wait_message("[CRITICAL] NodeDown", host_of(servers[ALONE]))
        assert "systemctl status clickhouse-server" in message.fix
        assert "WARNING: loading many parts takes minutes" in message.fix
        assert "1 shards of prod have no replica" in chain.wait_message("[CRITICAL] ShardDown").text
        chain.wait_message("[WARNING] InterserverFailing", host_of(servers[0]), "kind=distributed")


@contextlib.contextmanager
def asking(question: Callable[[], object]) -> Iterator[None]:
    """Somebody asks again and again, and bears that it fails."""
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.wait(0.3):
            with contextlib.suppress(Error, OSError):
                question()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def a_loop_of_restarts_is_told(chain: Chain, server: ClickHouse18) -> None:
    """One start is a warning, the third within an hour, here with that of the lost part, is critical."""
    chain.wait_message("[WARNING] ServerRestarted", host_of(server))
    for _ in range(2):
        before = seen_to_run(chain, server)
        server.kill()
        server.start()
        chain.exporter.wait_for(
            lambda before=before: 0 < up_for(chain, server) < before, "its start is seen", 60
        )
    message = chain.wait_message("[CRITICAL] RestartLoop", host_of(server))
    assert "started 3 times within an hour" in message.text


def seen_to_run(chain: Chain, server: ClickHouse18) -> float:
    """For so long that its next start is seen as one, even if a visit comes late."""
    chain.exporter.wait_for(lambda: up_for(chain, server) > INTERVAL + 3, "it is seen to run", 60)
    return up_for(chain, server)


def up_for(chain: Chain, server: ClickHouse18) -> float:
    return chain.exporter.value("clickhouse_uptime_seconds", host=host_of(server)) or 0.0


def a_lost_part_is_told(chain: Chain, server: ClickHouse18) -> None:
    """The only copy of a part is gone from the disk; ClickHouse finds out at its start."""
    seen_to_run(chain, server)
    server.stop()
    [part] = (server.folder / "data/data/default/only").glob("all_*")
    shutil.rmtree(part)
    server.start()
    chain.wait_message("[CRITICAL] ReplicatedDataLoss", host_of(server))


def half_of_all_at_once_is_the_monitor(chain: Chain, servers: Sequence[ClickHouse18]) -> None:
    before = len(chain.messages("[CRITICAL] NodeDown"))
    for server in servers:
        server.kill()
    chain.wait_message("[CRITICAL] MonitorIsolated")
    for server in servers:
        alert = chain.wait_alert(
            "NodeDown",
            lambda one, server=server: one.status == "active" and one.detail["host"] == host_of(server),
        )
        assert alert.detail["inhibited_by"] == "MonitorIsolated", alert
    assert len(chain.messages("[CRITICAL] NodeDown")) == before
