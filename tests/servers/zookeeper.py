"""ZooKeeper 3.8 of Debian: alone, or three that form a quorum."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.process import MissingPackage, ServerProcess, free_port, program

if TYPE_CHECKING:
    from collections.abc import Sequence

JAR = Path("/usr/share/java/zookeeper.jar")
WHITELIST = "ruok,mntr,stat,srvr"
# A session lives for 2 to 20 ticks; short, so that a test sees one expire.
TICK_MILLISECONDS = 1000
CONFIG = """tickTime={tick}
initLimit=20
syncLimit=10
dataDir={folder}/data
clientPort={port}
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist={whitelist}
{peers}
"""
LOGGING = """log4j.rootLogger=WARN, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d %p %c{1} %m%n
"""
# The JVM of a test: it starts sooner with one compiler and one collector thread.
JVM = ("-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dzookeeper.jmx.log4j.disable=true")


class ZooKeeper(ServerProcess):
    """One server; `peers` are the lines server.N=... of a quorum, `whitelist` the words it answers."""

    def __init__(
        self, folder: Path, *, whitelist: str = WHITELIST, number: int = 1, peers: Sequence[str] = ()
    ) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.whitelist = whitelist
        self._number = number
        self._peers = peers

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        if not JAR.exists():
            raise MissingPackage(
                "ZooKeeper is missing: install the package zookeeper with tests/install-servers.sh"
            )
        config = self._write_config()
        classes = f"{self.folder}:{JAR}"
        return [
            *(program("java", "default-jre-headless"), *JVM, "-cp", classes),
            *("org.apache.zookeeper.server.quorum.QuorumPeerMain", str(config)),
        ]

    def _write_config(self) -> Path:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        (data / "myid").write_text(f"{self._number}\n")
        (self.folder / "log4j.properties").write_text(LOGGING)
        config = self.folder / "zoo.cfg"
        config.write_text(
            CONFIG.format(
                tick=TICK_MILLISECONDS,
                folder=self.folder,
                port=self.port,
                whitelist=self.whitelist,
                peers="\n".join(self._peers),
            )
        )
        return config

    def ready(self) -> bool:
        """Whether it serves requests; with a whitelist without srvr, whether it answers at all."""
        answer = self.four_letters("srvr")
        return "Mode:" in answer or "not in the whitelist" in answer

    def four_letters(self, word: str, timeout_seconds: float = 2.0) -> str:
        """Send a 4-letter word and return the whole answer; raises OSError."""
        with socket.create_connection(("127.0.0.1", self.port), timeout_seconds) as connection:
            connection.sendall(word.encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def quorum(folder: Path, *, whitelist: str = WHITELIST) -> list[ZooKeeper]:
    """Return three servers of one ensemble, not started yet: see start_all()."""
    peers = [f"server.{number}=127.0.0.1:{free_port()}:{free_port()}" for number in (1, 2, 3)]
    return [
        ZooKeeper(folder / f"zookeeper{number}", whitelist=whitelist, number=number, peers=peers)
        for number in (1, 2, 3)
    ]


def start_all(servers: Sequence[ZooKeeper]) -> None:
    """Start them together, since none is ready before most of them run; raises ServerError."""
    for server in servers:
        server.launch()
    for server in servers:
        server.wait_ready()
