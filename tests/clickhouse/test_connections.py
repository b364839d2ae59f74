"""Both connections against real servers on bad days: every failure is the right class of the tree."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clustersight.clickhouse import errors
from clustersight.clickhouse.capabilities import Capabilities
from clustersight.clickhouse.connection import Address, Connection, Wire
from clustersight.clickhouse.errors import ClickHouseError
from clustersight.clickhouse.session import Session, connect
from tests.cluster.conftest import busy  # noqa: F401 - a fixture
from tests.servers.certificates import Certificates
from tests.servers.clickhouse18 import PASSWORD, ClickHouse18, Options
from tests.servers.embedded import EmbeddedServer
from tests.servers.misbehaving import ClosingPeer, DrippingPeer, GarbagePeer, Peer, SilentPeer
from tests.servers.process import free_port, wait_until

WRONG = "hunter2-wrong"
ENDLESS = "SELECT count() FROM system.numbers"
# Ends by itself: the server goes on with what we gave up, and it is shared with other tests.
SLOW = "SELECT sum(sleepEachRow(0.5)) FROM (SELECT 1 FROM system.numbers LIMIT 8) SETTINGS max_block_size = 1"
WIRES = pytest.mark.parametrize("wire", list(Wire))


def address(port: int, wire: Wire, **more: Any) -> Address:
    return Address("127.0.0.1", port, wire, **more)


@contextlib.contextmanager
def connected(where: Address) -> Iterator[Connection]:
    connection = connect(where)
    try:
        yield connection
    finally:
        connection.close()


def failure(where: Address, sql: str = "SELECT 1", seconds: float = 3, **settings: Any) -> ClickHouseError:
    """The error of one statement; it ended within the deadline and what it takes to look at the port."""
    began = time.monotonic()
    with connected(where) as connection, pytest.raises(ClickHouseError) as caught:
        connection.query(sql, timeout_seconds=seconds, settings=settings)
    assert time.monotonic() - began < seconds + 3
    assert "\n" not in caught.value.message
    return caught.value


@pytest.fixture
def servers(replicas: list[ClickHouse18], embedded: EmbeddedServer) -> Callable[[Wire], Address]:
    """The oldest version over the native protocol, the newest over HTTP."""
    ports = {Wire.NATIVE: replicas[0].port, Wire.HTTP: embedded.port}
    return lambda wire: address(ports[wire], wire)


@WIRES
def test_a_good_day(servers: Callable[[Wire], Address], wire: Wire) -> None:
    with connected(servers(wire)) as connection:
        result = connection.query(
            "SELECT toUInt8(1) AS n, 'x' AS s", timeout_seconds=5, settings={"max_threads": 1}
        )
    assert (result.columns, result.rows) == (("n", "s"), [(1, "x")])


@pytest.mark.parametrize("user", ["monitor", "nobody"])
def test_wrong_login_native(replicas: list[ClickHouse18], user: str) -> None:
    error = failure(address(replicas[0].port, Wire.NATIVE, username=user, password=WRONG))

    assert type(error) is errors.Unauthorized
    assert error.answered


def test_wrong_login_http(own_embedded: Callable[..., EmbeddedServer]) -> None:
    server = own_embedded(user="root", password="right")

    error = failure(address(server.port, Wire.HTTP, username="root", password=WRONG))

    assert (type(error), error.code, error.name) == (errors.Unauthorized, 516, "AUTHENTICATION_FAILED")


def test_the_password_is_nowhere(replicas: list[ClickHouse18], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ports = replicas[0].ports
    for port, wire in ((ports.native, Wire.NATIVE), (ports.http, Wire.HTTP), (ports.http, Wire.NATIVE)):
        where = address(port, wire, username="monitor", password=WRONG)
        error = failure(where)
        texts = [repr(where), str(where), repr(error), str(error), error.message, repr(Session(where))]
        assert not any(WRONG in text for text in texts)
    assert WRONG not in caplog.text


def test_wrong_ports(replicas: list[ClickHouse18], embedded: EmbeddedServer) -> None:
    ports = replicas[0].ports
    for port, wire, advice in (
        (ports.http, Wire.NATIVE, "set protocol: http"),
        (embedded.port, Wire.NATIVE, "set protocol: http"),
        (ports.native, Wire.HTTP, "this is the native port"),
    ):
        error = failure(address(port, wire))
        assert type(error) is errors.WrongProtocol
        assert advice in error.message
        assert not error.answered


@WIRES
def test_tls_to_a_plain_port(servers: Callable[[Wire], Address], wire: Wire) -> None:
    error = failure(replace(servers(wire), secure=True), seconds=5)

    assert type(error) is errors.TlsFailed
    assert error.message.endswith("the port does not speak TLS; set secure: false")


def test_plain_to_a_tls_port(
    own_clickhouse18: Callable[..., ClickHouse18], certificates: Certificates
) -> None:
    ports = own_clickhouse18(Options(certificate=certificates.valid)).ports

    error = failure(address(ports.native_secure, Wire.NATIVE))

    assert isinstance(error, errors.Unreachable)
    assert "secure: true" in error.message


@pytest.mark.parametrize(
    ("name", "reason"),
    [("expired", "expired"), ("wrong_host", "not valid for"), ("self_signed", "issuer")],
)
def test_certificates(
    own_clickhouse18: Callable[..., ClickHouse18], certificates: Certificates, name: str, reason: str
) -> None:
    ports = own_clickhouse18(Options(certificate=getattr(certificates, name))).ports
    trusting = {"secure": True, "ca_cert": certificates.authority}
    for port, wire in ((ports.native_secure, Wire.NATIVE), (ports.https, Wire.HTTP)):
        error = failure(address(port, wire, **trusting))
        assert type(error) is errors.TlsFailed, error.message
        assert reason in error.message
    with connected(address(ports.native_secure, Wire.NATIVE, secure=True, verify=False)) as connection:
        assert connection.query("SELECT 1", timeout_seconds=5, settings={}).rows == [(1,)]


def test_a_valid_certificate(
    own_clickhouse18: Callable[..., ClickHouse18], certificates: Certificates
) -> None:
    ports = own_clickhouse18(Options(certificate=certificates.valid)).ports
    where = address(ports.native_secure, Wire.NATIVE, secure=True, ca_cert=certificates.authority)
    with connected(where) as connection:
        assert connection.query("SELECT 1", timeout_seconds=5, settings={}).rows == [(1,)]


@WIRES
def test_nobody_listens(wire: Wire) -> None:
    error = failure(address(free_port(), wire))

    assert type(error) is errors.Unreachable
    assert "Connection refused" in error.message


@WIRES
def test_an_unknown_host(wire: Wire) -> None:
    error = failure(replace(address(9000, wire), host="nosuch.invalid"), seconds=10)

    assert type(error) is errors.Unreachable


@WIRES
@pytest.mark.parametrize("secure", [False, True])
def test_a_silent_server(wire: Wire, *, secure: bool) -> None:
    with SilentPeer() as peer:
        error = failure(address(peer.port, wire, secure=secure), seconds=1)

    assert type(error) is errors.TimedOut
    assert error.message.endswith("no answer within 1 s")


@WIRES
@pytest.mark.parametrize("kind", [ClosingPeer, GarbagePeer, DrippingPeer])
def test_peers_that_are_no_clickhouse(kind: type[Peer], wire: Wire) -> None:
    with kind() as peer:
        error = failure(address(peer.port, wire), seconds=1)

    assert isinstance(error, errors.Unreachable | errors.TimedOut), type(error)
    assert not error.answered


@WIRES
def test_a_deadline_cuts_a_query_and_the_connection_goes_on(
    servers: Callable[[Wire], Address], wire: Wire
) -> None:
    with connected(servers(wire)) as connection:
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(errors.TimedOut):
                connection.query(SLOW, timeout_seconds=1, settings={})
            assert time.monotonic() - began < 3
            assert connection.query("SELECT 2", timeout_seconds=5, settings={}).rows == [(2,)]


@WIRES
def test_the_limit_of_the_server_is_a_timeout_too(servers: Callable[[Wire], Address], wire: Wire) -> None:
    error = failure(servers(wire), ENDLESS, seconds=10, max_execution_time=1)

    assert (type(error), error.code) == (errors.TimedOut, 159)


def killed_in_the_middle(server: Any, where: Address, running: Callable[[], bool]) -> ClickHouseError:
    """The error of a query whose server dies."""
    caught: list[ClickHouseError] = []

    def ask() -> None:
        caught.append(failure(where, ENDLESS, seconds=30))

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(running, 20, "the query runs")
    server.kill()
    thread.join(20)
    return caught[0]


def test_killed_in_the_middle_native(own_clickhouse18: Callable[..., ClickHouse18]) -> None:
    server = own_clickhouse18()
    count = f"SELECT count() FROM system.processes WHERE query = '{ENDLESS}'"

    error = killed_in_the_middle(
        server, address(server.port, Wire.NATIVE), lambda: server.execute(count) == [(1,)]
    )

    assert type(error) is errors.Unreachable


def test_killed_in_the_middle_http(own_embedded: Callable[..., EmbeddedServer]) -> None:
    server = own_embedded()
    count = f"SELECT count() FROM system.processes WHERE query LIKE '{ENDLESS}%'"

    error = killed_in_the_middle(
        server, address(server.port, Wire.HTTP), lambda: server.execute(count) == [[1]]
    )

    assert isinstance(error, errors.Unreachable)


def test_an_idle_connection_survives_a_restart(own_clickhouse18: Callable[..., ClickHouse18]) -> None:
    server = own_clickhouse18()
    with connected(address(server.port, Wire.NATIVE)) as connection:
        assert connection.query("SELECT 1", timeout_seconds=5, settings={}).rows == [(1,)]
        server.restart()
        assert connection.query("SELECT 2", timeout_seconds=5, settings={}).rows == [(2,)]


@pytest.mark.parametrize(
    "wire",
    [
        Wire.NATIVE,
        pytest.param(Wire.HTTP, marks=pytest.mark.xfail(strict=True, reason="the driver gives hex: 61ff62")),
    ],
)
def test_bytes_that_are_no_utf8(servers: Callable[[Wire], Address], wire: Wire) -> None:
    sql = "SELECT 'a' AS plain, unhex('61FF62') AS broken, 'ü' AS fine"
    with connected(servers(wire)) as connection:
        rows = connection.query(sql, timeout_seconds=5, settings={}).rows

    assert rows == [("a", "a\\xffb", "ü")]


@WIRES
@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT * FROM system.nosuch", errors.Unsupported),
        ("SELECT nosuch FROM system.one", errors.Unsupported),
        ("SELECT nosuch(1)", errors.Unsupported),
        ("SELEKT", errors.QueryFailed),
        ("SELECT throwIf(dummy = 0) FROM system.one", errors.QueryFailed),
    ],
)
def test_answers_of_the_server(
    servers: Callable[[Wire], Address], wire: Wire, sql: str, kind: type[ClickHouseError]
) -> None:
    where = servers(wire)
    if "throwIf" in sql and wire is Wire.NATIVE:
        sql, kind = "SELECT toUInt8('x')", errors.QueryFailed  # 18.16 has no throwIf
    error = failure(where, sql)

    assert type(error) is kind, error.message
    assert error.answered
    assert len(error.message) <= 300


def test_a_missing_grant(own_embedded: Callable[..., EmbeddedServer]) -> None:
    server = own_embedded(grants=["GRANT SELECT ON system.metrics"])
    server_address = address(server.port, Wire.HTTP)

    error = failure(server_address, "CREATE TABLE no (a Int8) ENGINE = Memory")

    assert (type(error), error.code) == (errors.AccessDenied, 497)


def test_a_setting_under_readonly_1_is_refused(
    replicas: list[ClickHouse18], own_embedded: Callable[..., EmbeddedServer]
) -> None:
    error = failure(readonly_1(replicas, own_embedded, Wire.HTTP), max_threads=1)

    assert (type(error), error.code) == (errors.SettingRefused, 164)


@WIRES
def test_a_session_under_readonly_1_sends_no_limits(
    replicas: list[ClickHouse18], own_embedded: Callable[..., EmbeddedServer], wire: Wire
) -> None:
    session = Session(readonly_1(replicas, own_embedded, wire))
    try:
        rows = session.query("SELECT count() FROM system.metrics", timeout_seconds=5).rows
        assert session.capabilities(5).readonly == 1
    finally:
        session.close()
    assert rows[0][0] > 0


def readonly_1(
    replicas: list[ClickHouse18], own_embedded: Callable[..., EmbeddedServer], wire: Wire
) -> Address:
    if wire is Wire.NATIVE:
        return address(replicas[0].port, wire, username="readonly1")
    server = own_embedded(user="root", password="pw", accounts=["limited:pw:1"])
    return address(server.port, wire, username="limited", password="pw")


class Constrained:
    """A connection whose profile forbids every limit (452), as the recommended one does outside its range."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.known = Capabilities("26.9.1.1", "h", 1, 2, True, {"metrics": frozenset({"metric"})})

    def query(self, sql: str, *, settings: dict[str, Any], **_more: Any) -> str:
        self.asked.append(settings)
        if settings:
            raise errors.from_server(452, "Setting max_threads should not be greater than 4.")
        return sql

    def close(self) -> None:
        pass


