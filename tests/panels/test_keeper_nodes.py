"""The keeper-nodes panel, on ZooKeepers that are well, dead, hung, without quorum or taciturn."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clustersight.clickhouse import keeper
from clustersight.clickhouse.capabilities import Capabilities
from clustersight.clickhouse.connection import Address, Result, Wire
from clustersight.clickhouse.errors import ClickHouseError, TimedOut, from_server
from clustersight.clickhouse.keeper import Answer, State, place, understood
from clustersight.collect import collect
from clustersight.collection import PanelRun, Plan, Watch
from clustersight.panels import keeper_places
from clustersight.panels.keeper_nodes import PANEL, Row, quorum, row
from clustersight.panels.keeper_places import Source
from clustersight.panels.panel import Context, Status
from tests.conftest import running
from tests.panels.replicated import native
from tests.panels.visiting import CLOCK, run, values, watching
from tests.servers.certificates import Certificates
from tests.servers.misbehaving import (
    ClosingPeer,
    DrippingPeer,
    GarbagePeer,
    HangingFourLetterPeer,
    Peer,
    SilentPeer,
)
from tests.servers.process import free_port, wait_until
from tests.servers.zookeeper import ZooKeeper, start_all
from tests.servers.zookeeper import quorum as three_of_a_quorum

UP = "clickhouse_keeper_node_up"
LATENCY = "clickhouse_keeper_node_latency_seconds"
QUORUM = ("clickhouse_keeper_quorum",)


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Of a ClickHouse that is down: this panel does not need it."""
    found = watching(Address("127.0.0.1", free_port(), Wire.NATIVE))
    yield found
    found.close()


def visited(watch: Watch, *nodes: str) -> PanelRun:
    found = collect(watch, Plan([PANEL], keeper_nodes=nodes), CLOCK)
    assert not found.up
    assert found.runs[0].status is Status.OK, found.runs[0].error
    return found.runs[0]


def states(panel_run: PanelRun) -> dict[str, str]:
    return {row.node: str(row.state) for row in panel_run.rows}


def test_a_node_that_serves_is_up_with_its_numbers(watch: Watch, own_zookeeper: Callable[..., Any]) -> None:
    node = own_zookeeper().address
    found = visited(watch, node)
    assert states(found) == {node: "standalone"}
    known = values(found)
    assert known[UP, node] == 1
    assert known[LATENCY, node] > 0
    assert known["clickhouse_keeper_node_znodes", node] > 0
    assert known["clickhouse_keeper_node_outstanding_requests", node] >= 0
    assert known["clickhouse_keeper_nodes",] == known["clickhouse_keeper_nodes_up",] == 1
    assert known[QUORUM] == 1
    shown = PANEL.payload(found.rows)[0]
    assert (shown["status"], shown["role"], shown["error"]) == (1, "standalone", "")
    assert shown["version"].startswith("3.")


def test_a_node_that_answers_srvr_alone_tells_its_role(
    watch: Watch, own_zookeeper: Callable[..., Any]
) -> None:
    node = own_zookeeper(whitelist="srvr").address
    found = visited(watch, node)
    assert states(found) == {node: "standalone"}
    assert values(found)["clickhouse_keeper_node_znodes", node] > 0
    assert found.rows[0].version.startswith("3.")


class Taciturn(Peer):
    """A ZooKeeper before 3.5.3 with an empty whitelist; later ones answer srvr whatever the list says."""

    def behave(self, connection: Any) -> None:
        word = connection.recv(4, socket.MSG_WAITALL).decode()
        connection.sendall(f"{word} is not executed because it is not in the whitelist.\n".encode())
        connection.shutdown(socket.SHUT_RDWR)


def test_a_node_that_tells_nothing_is_neither_up_nor_down(watch: Watch) -> None:
    with Taciturn() as peer:
        node = f"127.0.0.1:{peer.port}"
        found = visited(watch, node)
    assert states(found) == {node: "up_unknown"}
    assert (UP, node) not in values(found)
    assert QUORUM not in values(found)
    assert values(found)[LATENCY, node] > 0
    assert "not in the whitelist" in found.rows[0].error
    assert PANEL.payload(found.rows)[0]["status"] is None


def test_a_node_that_died_is_down_and_one_never_heard_of_is_not(
    watch: Watch, own_zookeeper: Callable[..., Any]
) -> None:
    server, never = own_zookeeper(), f"127.0.0.1:{free_port()}"
    assert states(visited(watch, server.address, never))[never] == "unreachable_from_exporter"
    server.kill()
    found = visited(watch, server.address, never)
    assert states(found) == {server.address: "down", never: "unreachable_from_exporter"}
    known = values(found)
    assert known[UP, server.address] == 0
    assert (UP, never) not in known
    assert (LATENCY, server.address) not in known
    assert "refused" in found.rows[0].error
    server.start()
    assert values(visited(watch, server.address))[UP, server.address] == 1


