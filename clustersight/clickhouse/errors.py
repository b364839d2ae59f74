"""What can go wrong between us and a ClickHouse server: one class for each decision of a caller.

    ClickHouseError
    ├── Unreachable            no connection, or it broke: the server counts as down
    │   ├── TlsFailed          the handshake or the certificate
    │   └── WrongProtocol      something answers, but not what was asked for
    ├── TimedOut               no answer within the deadline
    ├── Unauthorized           wrong user or password; the server is up
    ├── AccessDenied           a GRANT is missing; the server is up
    ├── Refused                overloaded or over quota; the server is up
    ├── Unsupported            this version has no such table, column or function
    ├── SettingRefused         the user may not send this setting (readonly or a constraint)
    └── QueryFailed            any other exception of the server

Codes are ClickHouse's ErrorCodes; facts/clickhouse-facts.md sections 1.4 and 1.20 say which is which.
"""

from __future__ import annotations

import re


class ClickHouseError(Exception):
    """Base of the tree. `message` never holds a password; `code` and `name` are the server's, if any."""

    def __init__(self, message: str, code: int = 0, name: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.name = name

    @property
    def answered(self) -> bool:
        """Whether the server itself said this, which proves that it is up."""
        return self.code != 0


class Unreachable(ClickHouseError):
    """No connection, or it broke."""


class TlsFailed(Unreachable):
    """The TLS handshake failed, or the certificate is not to be trusted."""


class WrongProtocol(Unreachable):
    """Something answered, but it does not speak the protocol that was asked for."""


class TimedOut(ClickHouseError):
    """No answer within the deadline, ours or the server's own (159)."""


class Unauthorized(ClickHouseError):
    """The server does not know this user or password."""


class AccessDenied(ClickHouseError):
    """The user lacks a privilege."""


class Refused(ClickHouseError):
    """The server is overloaded, or a quota is used up."""


class Unsupported(ClickHouseError):
    """The server has no such table, column or function."""


class SettingRefused(ClickHouseError):
    """The server refuses a setting that we send."""


class QueryFailed(ClickHouseError):
    """The server answered with an exception of any other kind."""


_BY_CODE: dict[int, type[ClickHouseError]] = {
    **dict.fromkeys((192, 193, 194, 516), Unauthorized),
    **dict.fromkeys((497, 291, 392), AccessDenied),
    **dict.fromkeys((201, 202, 203, 700, 745), Refused),
    # 16 no such column, 46 function, 47 identifier, 60 table, 81 database, 139 no such configuration.
    **dict.fromkeys((16, 46, 47, 60, 81, 139), Unsupported),
    **dict.fromkeys((115, 164, 452), SettingRefused),
    **dict.fromkeys((159, 209), TimedOut),
}

_NAME = re.compile(r"\(([A-Z][A-Z0-9_]+)\)\s*(?:\(version|$)")
_NOISE = re.compile(r"\s*(?:\(version [^)]*\)+|Stack trace:.*|\(for url .*)\s*", re.DOTALL)


def from_server(code: int, text: str) -> ClickHouseError:
    """The error for a server's exception; its text is cut to the first line of at most 300 characters."""
    named = _NAME.search(text)
    name = named.group(1) if named else ""
    return _BY_CODE.get(code, QueryFailed)(brief(text), code, name)


def brief(text: str) -> str:
    """One line of at most 300 characters, without version, stack trace and DB::Exception ornaments."""
    text = _NOISE.sub(" ", text).replace("DB::Exception: ", "")
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:299] + "…"


def tls_reason(text: str) -> str:
    """Why a handshake failed, out of OpenSSL's words, with the remedy where it is known."""
    if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text.upper():
        return "the port does not speak TLS; set secure: false"
    found = re.search(r"certificate verify failed: ([^(']+)", text) or re.search(r"\] ([^(']+)", text)
    return found.group(1).strip() if found else brief(text)