def test_after_a_constraint_a_session_goes_on_without_limits() -> None:
    connection = Constrained()
    session = Session(address(9000, Wire.NATIVE), lambda _: connection)  # type: ignore[arg-type,return-value]
    session.adopt(connection.known)

    for _ in range(2):
        session.query("SELECT metric FROM system.metrics", timeout_seconds=5)

    assert [bool(settings) for settings in connection.asked] == [True, False, False]


def test_an_overloaded_server_refuses(
    own_clickhouse18: Callable[..., ClickHouse18],
    busy: Callable[[ClickHouse18], Any],  # noqa: F811
) -> None:
    server = own_clickhouse18(Options(config={"max_concurrent_queries": 1}))
    with busy(server):
        # It lets a query wait for queue_max_wait_ms first, 5 s by default.
        error = failure(address(server.port, Wire.NATIVE), seconds=10)

    assert (type(error), error.code) == (errors.Refused, 202)


def test_an_old_server_over_http_is_told_to_use_native(replicas: list[ClickHouse18]) -> None:
    error = failure(address(replicas[0].ports.http, Wire.HTTP))

    assert type(error) is errors.Unsupported
    assert "protocol: native" in error.message


def test_a_right_password(replicas: list[ClickHouse18]) -> None:
    where = address(replicas[0].port, Wire.NATIVE, username="monitor", password=PASSWORD)
    with connected(where) as connection:
        assert connection.query("SELECT 1", timeout_seconds=5, settings={}).rows == [(1,)]


def test_the_tree_has_a_class_for_every_decision() -> None:
    source = Path(errors.__file__).read_text(encoding="utf-8")
    drawn = source[: source.index("Codes are")]
    for kind in ClickHouseError.__subclasses__() + errors.Unreachable.__subclasses__():
        assert kind.__name__ in drawn