def test_a_hung_node_is_down_and_does_not_hide_the_others(
    watch: Watch, own_zookeeper: Callable[..., Any]
) -> None:
    hung, well = own_zookeeper(), own_zookeeper()
    visited(watch, hung.address, well.address)
    hung.pause()
    try:
        found = visited(watch, hung.address, well.address)
    finally:
        hung.resume()
    assert states(found) == {hung.address: "down", well.address: "standalone"}
    assert values(found)[UP, hung.address] == 0
    assert values(found)[UP, well.address] == 1


def test_imok_without_a_quorum_is_not_up(watch: Watch, tmp_path: Path) -> None:
    servers = three_of_a_quorum(tmp_path)
    nodes = [server.address for server in servers]
    with running(_Together(servers)):
        well = visited(watch, *nodes)
        assert sorted(states(well).values()) == ["follower", "follower", "leader"]
        assert values(well)[QUORUM] == 1
        leader = next(row for row in well.rows if row.state is State.LEADER)
        assert values(well)["clickhouse_keeper_node_synced_followers", leader.node] == 2

        servers[0].kill()
        servers[1].kill()
        wait_until(lambda: "not currently serving" in servers[2].four_letters("mntr"), 30, "no quorum")
        assert servers[2].four_letters("ruok") == "imok"
        lost = visited(watch, *nodes)
        assert states(lost) == {nodes[0]: "down", nodes[1]: "down", nodes[2]: "up_no_quorum"}
        assert [values(lost)[UP, node] for node in nodes] == [0, 0, 0]
        assert values(lost)[QUORUM] == 0
        assert PANEL.payload(lost.rows)[2]["status"] == 0


class _Together:
    """Three servers as one, for `running`."""

    def __init__(self, servers: list[ZooKeeper]) -> None:
        self.servers = servers

    def start(self) -> None:
        start_all(self.servers)

    def stop(self) -> None:
        for server in self.servers:
            server.kill()


def test_where_nobody_names_a_node_it_says_what_to_configure(
    watch: Watch,
) -> None:
    found = collect(watch, Plan([PANEL]), CLOCK).runs[0]
    assert found.status is Status.UNSUPPORTED
    assert "keeper_nodes" in found.error


def test_an_old_server_names_no_nodes(replicas: list) -> None:
    assert run(native(replicas[0]), PANEL).status is Status.UNSUPPORTED


class TlsFront(Peer):
    """Ends TLS in front of a real ZooKeeper."""

    def __init__(self, server: ZooKeeper, certificates: Certificates) -> None:
        super().__init__()
        self.server = server
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates.self_signed.certificate, certificates.self_signed.key)

    def behave(self, connection: Any) -> None:
        with self.context.wrap_socket(connection, server_side=True) as inner:
            word = inner.recv(4).decode()
            inner.sendall(self.server.four_letters(word).encode())


def test_a_node_may_speak_tls(
    watch: Watch, own_zookeeper: Callable[..., Any], certificates: Certificates
) -> None:
    with TlsFront(own_zookeeper(), certificates) as front:
        node = f"tls://127.0.0.1:{front.port}"
        assert states(visited(watch, node)) == {node: "standalone"}


SHORT_SECONDS = 0.5


@pytest.mark.parametrize(
    ("peer", "state", "reason"),
    [
        (SilentPeer, State.DOWN, "in time|within"),
        (ClosingPeer, State.DOWN, "closed"),
        (GarbagePeer, State.DOWN, "protocol|closed"),
        (lambda: GarbagePeer(b"x" * 10_000_000), State.DOWN, "protocol|closed"),
        (DrippingPeer, State.DOWN, "in time|within"),
        (HangingFourLetterPeer, State.DOWN, "in time|within"),
        (lambda: HangingFourLetterPeer(b"imok"), State.DOWN, "in time|within"),
    ],
)
@pytest.mark.parametrize("scheme", ["", "tls://"])
def test_a_peer_that_breaks_the_rules_is_down_and_costs_no_more_than_the_deadline(
    peer: Callable[[], Peer], state: State, reason: str, scheme: str
) -> None:
    with peer() as bad:
        answer = keeper.ask_all([place(f"{scheme}127.0.0.1:{bad.port}")], SHORT_SECONDS)[0]
    assert answer.state is state
    assert answer.latency_seconds is None
    assert len(answer.error) <= 300
    if not scheme:
        assert any(word in answer.error for word in reason.split("|"))


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("scheme", "beginning"),
    [
        ("", b"zk_"),
        ("tls://", b"\x16\x03\x03\x3f\xff"),  # the header of a long handshake
    ],
)
def test_an_answer_that_never_ends_is_given_up(scheme: str, beginning: bytes) -> None:
    """Every single read succeeds: only a deadline for the whole ends it, and the thread with it."""
    with DrippingPeer(beginning) as peer, pytest.raises(keeper.NoAnswer):
        keeper.talk(place(f"{scheme}127.0.0.1:{peer.port}"), "mntr", time.monotonic() + SHORT_SECONDS)


