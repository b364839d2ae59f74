"""What to do about an error of the tree, in one sentence for the person who configures us."""

from __future__ import annotations

from clustersight.clickhouse.errors import (
    AccessDenied,
    ClickHouseError,
    Refused,
    TimedOut,
    TlsFailed,
    Unauthorized,
    Unreachable,
    Unsupported,
    WrongProtocol,
)

# OpenSSL's words for what is wrong with a certificate.
_CERTIFICATES = (
    ("expired", "renew the server's certificate"),
    ("not yet valid", "compare the clocks of both machines"),
    ("not valid for", "set `host` to a name that the certificate is for"),
    ("mismatch", "set `host` to a name that the certificate is for"),
    ("issuer", "set `ca_cert` to the file of the authority that signed it"),
    ("self-signed", "set `ca_cert` to the file of the authority that signed it"),
    ("self signed", "set `ca_cert` to the file of the authority that signed it"),
)
_SILENT = "is the process stopped, the server overloaded, or a firewall between?"
_LOGIN = "look at `username` and `password`; `clustersight cluster grants` prints how to make the user"
_OVERLOAD = (
    "the server is up and refuses queries, for it is overloaded or a quota is used up: see who runs them in"
    " system.processes, and limit users by max_concurrent_queries_for_user"
)
# The first class that fits counts: a subclass stands before its base.
_REMEDIES: tuple[tuple[type[ClickHouseError], str], ...] = (
    (WrongProtocol, "set `port` and `protocol` to the same one: 8123, 8443 are http, 9000, 9440 native"),
    (TlsFailed, "look at `port`, `secure` and the certificates on both sides"),
    (Unreachable, "is ClickHouse running there, and are `host` and `port` right?"),
    (TimedOut, _SILENT),
    (Unauthorized, _LOGIN),
    (AccessDenied, "run what `clustersight cluster grants` prints"),
    (Refused, _OVERLOAD),
    (Unsupported, "upgrade the server, or set `protocol: native`"),
)


def remedy(error: ClickHouseError) -> str:
    """What to do, or "" where the server's own words are all that is known."""
    if isinstance(error, TlsFailed):
        for words, advice in _CERTIFICATES:
            if words in error.message.lower():
                return advice
    if "; set " in error.message:
        return ""  # the message holds it already
    return next((advice for kind, advice in _REMEDIES if isinstance(error, kind)), "")
