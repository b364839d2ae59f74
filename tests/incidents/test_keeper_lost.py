"""ZooKeeper stops under two real replicas: one thing is said, and what follows from it is silent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.incidents.chain import INTERVAL, Chain, of_18, watched
from tests.panels.replicated import Table
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.process import wait_until
from tests.servers.zookeeper import ZooKeeper

# By default 18.16 looks once a minute whether a session has ended or come back.
CHECK_SECONDS = 3
FOLLOWING = ("ReplicaReadonly", "ReplicaSessionExpired", "KeeperExceptions", "HealthScoreLow")
NODES = ("KeeperQuorumLost", "KeeperNodeDown")


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


def test_a_lost_keeper_is_one_message_and_what_follows_is_silent(
    tmp_path: Path, zookeeper: ZooKeeper, replicas: list[ClickHouse18]
) -> None:
    clusters = [of_18(one, f"r{n}", keeper_nodes=[zookeeper.address]) for n, one in enumerate(replicas)]
    with replicated(replicas), watched(tmp_path, clusters) as chain:
        zookeeper.stop()
        try:
            message_comes_in_time(chain)
            for server in replicas:
                wait_until(lambda server=server: readonly(server), 90, "the replica is read-only")
            what_follows_is_inhibited(chain)
        finally:
            zookeeper.start()
        all_resolve(chain)


def message_comes_in_time(chain: Chain) -> None:
    """Within two intervals after the page shows that Keeper is lost, with what is to be done."""
    seen: dict[str, float] = {}
    for name in ("r0", "r1"):
        chain.exporter.wait_for(
            lambda name=name: chain.exporter.value("clickhouse_keeper_online", cluster=name) == 0,
            "the page shows it",
        )
        page = chain.exporter.value(
            "clustersight_panel_last_success_timestamp_seconds", cluster=name, panel="keeper"
        )
        assert page is not None
        seen[name] = page
    for name, at in seen.items():
        message = chain.wait_message("[CRITICAL] KeeperOffline", name)
        assert message.at - at <= 2 * INTERVAL
        assert "echo mntr | nc HOST 9181" in message.fix
        assert "never wipe the data of a Keeper while there is no quorum" in message.fix
        assert "What follows from it" in message.text


def what_follows_is_inhibited(chain: Chain) -> None:
    """On both nodes, in the store, with the reason; nothing of it was sent."""
    for name in ("r0", "r1"):
        for rule in FOLLOWING:
            alert = chain.wait_alert(
                rule,
                lambda one, name=name: one.detail["cluster_name"] == name and one.detail["inhibited_by"],
                timeout_seconds=90,
            )
            assert alert.detail["inhibited_by"] == "KeeperOffline", alert
    for rule in NODES:
        chain.wait_message(f"[{'CRITICAL' if rule == 'KeeperQuorumLost' else 'WARNING'}] {rule}")
    assert not [one.text for rule in FOLLOWING for one in chain.messages(rule)]


def all_resolve(chain: Chain) -> None:
    """The end is told of what was told, with how long it took, and of nothing else."""
    for rule in ("KeeperOffline", *NODES):
        message = chain.wait_message(f"[RESOLVED] {rule}", timeout_seconds=90)
        assert " after " in message.text
    silent = ("ReplicaReadonly", "ReplicaSessionExpired")
    wait_until(
        lambda: not [one for one in chain.unresolved() if one.rule_name in silent], 90, "they resolve"
    )
    for rule in silent:
        assert chain.alerts(rule)
        assert not chain.messages(rule)
