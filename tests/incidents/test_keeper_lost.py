"""ZooKeeper stops under two real replicas: one thing is said, and what follows from it is silent."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from clustersight.store.alerts import StoredAlert
from tests.incidents.chain import INTERVAL, Chain, of_18, watched
from tests.panels.replicated import Table
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.process import wait_until
from tests.servers.zookeeper import ZooKeeper

# By default 18.16 looks once a minute whether a session has ended or come back.
CHECK_SECONDS = 3
SILENT = ("ReplicaReadonly", "ReplicaSessionExpired", "KeeperExceptions", "HealthScoreLow")
# In the pack it waits for 5 min, KeeperOffline for one: exceptions may be seen a visit before the loss is.
LONGER = {"KeeperExceptions": 3 * INTERVAL}
OF_THE_ENSEMBLE = {"KeeperQuorumLost": "CRITICAL", "KeeperNodeDown": "WARNING"}


@contextlib.contextmanager
def replicated(servers: Sequence[ClickHouse18]) -> Iterator[Table]:
    """A table on both servers, which notices soon what becomes of its session."""
    table = Table("lost", "orders")
    for server in servers:
        server.execute("CREATE DATABASE lost")
        server.execute(
            "CREATE TABLE lost.orders (d Date, n UInt64) ENGINE = ReplicatedMergeTree('/lost', '{replica}')"
            f" ORDER BY n SETTINGS zookeeper_session_expiration_check_period = {CHECK_SECONDS}"
        )
    servers[0].execute("INSERT INTO lost.orders SELECT toDate('2020-01-01'), 1")
    try:
        yield table
    finally:
        for server in servers:
            wait_until(lambda server=server: dropped(server), 90, "the table is dropped")


def dropped(server: ClickHouse18) -> bool:
    server.execute("DROP DATABASE IF EXISTS lost")
    return True


def readonly(server: ClickHouse18) -> bool:
    return server.execute("SELECT is_readonly FROM system.replicas WHERE table = 'orders'") == [(1,)]


def test_a_lost_keeper_is_told_once_and_what_follows_is_silent(
    tmp_path: Path, zookeeper: ZooKeeper, replicas: list[ClickHouse18]
) -> None:
    pair = of_18(replicas[0], "prod", discover=True, logical_cluster="pair", keeper_nodes=[zookeeper.address])
    with replicated(replicas), watched(tmp_path, [pair], longer=LONGER) as chain:
        hosts = [f"127.0.0.1:{server.port}" for server in replicas]
        zookeeper.stop()
        try:
            messages_come_in_time(chain, hosts)
            for server in replicas:
                wait_until(lambda server=server: readonly(server), 90, "the replica is read-only")
            what_follows_is_inhibited(chain, hosts)
        finally:
            zookeeper.start()
        all_resolve(chain, hosts)


def messages_come_in_time(chain: Chain, hosts: Sequence[str]) -> None:
    """Within two intervals after the page shows that a node has lost Keeper, with what is to be done."""
    for host, at in shown_at(chain, hosts).items():
        message = chain.wait_message("[CRITICAL] KeeperOffline", host)
        assert message.at - at <= 2 * INTERVAL
        assert "echo mntr | nc HOST 9181" in message.text
        assert "never wipe the data of a Keeper while there is no quorum" in message.text


def shown_at(chain: Chain, hosts: Sequence[str]) -> dict[str, float]:
    """When the exporter's page said of each node that Keeper is lost, in epoch seconds."""
    seen: dict[str, float] = {}

    def are_shown() -> bool:
        for host in set(hosts) - seen.keys():
            if chain.exporter.value("clickhouse_keeper_online", host=host) == 0:
                seen[host] = time.time()
        return len(seen) == len(hosts)

    chain.exporter.wait_for(are_shown, "the page shows it")
    return seen


def what_follows_is_inhibited(chain: Chain, hosts: Sequence[str]) -> None:
    """On both nodes, in the store, with the reason; nothing of it is sent."""
    for host in hosts:
        for rule in ("ReplicaReadonly", "ReplicaSessionExpired", "KeeperExceptions"):
            alert = chain.wait_alert(rule, lambda one, host=host: one.detail["host"] == host)
            assert alert.detail["inhibited_by"] == "KeeperOffline", alert
    assert chain.wait_alert("HealthScoreLow").detail["inhibited_by"]
    for rule, severity in OF_THE_ENSEMBLE.items():
        chain.wait_message(f"[{severity}] {rule}")
    assert not [one.text for rule in SILENT for one in chain.messages(f"] {rule}")]


def all_resolve(chain: Chain, hosts: Sequence[str]) -> None:
    """The end is told of what was told, with how long it took, and of nothing else."""
    for rule in ("KeeperOffline", *OF_THE_ENSEMBLE):
        message = chain.wait_message("[RESOLVED]", rule)
        assert re.search(r"Resolved at .*\(\d[\d.]* (s|min)|resolved after \d", message.text), message.text
    wait_until(lambda: not of_replicas(chain, "active"), 90, "the replicas resolve")
    assert {(one.rule_name, one.detail["host"]) for one in of_replicas(chain, "resolved")} == {
        (rule, host) for rule in SILENT[:2] for host in hosts
    }
    assert not [one.text for rule in SILENT for one in chain.messages(f"] {rule}")]


def of_replicas(chain: Chain, status: str) -> list[StoredAlert]:
    return [one for one in chain.alerts() if one.rule_name in SILENT[:2] and one.status == status]
