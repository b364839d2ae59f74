"""A server as its collector knows it: connection, capabilities and the limits that each query carries."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from clustersight.clickhouse import capabilities
from clustersight.clickhouse.capabilities import Capabilities
from clustersight.clickhouse.connection import Address, Connection, Result, Wire
from clustersight.clickhouse.errors import SettingRefused
from clustersight.clickhouse.sql import bind, compose, ident, main_table

# Two threads and 200 000 rows are what the recommended profile allows (facts/clickhouse-facts.md, 5).
MAX_THREADS = 2
MAX_RESULT_ROWS = 200_000
# What is left of a time that is over: enough to fail with the right error.
MIN_TIMEOUT_SECONDS = 0.05
SQL_RUNNING = "SELECT count() FROM system.processes WHERE startsWith(query_id, %(prefix)s)"


def connect(address: Address) -> Connection:
    """A connection of the address's protocol. Nothing is sent before the first query."""
    # Imported here: each driver costs 10 MB, and most installations use one of them.
    if address.wire is Wire.NATIVE:
        from clustersight.clickhouse.native import NativeConnection  # noqa: PLC0415

        return NativeConnection(address)
    from clustersight.clickhouse.http import HttpConnection  # noqa: PLC0415

    return HttpConnection(address)


class Session:
    """One server; used by one thread at a time, like the connection in it."""

    def __init__(
        self,
        address: Address,
        connect: Callable[[Address], Connection] = connect,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address
        self._connection = connect(address)
        self._capabilities: Capabilities | None = None
        self._limits_refused = False
        self._monotonic = monotonic

    def capabilities(self, timeout_seconds: float) -> Capabilities:
        """What the server can; asked once, and again after `forget`. All of it within the time."""
        if self._capabilities is None:
            ends = self._monotonic() + timeout_seconds
            self._capabilities = capabilities.read(
                lambda sql: self.ask(sql, max(MIN_TIMEOUT_SECONDS, ends - self._monotonic()))
            )
        return self._capabilities

    @property
    def known(self) -> Capabilities | None:
        """The capabilities as they were read, or None before the first answer."""
        return self._capabilities

    def adopt(self, known: Capabilities | None) -> None:
        """Take over what another session to the same server has read."""
        self._capabilities = known

    def forget(self) -> None:
        """The server restarted, was upgraded or is another one: what it can must be read again."""
        self._capabilities = None
        self._limits_refused = False

    def ask(self, sql: str, timeout_seconds: float) -> Result:
        """Run a statement as it is, with no settings: the only way that every user may."""
        return self._connection.query(sql, timeout_seconds=timeout_seconds, settings={})

    def query(self, sql: str, *, timeout_seconds: float, query_id: str = "", **values: Any) -> Result:
        """Compose, bind and run, with limits where the user may send them. Raises ClickHouseError."""
        able = self.capabilities(timeout_seconds)
        text = bind(compose(sql, able.has_beside(main_table(sql))), values)
        return self.run(text, timeout_seconds=timeout_seconds, query_id=query_id)

    def run(
        self,
        text: str,
        *,
        timeout_seconds: float,
        query_id: str = "",
        settings: Mapping[str, Any] = MappingProxyType({}),
        database: str = "",
    ) -> Result:
        """Run a statement as it is, with limits where the user may send them. Raises ClickHouseError.

        `settings` go beside the limits, and are the first to be left out where the server refuses them.
        `database` is the one of names without any.
        """
        place = self._inside(database, timeout_seconds)

        def send(chosen: Mapping[str, Any]) -> Result:
            return self._connection.query(
                text, timeout_seconds=timeout_seconds, settings={**chosen, **place}, query_id=query_id
            )

        if not self._limited(self.capabilities(timeout_seconds)):
            return send({})
        bounds = limits(timeout_seconds)
        if settings:
            with suppress(SettingRefused):
                return send({**bounds, **settings})
        try:
            return send(bounds)
        except SettingRefused:
            # A constraint of the profile (452) forbids a value: its own limits hold then, and our deadline.
            self._limits_refused = True
        return send({})

    def run_read_only(
        self,
        text: str,
        *,
        timeout_seconds: float,
        query_id: str = "",
        settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> Result:
        """Run a stranger's statement, which the server does not let write. Raises ClickHouseError.

        Limits and `settings` may be left out as in `run`, read-only never: the refusal of an INSERT has the
        code of a setting's refusal (164), and must not lead to another try without it.
        """
        able = self.capabilities(timeout_seconds)
        # Who is read-only already may not say so again.
        read_only = {} if able.readonly else {"readonly": 2}

        def send(chosen: Mapping[str, Any]) -> Result:
            settings = {**chosen, **read_only}
            return self._connection.query(
                text, timeout_seconds=timeout_seconds, settings=settings, query_id=query_id
            )

        if able.takes_settings:
            with suppress(SettingRefused):
                return send({**limits(timeout_seconds), **settings})
        return send({})

    def _inside(self, database: str, timeout_seconds: float) -> Mapping[str, Any]:
        """What a query carries so that bare names are those of a database: over HTTP a parameter,
        which no user is refused; a native connection is told beforehand."""
        if not database:
            return {}
        if self.address.wire is Wire.HTTP:
            return {"database": database}
        self.ask(f"USE {ident(database)}", timeout_seconds)
        return {}

    def still_runs(self, query_id_prefix: str, timeout_seconds: float) -> bool:
        """Whether the server still works on a query of ours that we gave up. Raises ClickHouseError."""
        sql = bind(SQL_RUNNING, {"prefix": query_id_prefix})
        return bool(self.ask(sql, timeout_seconds).rows[0][0])

    def _limited(self, able: Capabilities) -> bool:
        return able.takes_settings and not self._limits_refused

    def close(self) -> None:
        self._connection.close()


def limits(timeout_seconds: float) -> dict[str, Any]:
    """The settings of every query: the server gives up no later than we do."""
    return {
        "max_execution_time": max(1, math.ceil(timeout_seconds)),
        "max_threads": MAX_THREADS,
        "max_result_rows": MAX_RESULT_ROWS,
    }
