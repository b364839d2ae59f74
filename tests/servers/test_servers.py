"""The servers of the tests are what they say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import clickhouse_connect
import pytest
import requests
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_driver import Client
from clickhouse_driver.errors import NetworkError, ServerException, SocketTimeoutError

from tests.servers import clickhouse18, zookeeper
from tests.servers.certificates import Certificate
from tests.servers.clickhouse18 import ClickHouse18, Options
from tests.servers.embedded import EmbeddedError, EmbeddedServer
from tests.servers.process import ServerError, connects, wait_until
from tests.servers.prometheus import Prometheus, promtool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.certificates import Certificates
    from tests.servers.zookeeper import ZooKeeper

TIMEOUT_EXCEEDED = 159
READONLY = 164
ENDLESS = "SELECT count() FROM system.numbers"


def connect(server: EmbeddedServer, **options: Any) -> Any:
    return clickhouse_connect.get_client(
        host="127.0.0.1", port=server.port, autogenerate_session_id=False, **options
    )


def test_embedded_answers_clickhouse_connect(embedded: EmbeddedServer) -> None:
    client = connect(embedded)
    try:
        client.command("CREATE TABLE connected (a Int32, s String) ENGINE = MergeTree ORDER BY a")
        client.insert("connected", [[1, "x"], [2, "y"]], column_names=["a", "s"])
        result = client.query("SELECT a, s FROM connected WHERE a > {least:Int32}", parameters={"least": 1})
        assert result.result_rows == [(2, "y")]
        assert int(result.summary["read_rows"]) == 2
        assert int(result.summary["elapsed_ns"]) > 0
    finally:
        embedded.execute("DROP TABLE IF EXISTS connected")
        client.close()


def test_embedded_errors_carry_the_code(embedded: EmbeddedServer) -> None:
    client = connect(embedded)
    with pytest.raises(DatabaseError, match="code: 60"):
        client.query("SELECT * FROM nosuch")
    client.close()
    with pytest.raises(EmbeddedError) as caught:
        embedded.execute("SELEKT")
    assert caught.value.code == 62


@pytest.mark.parametrize(
    ("sql", "settings", "code"),
    [
        (ENDLESS, {"max_execution_time": 0.2}, TIMEOUT_EXCEEDED),
        ("SELECT number FROM numbers(10)", {"max_result_rows": 3}, 396),
        ("SELECT 1", {"nosuch": 1}, 115),
        ("SELECT 1 SETTINGS max_threads = 7", {"readonly": 1}, READONLY),
        ("CREATE TABLE no (a Int8) ENGINE = Memory", {"readonly": 2}, READONLY),
    ],
)
def test_settings_of_the_url_take_effect(
    embedded: EmbeddedServer, sql: str, settings: dict[str, Any], code: int
) -> None:
    with pytest.raises(EmbeddedError) as caught:
        embedded.execute(sql, **settings)
    assert caught.value.code == code


def test_an_error_leaves_nothing_for_the_next_query(embedded: EmbeddedServer) -> None:
    for _ in range(5):
        with pytest.raises(EmbeddedError):
            embedded.execute("SELECT throwIf(number = 5) FROM numbers(10)", max_block_size=1)
        assert embedded.execute("SELECT 1, getSetting('log_comment')", log_comment="it's \\") == [
            [1, "it's \\"]
        ]


def test_embedded_runs_queries_at_the_same_time(embedded: EmbeddedServer) -> None:
    slow = "SELECT sleepEachRow(0.1) FROM numbers(30)"
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(requests.post, embedded.url, data=slow, timeout=60) for _ in range(2)]
        count = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleepEachRow%'"
        wait_until(lambda: embedded.execute(count) == [[2]], 10, "both queries are seen running")
        assert not any(one.done() for one in running)
        assert all(one.result().ok for one in running)


def test_embedded_checks_accounts(own_embedded: Callable[..., EmbeddedServer]) -> None:
    server = own_embedded(user="root", password="a b", accounts=["limited:pw:1"])
    assert server.execute("SELECT 1") == [[1]]
    refused = [
        requests.get(server.url, params={"query": "SELECT 1"}, timeout=10),
        requests.get(server.url, params={"query": "SELECT 1"}, auth=("root", "wrong"), timeout=10),
        requests.get(server.url, params={"query": "SELECT 1", "user": "x", "password": "y"}, timeout=10),
    ]
    assert [answer.headers["X-ClickHouse-Exception-Code"] for answer in refused] == ["516"] * 3
    limited = requests.post(server.url, params={"max_threads": 7}, data="SELECT 1", auth=("limited", "pw"))
    assert limited.headers["X-ClickHouse-Exception-Code"] == str(READONLY)
    assert requests.post(server.url, data="SELECT 1", auth=("limited", "pw"), timeout=10).text == "1\n"


def test_embedded_stops_cleanly_under_load(own_embedded: Callable[..., EmbeddedServer]) -> None:
    server = own_embedded()
    with ThreadPoolExecutor() as pool:
        endless = pool.submit(requests.post, server.url, data=ENDLESS, timeout=60)
        count = f"SELECT count() FROM system.processes WHERE query = '{ENDLESS}'"
        wait_until(lambda: server.execute(count) == [[1]], 10, "the query runs")
        process = server._process
        server.stop()
        assert process
        assert process.returncode == 0
        assert endless.result().headers["X-ClickHouse-Exception-Code"] == "394"


def test_embedded_keeps_port_and_data_over_a_restart(own_embedded: Callable[..., EmbeddedServer]) -> None:
    server = own_embedded()
    port = server.port
    server.execute("CREATE TABLE kept ENGINE = MergeTree ORDER BY a AS SELECT 7 AS a")
    server.kill()
    assert not connects(port)
    server.start()
    assert (server.port, server.execute("SELECT a FROM kept")) == (port, [[7]])


def test_pair_replicates_and_turns_readonly_without_zookeeper(
    replicas: list[ClickHouse18], zookeeper: ZooKeeper
) -> None:
    first, second = replicas
    readonly = "SELECT is_readonly FROM system.replicas WHERE table = 'pairs'"
    for server in replicas:
        server.execute(
            "CREATE TABLE pairs (d Date, a Int32) ENGINE = "
            "ReplicatedMergeTree('/test/{shard}/pairs', '{replica}') PARTITION BY d ORDER BY a"
        )
    first.execute("INSERT INTO pairs SELECT toDate('2020-01-01'), number FROM system.numbers LIMIT 10")
    wait_until(lambda: second.execute("SELECT count() FROM pairs") == [(10,)], 30, "the rows are replicated")
    zookeeper.stop()
    try:
        wait_until(lambda: first.execute(readonly) == [(1,)], 30, "the replica is read-only")
    finally:
        zookeeper.start()
    for server in replicas:
        wait_until(lambda server=server: server.execute(readonly) == [(0,)], 60, "the replica is writable")
        server.execute("DROP TABLE pairs")


def test_clickhouse18_users(replicas: list[ClickHouse18]) -> None:
    server = replicas[0]
    assert server.execute("SELECT 1", user="monitor", password=clickhouse18.PASSWORD) == [(1,)]
    for user, password, sql, code in (
        ("monitor", "wrong", "SELECT 1", 193),
        ("nobody", "", "SELECT 1", 192),
        ("readonly1", "", "CREATE TABLE no (a Int8) ENGINE = Memory", READONLY),
        ("readonly1", "", "SET max_threads = 3", READONLY),
    ):
        with pytest.raises(ServerException) as caught:
            server.execute(sql, user=user, password=password)
        assert caught.value.code == code, (user, sql)
    server.execute("SET max_threads = 3", user="readonly2")


def test_paused_and_killed(own_clickhouse18: Callable[..., ClickHouse18]) -> None:
    server = own_clickhouse18(Options(config={"max_concurrent_queries": 7}))
    server.pause()
    assert connects(server.port), "the kernel accepts for a stopped process"
    client = Client(
        "127.0.0.1", server.port, connect_timeout=1, sync_request_timeout=1, send_receive_timeout=1
    )
    with pytest.raises(SocketTimeoutError):
        client.execute("SELECT 1")
    client.disconnect()
    server.resume()
    assert server.execute("SELECT 1") == [(1,)]
    server.kill()
    assert not connects(server.port)
    server.start()
    assert server.ready()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("valid", ""),
        ("expired", "expired"),
        ("wrong_host", "not valid for"),
        ("self_signed", "local issuer"),
    ],
)
def test_tls_native_and_https(
    own_clickhouse18: Callable[..., ClickHouse18], certificates: Certificates, name: str, reason: str
) -> None:
    server = own_clickhouse18(Options(certificate=getattr(certificates, name)))
    authority = str(certificates.authority)
    client = Client("127.0.0.1", server.ports.native_secure, secure=True, ca_certs=authority)
    https = f"https://127.0.0.1:{server.ports.https}/ping"
    try:
        if not reason:
            assert client.execute("SELECT 1") == [(1,)]
            assert requests.get(https, verify=authority, timeout=10).content == b"Ok.\n"
            return
        with pytest.raises(NetworkError, match=reason):
            client.execute("SELECT 1")
        with pytest.raises(requests.exceptions.SSLError, match=reason):
            requests.get(https, verify=authority, timeout=10)
    finally:
        client.disconnect()


def test_quorum_survives_the_loss_of_one(tmp_path: Path, zookeeper: ZooKeeper) -> None:
    # The fixture says whether the package is there.
    assert zookeeper.four_letters("ruok") == "imok"
    servers = zookeeper_quorum(tmp_path)
    try:
        modes = sorted(mode(server) for server in servers)
        assert modes == ["follower", "follower", "leader"]
        next(server for server in servers if mode(server) == "leader").kill()
        left = [server for server in servers if server.is_running]
        wait_until(lambda: "leader" in [mode(server) for server in left], 30, "a new leader")
    finally:
        for server in servers:
            server.stop()


def zookeeper_quorum(folder: Path) -> list[ZooKeeper]:
    servers = zookeeper.quorum(folder)
    zookeeper.start_all(servers)
    return servers


def mode(server: ZooKeeper) -> str:
    lines = server.four_letters("srvr").splitlines()
    return next((line.removeprefix("Mode: ") for line in lines if line.startswith("Mode: ")), "")


def test_whitelist(own_zookeeper: Callable[..., ZooKeeper]) -> None:
    server = own_zookeeper(whitelist="ruok")
    assert server.four_letters("ruok") == "imok"
    assert "not in the whitelist" in server.four_letters("mntr")


def test_prometheus_scrapes_and_promtool_checks(own_prometheus: Callable[..., Prometheus]) -> None:
    server = own_prometheus({"global": {"scrape_interval": "1s"}, "scrape_configs": []})
    own = {"job_name": "own", "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}]}
    server.config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [own]}
    server.reload()
    wait_until(lambda: server.query("up")[0]["value"][1] == "1", 30, "the target is up")
    assert (
        promtool("check", "metrics", input="# HELP a_total x\n# TYPE a_total counter\na_total 1\n").returncode
        == 0
    )
    assert promtool("check", "metrics", input="a b c\n").returncode != 0


def test_a_server_that_does_not_start_shows_its_log(
    tmp_path: Path, own_clickhouse18: Callable[..., ClickHouse18]
) -> None:
    own_clickhouse18()  # skips where the package is missing
    missing = Certificate(tmp_path / "missing.pem", tmp_path / "missing.key")
    server = ClickHouse18(tmp_path / "broken", Options(certificate=missing))
    with pytest.raises(ServerError, match=r"missing\.key"):
        server.start()
    assert not server.is_running