def test_a_name_that_nobody_knows_is_down() -> None:
    answer = keeper.ask_all([place("no-such-host.invalid:9181")])[0]
    assert answer.state is State.DOWN


@pytest.mark.parametrize(
    ("text", "host", "port", "secure"),
    [
        ("keeper1:9181", "keeper1", 9181, False),
        ("tls://keeper1.internal:9281", "keeper1.internal", 9281, True),
        ("[::1]:2181", "::1", 2181, False),
        ("tls://[fe80::1%eth0]:2181", "fe80::1%eth0", 2181, True),
    ],
)
def test_a_place_is_parsed(text: str, host: str, port: int, secure: bool) -> None:
    found = place(text)
    assert (found.text, found.host, found.port, found.secure) == (text, host, port, secure)


@pytest.mark.parametrize("text", ["keeper1", "http://keeper1:9181", "a b:1", "", "[::1]", ":9181"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a Keeper node"):
        place(text)


KEEPER_MNTR = (
    "zk_version\tv26.9.2.1-stable-0123\nzk_avg_latency\t0\nzk_server_state\tleader\nzk_followers\t2\n"
    "zk_synced_followers\t2\nzk_outstanding_requests\t3\nzk_znode_count\t4711\nzk_watch_count\t5\n"
    "zk_ephemerals_count\t6\nzk_num_alive_connections\t7\n"
)
KEEPER_SRVR = (
    "ClickHouse Keeper version: v26.9.2.1-stable-0123\nLatency min/avg/max: 0/0/7\nReceived: 1\nSent: 1\n"
    "Connections: 1\nOutstanding: 0\nZxid: 15\nMode: follower\nNode count: 4711\n"
)
HERE = place("keeper1:9181")


def test_clickhouse_keeper_is_understood_as_well() -> None:
    found = understood(HERE, KEEPER_MNTR, 0.001)
    assert found is not None
    shown = row(found, Source.CONFIGURATION, seen=True)
    assert (shown.state, shown.version) == (State.LEADER, "v26.9.2.1-stable-0123")
    assert (shown.znode_count, shown.watches, shown.ephemerals, shown.connections) == (4711, 5, 6, 7)
    assert (shown.followers, shown.synced_followers, shown.outstanding_requests) == (2, 2, 3)


def test_srvr_of_clickhouse_keeper_tells_role_and_version() -> None:
    found = understood(HERE, KEEPER_SRVR, 0.001)
    assert found is not None
    shown = row(found, Source.CONFIGURATION, seen=True)
    assert (shown.state, shown.version, shown.znode_count) == (
        State.FOLLOWER, "v26.9.2.1-stable-0123", 4711
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("This instance is not currently serving requests", State.UP_NO_QUORUM),
        ("This ZooKeeper instance is not currently serving requests\n", State.UP_NO_QUORUM),
        ("zk_server_state\tobserver", State.OBSERVER),
        ("zk_server_state\tread-only", State.UP_UNKNOWN),
        ("zk_server_state\tup_no_quorum", State.UP_UNKNOWN),
    ],
)
def test_a_role_is_what_the_node_says(text: str, state: State) -> None:
    found = understood(HERE, text, 0.001)
    assert found is not None
    assert found.state is state


def test_texts_of_the_network_are_cut_and_printable() -> None:
    found = understood(HERE, "zk_server_state\tleader\nzk_version\t\x1b[31m" + "v" * 5000, 0.001)
    assert found is not None
    assert len(found.details["zk_version"]) <= 200
    assert found.details["zk_version"].isprintable()


def rows(*states: State, source: Source = Source.CONFIGURATION) -> list[Row]:
    return [row(Answer(HERE, state), source, seen=True) for state in states]


L, F, D, N = State.LEADER, State.FOLLOWER, State.DOWN, State.UP_NO_QUORUM
X, U = State.UNREACHABLE_FROM_EXPORTER, State.UP_UNKNOWN


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((L, F, F), True),
        ((F, X, X), True),
        ((D, D, F), True),
        ((D, D, N), False),
        ((D, D, D), False),
        ((N, N, X), False),
        ((D, X, X), None),
        ((N, U, U), None),
        ((U,), None),
        ((), None),
    ],
)
def test_quorum_is_lost_only_when_no_majority_can_be_left(
    states: tuple[State, ...], expected: bool | None
) -> None:
    assert quorum(rows(*states)) is expected


