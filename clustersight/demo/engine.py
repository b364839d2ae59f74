"""The embedded ClickHouse engine: its configuration file, and one connection for each query."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Short, so that what happened a moment ago is seen by the next collection of a demo or a test.
FLUSH_MILLISECONDS = 500
# Not metric_log and error_log: no panel reads them, and with their 2000 columns they cost a third of a core.
LOGS = ("query_log", "part_log", "backup_log", "asynchronous_insert_log")

# No <log>: the engine writes every trace there, whatever its level says (30 MB an hour).
CONFIG = """<clickhouse>
    <logger><errorlog>{folder}/engine.err.log</errorlog><size>10M</size><count>1</count></logger>
    <timezone>UTC</timezone>
    <background_pool_size>4</background_pool_size>
    <background_schedule_pool_size>8</background_schedule_pool_size>
    <backups><allowed_path>{folder}/backups/</allowed_path></backups>
    <macros><cluster>demo</cluster><shard>1</shard><replica>embedded</replica></macros>
    <remote_servers>{clusters}</remote_servers>
    {logs}
    {zookeeper}
    {users}
    {fragment}
</clickhouse>
"""
CLUSTER = "<{name}><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></{name}>"
USERS = """<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default>
    <password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    <grants>{queries}</grants></default></users></clickhouse>
"""
# What the embedded engine sets otherwise than a server: with implicit_select, a typing error in a keyword
# ("SELEKT 1") is an unknown identifier instead of a syntax error.
SERVER_DEFAULTS = {"implicit_select": "0", "allow_introspection_functions": "0"}

CODE = re.compile(r"Code: (\d+)\.")
SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
UNKNOWN_SETTING = 115
# What ClickHouse gives where it has no better code.
UNKNOWN_EXCEPTION = 1002


class QueryError(Exception):
    """The engine refused or broke off a query; `code` is ClickHouse's error code, str() its text."""

    def __init__(self, text: str, code: int | None = None) -> None:
        super().__init__(text)
        found = CODE.search(text)
        self.code = code or (int(found[1]) if found else UNKNOWN_EXCEPTION)


@dataclass(frozen=True)
class Request:
    """One query with what applies to it alone.

    `data` is what follows an INSERT ... FORMAT x; `base_settings` are those of the user's profile, set
    before `settings`, so that a readonly profile refuses them (code 164) as a server does.
    """

    sql: str
    format: str = "TabSeparated"
    data: bytes = b""
    database: str = ""
    settings: Mapping[str, str] | None = None
    base_settings: Mapping[str, str] | None = None
    parameters: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Answer:
    """The formatted result, rows and bytes read from tables and rows written, and the time in seconds."""

    data: bytes
    rows_read: int
    bytes_read: int
    rows_written: int
    elapsed_seconds: float


@dataclass(frozen=True)
class Options:
    """What differs between two engines: `zookeeper` is HOST:PORT, `grants` narrow what queries may do."""

    zookeeper: str = ""
    grants: tuple[str, ...] = ()
    fragment: str = ""


class Engine:
    """An engine of this process over one folder. There can be one per process.

    Raises QueryError when the engine cannot start, ImportError without the extra `demo`.
    """

    def __init__(self, folder: Path, options: Options) -> None:
        config_file = write_config(folder, options)
        # Imported here: it starts the engine's threads, and those inherit the signal mask of this thread.
        self._library = importlib.import_module("chdb._chdb")
        self._target = f"{folder / 'data'}?config-file={config_file}&log_queries=1"
        # The engine lives as long as one connection does.
        self._keeper = self._connect()

    def execute(self, request: Request) -> Answer:
        """Run one query on a connection of its own; raises QueryError.

        Of its own, because a lock around a shared one would hold every query for as long as the slowest
        runs; new each time (1.6 ms), because after an error the engine hands the output of the broken
        query to the next one, and because `SET readonly` cannot be taken back.
        """
        connection = self._connect()
        try:
            return run(connection, request)
        except RuntimeError as error:
            raise QueryError(str(error)) from error
        finally:
            connection.close()

    def interrupt(self) -> None:
        """Ask every running query to end; it ends at its next block."""
        self._keeper.query("KILL QUERY WHERE query_id != queryID() ASYNC", "TabSeparated")

    def close(self) -> None:
        """Stop the engine; no query may be running."""
        self._keeper.close()

    def _connect(self) -> Any:
        try:
            return self._library.connect(self._target)
        except RuntimeError as error:
            raise QueryError(str(error)) from error


