"""ClickHouse 18.16 of Debian, the oldest version supported: alone or as a pair of replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clickhouse_driver import Client

from tests.servers.process import ServerProcess, connects, free_port, program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.certificates import Certificate

Shards = Sequence[Sequence[int]]
PASSWORD = "secret of the monitor"
CONFIG = """<yandex>
    <logger><level>information</level><log>{folder}/server.log</log><errorlog>{folder}/error.log</errorlog></logger>
    <listen_host>127.0.0.1</listen_host>
    <interserver_http_host>127.0.0.1</interserver_http_host>
    <path>{folder}/data/</path>
    <tmp_path>{folder}/tmp/</tmp_path>
    <users_config>{folder}/users.xml</users_config>
    <default_profile>default</default_profile>
    <default_database>default</default_database>
    <timezone>UTC</timezone>
    <!-- It does not end before its idle HTTP connections do. -->
    <keep_alive_timeout>1</keep_alive_timeout>
    <mark_cache_size>100000000</mark_cache_size>
    <query_log><database>system</database><table>query_log</table>
        <flush_interval_milliseconds>500</flush_interval_milliseconds></query_log>
    <part_log><database>system</database><table>part_log</table>
        <flush_interval_milliseconds>500</flush_interval_milliseconds></part_log>
    {sections}
</yandex>
"""
USERS = """<yandex>
    <profiles>
        <default>{profile}</default>
        <readonly1><readonly>1</readonly></readonly1>
        <readonly2><readonly>2</readonly></readonly2>
    </profiles>
    <quotas><default/></quotas>
    <users>
        <default><password></password>{rest}<profile>default</profile></default>
        <monitor><password>{password}</password>{rest}<profile>default</profile></monitor>
        <readonly1><password></password>{rest}<profile>readonly1</profile></readonly1>
        <readonly2><password></password>{rest}<profile>readonly2</profile></readonly2>
    </users>
</yandex>
"""
REST = "<networks><ip>127.0.0.1</ip></networks><quota>default</quota>"
TLS = """<openSSL><server>
        <certificateFile>{certificate}</certificateFile><privateKeyFile>{key}</privateKeyFile>
        <verificationMode>none</verificationMode><loadDefaultCAFile>false</loadDefaultCAFile>
        <disableProtocols>sslv2,sslv3</disableProtocols>
    </server></openSSL>"""


@dataclass(frozen=True)
class Options:
    """How a server differs from the next one.

    `zookeeper`: client ports on 127.0.0.1. `clusters`: by name, the native ports of each shard's replicas.
    `config`: further top-level settings (max_concurrent_queries). `profile`: settings of the default profile.
    `certificate`: then it also listens with TLS.
    """

    shard: str = "1"
    replica: str = "1"
    zookeeper: Sequence[int] = ()
    clusters: Mapping[str, Shards] = field(default_factory=dict)
    config: Mapping[str, str | int] = field(default_factory=dict)
    profile: Mapping[str, str | int] = field(default_factory=lambda: {"log_queries": 1})
    certificate: Certificate | None = None


@dataclass(frozen=True)
class Ports:
    """The ports of one server; `native_secure` and `https` are used with a certificate only."""

    native: int = field(default_factory=free_port)
    http: int = field(default_factory=free_port)
    interserver: int = field(default_factory=free_port)
    native_secure: int = field(default_factory=free_port)
    https: int = field(default_factory=free_port)


class ClickHouse18(ServerProcess):
    """One server with the users default, monitor (with PASSWORD), readonly1 and readonly2.

    `options` may be replaced between stop() and start().
    """

    def __init__(self, folder: Path, options: Options | None = None, ports: Ports | None = None) -> None:
        super().__init__(folder)
        self.options = options or Options()
        self.ports = ports or Ports()

    @property
    def port(self) -> int:
        """The native port."""
        return self.ports.native

    def command(self) -> Sequence[str]:
        for name in ("data", "tmp"):
            (self.folder / name).mkdir(exist_ok=True)
        users = USERS.format(profile=elements(self.options.profile), password=PASSWORD, rest=REST)
        (self.folder / "users.xml").write_text(users)
        config = self.folder / "config.xml"
        config.write_text(CONFIG.format(folder=self.folder, sections=self._sections()))
        return [program("clickhouse-server", "clickhouse-server"), f"--config-file={config}"]

    def ready(self) -> bool:
        # Asked first, because the driver logs a traceback for each connection that is refused.
        return connects(self.port) and self.execute("SELECT 1") == [(1,)]

    def execute(
        self, sql: str, *, user: str = "default", password: str = "", **settings: str | int
    ) -> list[tuple[Any, ...]]:
        """Run SQL over the native protocol and return its rows; raises clickhouse_driver.errors.Error."""
        client = Client(
            "127.0.0.1", self.port, user=user, password=password, connect_timeout=5, send_receive_timeout=60
        )
        try:
            rows = client.execute(sql, settings=settings)
        finally:
            client.disconnect()
        return rows if isinstance(rows, list) else []

    def _sections(self) -> str:
        macros = {"shard": self.options.shard, "replica": self.options.replica}
        clusters = "".join(cluster(name, shards) for name, shards in self.options.clusters.items())
        sections = [
            elements(self._listeners() | dict(self.options.config)),
            f"<macros>{elements(macros)}</macros>",
            f"<remote_servers>{clusters}</remote_servers>",
            zookeeper(self.options.zookeeper),
            self._tls(),
        ]
        return "\n    ".join(sections)

    def _listeners(self) -> dict[str, str | int]:
        plain: dict[str, str | int] = {
            "tcp_port": self.ports.native,
            "http_port": self.ports.http,
            "interserver_http_port": self.ports.interserver,
        }
        secure = {"tcp_port_secure": self.ports.native_secure, "https_port": self.ports.https}
        return plain | (secure if self.options.certificate else {})

    def _tls(self) -> str:
        files = self.options.certificate
        return TLS.format(certificate=files.certificate, key=files.key) if files else ""


def elements(values: Mapping[str, str | int]) -> str:
    return "".join(f"<{name}>{value}</{name}>" for name, value in values.items())


def cluster(name: str, shards: Shards) -> str:
    return f"<{name}>{''.join(shard(ports) for ports in shards)}</{name}>"


def shard(ports: Sequence[int]) -> str:
    replicas = "".join(f"<replica><host>127.0.0.1</host><port>{port}</port></replica>" for port in ports)
    return f"<shard><internal_replication>true</internal_replication>{replicas}</shard>"


def zookeeper(ports: Sequence[int]) -> str:
    if not ports:
        return ""
    nodes = "".join(f"<node><host>127.0.0.1</host><port>{port}</port></node>" for port in ports)
    return (
        f"<zookeeper>{nodes}<session_timeout_ms>3000</session_timeout_ms></zookeeper>"
        "<distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>"
    )


def replica_pair(folder: Path, zookeeper_ports: Sequence[int]) -> list[ClickHouse18]:
    """Return two servers, not started yet, the replicas of the one shard of the cluster `pair`."""
    ports = [Ports(), Ports()]
    clusters = {"pair": [[one.native for one in ports]]}
    return [
        ClickHouse18(
            folder / f"replica{number}",
            Options(replica=str(number), zookeeper=zookeeper_ports, clusters=clusters),
            own_ports,
        )
        for number, own_ports in enumerate(ports, start=1)
    ]
