"""A replicated table on two real servers, with names that are as bad as they may be."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clustersight.clickhouse.connection import Address, Wire
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.process import wait_until

BAD_NAME = 'o\'ne "two"\n<!channel> 😀 {{x}} \\ %s'


@dataclass(frozen=True)
class Table:
    """`quoted` is database.table for SQL; the rest is what system tables call them."""

    database: str
    name: str

    @property
    def quoted(self) -> str:
        return f"{self.database}.{identifier(self.name)}"

    @property
    def labels(self) -> tuple[str, str]:
        return (self.database, self.name)


def identifier(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def native(server: ClickHouse18) -> Address:
    return Address("127.0.0.1", server.port, Wire.NATIVE)


@contextlib.contextmanager
def replicated_table(servers: Sequence[ClickHouse18], name: str = "t") -> Iterator[Table]:
    """One table on all of them, dropped at the end."""
    table = Table(f"db_{uuid.uuid4().hex[:12]}", name)
    path = f"/tables/{table.database}"
    for server in servers:
        server.execute(f"CREATE DATABASE {table.database}")
        server.execute(
            f"CREATE TABLE {table.quoted} (d Date, n UInt64)"
            f" ENGINE = ReplicatedMergeTree('{path}', '{{replica}}', d, n, 8192)"
        )
    try:
        yield table
    finally:
        for server in servers:
            _drop(server, table)


def _drop(server: ClickHouse18, table: Table) -> None:
    """Once it has a session with ZooKeeper again: without one a replica cannot be dropped."""

    def dropped() -> bool:
        server.execute(f"DROP DATABASE IF EXISTS {table.database}")
        return True

    wait_until(dropped, 60, f"{table.database} is dropped")
