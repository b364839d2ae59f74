"""DDL ON CLUSTER that waits. Neither test server runs its worker: 18.16 lacks the table, 26.9 as an engine
refuses it with 139. The statement runs on a table of the same columns, filled as the documents say."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clustersight.clickhouse.connection import Address, Wire
from clustersight.panels import ddl_queue
from clustersight.panels.ddl_queue import PANEL
from clustersight.panels.panel import Peers, Status
from tests.panels.visiting import run, values
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer

OLDEST = "clickhouse_ddl_queue_oldest_entry_seconds"
NODE_OLDEST = "clickhouse_ddl_queue_node_oldest_entry_seconds"
UNFINISHED = "clickhouse_ddl_queue_unfinished_entries"
# The one host of the engine's clusters.
HOST = "127.0.0.1:9000"
SUSPECTED = ("ch2",)


def address(server: EmbeddedServer) -> Address:
    return Address("127.0.0.1", server.port, Wire.HTTP)


@pytest.fixture
def queue(embedded: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedServer]:
    """A queue of seven entries, of which two wait for the host of the clusters."""
    embedded.execute("CREATE DATABASE ddl ENGINE = Atomic")
    try:
        embedded.execute("CREATE TABLE ddl.queue AS system.distributed_ddl_queue ENGINE = Memory")
        embedded.execute(
            "INSERT INTO ddl.queue (entry, cluster, query_create_time, host, port, status) VALUES"
            " ('query-1', 'default', now() - 900, '127.0.0.1', 9000, 'Inactive'),"
            " ('query-2', 'default', now() - 60, '127.0.0.1', 9000, 'Active'),"
            " ('query-3', 'default', now() - 5000, '127.0.0.1', 9000, 'Finished'),"
            " ('query-4', 'default', now() - 90000, '127.0.0.1', 9000, 'Inactive'),"
            " ('query-5', 'default', now() - 5000, 'removed', 9000, 'Inactive'),"
            " ('query-6', 'other', now() - 5000, '127.0.0.1', 9000, 'Inactive'),"
            " ('query-7', 'default', now() - 5000, NULL, NULL, NULL)"
        )
        sql = ddl_queue.SQL.replace("system.distributed_ddl_queue", "ddl.queue")
        monkeypatch.setattr(ddl_queue, "SQL", sql)
        yield embedded
    finally:
        embedded.execute("DROP DATABASE ddl")


def test_what_waits_for_a_host_that_answers(queue: EmbeddedServer) -> None:
    found = run(address(queue), PANEL, peers=Peers(frozenset({HOST}), SUSPECTED))
    assert found.status is Status.OK, found.error
    told = values(found)
    assert told[OLDEST,] == told[NODE_OLDEST, HOST]
    assert 900 <= told[OLDEST,] < 960
    assert told[UNFINISHED, HOST] == 2
    [row] = PANEL.payload(found.rows)
    assert (row["node"], row["is_live"], row["oldest_entry"]) == (HOST, True, "query-1")
    assert row.keys() == {"node", "is_live", "unfinished", "oldest_seconds", "oldest_entry"}


def test_a_host_by_name_alone(queue: EmbeddedServer) -> None:
    """Over HTTP a node's native port is not known."""
    found = run(address(queue), PANEL, peers=Peers(frozenset({"127.0.0.1"}), SUSPECTED))
    assert values(found)[UNFINISHED, HOST] == 2


def test_a_host_that_is_down_does_not_count(queue: EmbeddedServer) -> None:
    found = run(address(queue), PANEL, peers=Peers(frozenset({"ch1:9000"}), SUSPECTED))
    assert values(found) == {(OLDEST,): 0}
    assert PANEL.payload(found.rows)[0]["is_live"] is False


def test_of_one_node_alone_nobody_knows_the_others(queue: EmbeddedServer) -> None:
    found = run(address(queue), PANEL)
    assert values(found) == {(OLDEST,): 0}
    assert PANEL.payload(found.rows)[0]["is_live"] is None


def test_without_a_suspicion_nothing_is_asked(embedded: EmbeddedServer) -> None:
    found = run(address(embedded), PANEL, peers=Peers(frozenset({HOST}), ()))
    assert (found.status, found.queries, values(found)) == (Status.OK, 0, {(OLDEST,): 0})


def test_a_long_queue_is_not_read_on_no_suspicion(
    queue: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ddl_queue, "MOST_HOSTS_UNSUSPECTED", 0)
    found = run(address(queue), PANEL, peers=Peers(frozenset({HOST}), None))
    assert (found.status, found.queries) == (Status.UNSUPPORTED, 1)
    assert "discover: true" in found.error
    suspected = run(address(queue), PANEL, peers=Peers(frozenset({HOST}), SUSPECTED))
    assert suspected.status is Status.OK


def test_without_keeper_there_is_no_queue(embedded: EmbeddedServer) -> None:
    found = run(address(embedded), PANEL)
    assert found.status is Status.UNSUPPORTED
    assert "Zookeeper" in found.error


def test_an_old_server_has_none(replicas: list[ClickHouse18]) -> None:
    found = run(Address("127.0.0.1", replicas[0].port, Wire.NATIVE), PANEL)
    assert found.status is Status.UNSUPPORTED
    assert "system.distributed_ddl_queue" in found.error