def test_a_list_that_may_lack_nodes_proves_no_lost_quorum() -> None:
    assert quorum(rows(D, source=Source.ZOOKEEPER_CONNECTION)) is None
    assert quorum(rows(F, source=Source.ZOOKEEPER_CONNECTION)) is True


class NewServer:
    """What a server says that has zookeeper_info or zookeeper_connection, which no server here has."""

    def __init__(self, *tables: str) -> None:
        self.able = Capabilities("26.9", "h", 1, 0, True, dict.fromkeys(tables, frozenset({"host"})))
        self.answers: dict[str, list[tuple[Any, ...]] | ClickHouseError] = {}
        self.memory: dict[str, Any] = {}
        self.asked = 0

    def find(self, monotonic: float = 0.0, *, tier2_due: bool = True) -> tuple[Source, list[str]]:
        context = Context(
            self.keeper_query, self.keeper_query, self.able, "default", monotonic,
            tier2_due=tier2_due, memory=self.memory,
        )  # fmt: skip
        return keeper_places.find(context)

    def keeper_query(self, sql: str, **_values: Any) -> Result:
        self.asked += 1
        found = next(answer for table, answer in self.answers.items() if f"system.{table}" in sql)
        if isinstance(found, ClickHouseError):
            raise found
        return Result(("ensemble", "host", "port"), found)


def test_a_new_server_names_the_nodes_of_its_main_ensemble() -> None:
    server = NewServer("zookeeper_info", "zookeeper_connection")
    server.answers["zookeeper_info"] = [
        ("default", "k1", 9181), ("default", "secure://k2", 9281), ("default", "::1", 9181),
        ("default", "bad host", 9181), ("other", "k9", 9181),
    ]  # fmt: skip
    assert server.find() == (Source.ZOOKEEPER_INFO, ["[::1]:9181", "k1:9181", "tls://k2:9281"])


def test_a_list_is_asked_for_again_after_an_hour_and_kept_when_that_fails() -> None:
    server = NewServer("zookeeper_info")
    server.answers["zookeeper_info"] = [("default", "k1", 9181)]
    server.find(0.0)
    server.find(3599.0)
    assert server.asked == 1
    server.answers["zookeeper_info"] = from_server(999, "Connection loss")
    assert server.find(3600.0) == (Source.ZOOKEEPER_INFO, ["k1:9181"])
    assert server.asked == 2


def test_the_nodes_in_use_are_remembered_for_a_day() -> None:
    server = NewServer("zookeeper_connection")
    server.answers["zookeeper_connection"] = [("default", "k1", 9181)]
    server.find(0.0)
    server.answers["zookeeper_connection"] = [("default", "k2", 9181)]
    assert server.find(300.0) == (Source.ZOOKEEPER_CONNECTION, ["k1:9181", "k2:9181"])
    assert server.find(90_000.0) == (Source.ZOOKEEPER_CONNECTION, ["k2:9181"])


def test_where_the_list_cannot_be_read_the_connection_is_and_never_after_a_hang() -> None:
    server = NewServer("zookeeper_info", "zookeeper_connection")
    server.answers = {
        "zookeeper_info": from_server(497, "denied"), "zookeeper_connection": [("default", "k1", 9181)]
    }  # fmt: skip
    assert server.find() == (Source.ZOOKEEPER_CONNECTION, ["k1:9181"])
    hung = NewServer("zookeeper_info", "zookeeper_connection")
    hung.answers = server.answers | {"zookeeper_info": TimedOut("no answer")}
    with pytest.raises(TimedOut):
        hung.find()
    assert hung.asked == 1


def test_one_hung_node_does_not_use_up_the_time_of_the_others(own_zookeeper: Callable[..., Any]) -> None:
    """With a hung node in front, the others have their answer long before the time of all is up."""
    well = place(own_zookeeper().address)
    with SilentPeer() as one, SilentPeer() as two:
        hung = [place(f"127.0.0.1:{peer.port}") for peer in (one, two)]
        began = time.monotonic()
        answers = keeper.ask_all([*hung, well], 3.0)
    assert [answer.state for answer in answers] == [State.DOWN, State.DOWN, State.STANDALONE]
    latency = answers[2].latency_seconds
    assert latency is not None
    assert latency < time.monotonic() - began