def run(connection: Any, request: Request) -> Answer:
    for settings in (SERVER_DEFAULTS, request.base_settings, request.settings):
        if settings:
            connection.query(set_statement(settings), "TabSeparated")
    if request.database:
        connection.query(f"USE {quoted(request.database, '`')}", "TabSeparated")
    return answer(result_of(connection, request))


def result_of(connection: Any, request: Request) -> Any:
    if not request.data:
        return connection.query(request.sql, request.format, params=dict(request.parameters or {}))
    insert = connection.send_insert(request.sql, request.format)
    if insert.has_error():
        raise QueryError(insert.error_message())
    connection.insert_append(insert, request.data)
    return connection.insert_done(insert)


def answer(result: Any) -> Answer:
    if result.has_error():
        raise QueryError(result.error_message())
    return Answer(
        data=result.bytes() or b"",
        rows_read=result.storage_rows_read(),
        bytes_read=result.storage_bytes_read(),
        rows_written=result.rows_written(),
        elapsed_seconds=result.elapsed(),
    )


def set_statement(settings: Mapping[str, str]) -> str:
    """All settings in one statement: then `readonly` among them does not refuse the others."""
    for name in settings:
        if not SETTING_NAME.match(name):
            text = f"Code: {UNKNOWN_SETTING}. DB::Exception: Unknown setting '{name}'. (UNKNOWN_SETTING)"
            raise QueryError(text)
    return "SET " + ", ".join(f"{name} = {quoted(value, chr(39))}" for name, value in settings.items())


def quoted(text: str, quote: str) -> str:
    escaped = text.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    return f"{quote}{escaped}{quote}"


def write_config(folder: Path, options: Options) -> Path:
    """Write the engine's configuration into the folder and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    text = CONFIG.format(
        folder=escape(str(folder)),
        clusters="".join(CLUSTER.format(name=name) for name in ("default", "demo")),
        logs="\n    ".join(log_section(name) for name in LOGS),
        zookeeper=zookeeper_section(options.zookeeper),
        users=users_section(folder, options.grants),
        fragment=options.fragment,
    )
    config_file = folder / "config.xml"
    config_file.write_text(text, encoding="utf-8")
    return config_file


def log_section(name: str) -> str:
    """A log of the engine; rows older than a day go, since a demo may run for weeks."""
    return (
        f"<{name}><database>system</database><table>{name}</table><ttl>event_date + INTERVAL 1 DAY</ttl>"
        f"<flush_interval_milliseconds>{FLUSH_MILLISECONDS}</flush_interval_milliseconds>"
        f"</{name}>"
    )


def zookeeper_section(address: str) -> str:
    if not address:
        return ""
    host, _, port = address.rpartition(":")
    return (
        f"<zookeeper><node><host>{escape(host)}</host><port>{int(port)}</port></node>"
        "<session_timeout_ms>4000</session_timeout_ms></zookeeper>"
    )


def users_section(folder: Path, grants: tuple[str, ...]) -> str:
    if not grants:
        return ""
    users_file = folder / "users.xml"
    queries = "".join(f"<query>{escape(grant)}</query>" for grant in grants)
    users_file.write_text(USERS.format(queries=queries), encoding="utf-8")
    return f"<users_config>{escape(str(users_file))}</users_config>"
