"""Databases and tables of one test, on any of the servers, with names that nobody would choose."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

from clustersight.clickhouse.connection import Address, Wire
from clustersight.clickhouse.sql import ident
from tests.servers.clickhouse18 import ClickHouse18
from tests.servers.embedded import EmbeddedServer

Server = EmbeddedServer | ClickHouse18
HOSTILE = "a'b\"c`d\\e\nf <!channel> 💥 {{x}} %s"


def address_of(server: Server) -> Address:
    return Address("127.0.0.1", server.port, Wire.HTTP if isinstance(server, EmbeddedServer) else Wire.NATIVE)


@contextlib.contextmanager
def database(server: Server, name: str = "") -> Iterator[str]:
    """A database of this test alone; `name` is put in front of something unique."""
    unique = f"{name or chr(100)}{uuid.uuid4().hex[:12]}"
    server.execute(f"CREATE DATABASE {ident(unique)}")
    try:
        yield unique
    finally:
        server.execute(f"DROP DATABASE {ident(unique)}")


def make_table(server: Server, name: tuple[str, str], settings: str = "") -> str:
    """A MergeTree with `d Date, a Int32, s String`, partitioned by month; returns its quoted name."""
    quoted = ident(*name)
    tail = f" SETTINGS {settings}" if settings else ""
    server.execute(
        f"CREATE TABLE {quoted} (d Date DEFAULT '2020-01-01', a Int32, s String) "
        f"ENGINE = MergeTree PARTITION BY toYYYYMM(d) ORDER BY a{tail}"
    )
    return quoted


def insert(server: Server, quoted: str, times: int = 1, select: str = "0, 'x'", **settings: Any) -> None:
    """One part an insert."""
    for _ in range(times):
        server.execute(f"INSERT INTO {quoted} (a, s) SELECT {select}", **settings)
