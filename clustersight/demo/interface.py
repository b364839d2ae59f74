"""ClickHouse's HTTP interface over the embedded engine: what clients need of it."""

from __future__ import annotations

import gzip
import importlib
import json
import re
import zlib
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, urlsplit

from clustersight.demo.accounts import AUTHENTICATION_FAILED, Account, refusal
from clustersight.demo.engine import Answer, QueryError, Request

if TYPE_CHECKING:
    from clustersight.demo.server import Server

# Parameters of the interface itself; every other one is a setting of the query. Sessions, quotas, roles
# and a query_id of one's own do not exist in the embedded engine; compression is a matter of transport.
NOT_SETTINGS = {
    *("query", "database", "default_format", "user", "password", "quota_key", "role", "query_id"),
    *("session_id", "session_timeout", "session_check", "stacktrace", "compress", "decompress"),
    *("buffer_size", "wait_end_of_query", "client_protocol_version"),
}
# A query by GET may only read, but may carry settings (ClickHouse: HTTPHandler sets readonly = 2).
READONLY_BY_GET = "2"
INSERT = re.compile(
    rb"\s*INSERT\s+INTO\s[^;]*?\bFORMAT\s+(?!VALUES\b)(\w+)[ \t]*\r?\n", re.IGNORECASE | re.DOTALL
)
INSERT_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*\Z", re.IGNORECASE)
CANNOT_DECODE = "Code: 89. DB::Exception: Unknown compression method. (UNKNOWN_COMPRESSION_METHOD)"


class Interface(BaseHTTPRequestHandler):
    """One client's connection, kept alive over its requests."""

    protocol_version = "HTTP/1.1"
    # Head and body are two writes; with Nagle's algorithm the second would wait for an acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/ping":
            self._send(200, b"Ok.\n")
            return
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the engine has a query_log."""

    def _answer(self) -> None:
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        body = self._body()
        account = self._server.accounts.authenticate(dict(self.headers.items()), parameters)
        if isinstance(account, str):
            self._fail(403, refusal(account), AUTHENTICATION_FAILED)
            return
        try:
            self._succeed(self._run(parameters, body, account))
        except QueryError as error:
            self._fail(500, f"{error}\n", error.code)

    def _run(self, parameters: dict[str, str], body: bytes, account: Account) -> Answer:
        decoded = decode(body, self.headers.get("Content-Encoding", ""))
        self._server.query_started()
        try:
            return self._server.engine.execute(request_of(self.command, parameters, decoded, account))
        finally:
            self._server.query_ended()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def _succeed(self, answer: Answer) -> None:
        summary = {
            "read_rows": str(answer.rows_read),
            "read_bytes": str(answer.bytes_read),
            "written_rows": str(answer.rows_written),
            "elapsed_ns": str(int(answer.elapsed_seconds * 1e9)),
        }
        self._send(200, answer.data, {"X-ClickHouse-Summary": json.dumps(summary)})

    def _fail(self, status: int, text: str, code: int) -> None:
        self._send(status, text.encode(), {"X-ClickHouse-Exception-Code": str(code)})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        common = {"Content-Type": "text/plain; charset=UTF-8", "Content-Length": str(len(body))}
        for name, value in (common | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    @property
    def _server(self) -> Server:
        return cast("Server", self.server)


def request_of(method: str, parameters: dict[str, str], body: bytes, account: Account) -> Request:
    """Put the query together: the SQL is `?query=` followed by the body, as in ClickHouse.

    Raises QueryError when the SQL is not UTF-8.
    """
    sql, data = split(parameters.get("query", ""), body)
    named = INSERT_FORMAT.search(sql) if data else None
    return Request(
        # With data of its own, the engine takes the format beside the SQL instead of in it.
        sql=sql[: named.start()] if named else sql,
        data=data,
        format=named[1] if named else parameters.get("default_format") or "TabSeparated",
        database=parameters.get("database", ""),
        settings={name: value for name, value in parameters.items() if is_setting(name)},
        base_settings=profile(method, account),
        parameters={name[6:]: value for name, value in parameters.items() if name.startswith("param_")},
    )


def is_setting(name: str) -> bool:
    return name not in NOT_SETTINGS and not name.startswith("param_")


def profile(method: str, account: Account) -> dict[str, str]:
    return account.profile or ({"readonly": READONLY_BY_GET} if method == "GET" else {})


def split(query: str, body: bytes) -> tuple[str, bytes]:
    """Separate the SQL from the data of an INSERT, which is binary in most formats."""
    if query and body and INSERT_FORMAT.search(query):
        return query, body
    whole = f"{query}\n".encode() + body if query else body
    insert = INSERT.match(whole)
    end = insert.end() if insert else len(whole)
    try:
        return whole[:end].decode(), whole[end:]
    except UnicodeDecodeError as error:
        raise QueryError(
            f"Code: 62. DB::Exception: The query is not UTF-8: {error}. (SYNTAX_ERROR)"
        ) from error


def decode(body: bytes, encoding: str) -> bytes:
    """Undo the transport's compression; raises QueryError for one that is not known here."""
    if encoding in ("", "identity"):
        return body
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "deflate":
        return zlib.decompress(body)
    if encoding == "lz4":
        # A dependency of clickhouse-connect, which compresses inserts with it.
        return cast("bytes", importlib.import_module("lz4.frame").decompress(body))
    raise QueryError(CANNOT_DECODE)
