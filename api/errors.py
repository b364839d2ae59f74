"""What a client is told when something goes wrong: one class for each code of spec/api.md.

    ApiError
    ├── BadRequest             400 bad_request           HTTP that makes no sense
    ├── Unauthorized           401 unauthorized          no token, or a wrong one
    ├── Forbidden              403 forbidden             a name that is not ours, or another server's page
    ├── PermissionDenied       403 permission_denied     ClickHouse refuses; with the missing GRANT
    ├── NotFound               404 not_found             (no_cluster where none is configured)
    ├── MethodNotAllowed       405 method_not_allowed
    ├── Conflict               409 conflict              a duplicate, a provisioned resource, a wrong state
    ├── PayloadTooLarge        413 payload_too_large
    ├── UnsupportedMediaType   415 unsupported_media_type
    ├── Invalid                422 validation_error      (no_channel, too_expensive, … where spec/api.md says)
    ├── RateLimited            429 rate_limited
    ├── Internal               500 internal_error        says nothing; the log says all
    ├── NotSupported           501 not_supported
    ├── DeliveryFailed         502 delivery_failed
    ├── ClickHouseFailed       502 clickhouse_failed     it answered with an exception that we did not expect
    ├── Unreachable            503 clickhouse_unreachable
    └── StoreUnavailable       503 store_unavailable

A message is one sentence with the remedy. It holds no secret, no path of this machine and no SQL but a GRANT.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clustersight.clickhouse import errors as clickhouse
from clustersight.clickhouse.grants import denied
from clustersight.clickhouse.remedies import remedy
from clustersight.store import errors as store


@dataclass(frozen=True, slots=True)
class Detail:
    """What is wrong with one field: its path (`matchers.0.label`, a query parameter, or `body`) and why."""

    path: str
    message: str


class ApiError(Exception):
    """Base of the tree. `code` may be a finer one than the class's own."""

    status = 500
    code = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        detail: Sequence[Detail] | None = None,
        code: str | None = None,
        headers: Mapping[str, str | list[str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.code = code or type(self).code
        self.headers = dict(headers or {})


class BadRequest(ApiError):
    """HTTP that makes no sense."""

    status, code = 400, "bad_request"


class Unauthorized(ApiError):
    """No token, or a wrong one."""

    status, code = 401, "unauthorized"


class Forbidden(ApiError):
    """A host name that is not ours, or a change from a page of another origin."""

    status, code = 403, "forbidden"


class PermissionDenied(ApiError):
    """ClickHouse refuses."""

    status, code = 403, "permission_denied"


class NotFound(ApiError):
    """There is no such thing, or it was deleted."""

    status, code = 404, "not_found"


class MethodNotAllowed(ApiError):
    """The path exists, and takes other methods."""

    status, code = 405, "method_not_allowed"


class Conflict(ApiError):
    """A duplicate, something that a file or the product itself owns, or a state in which this is not done."""

    status, code = 409, "conflict"


class PayloadTooLarge(ApiError):
    """A body beyond the limit."""

    status, code = 413, "payload_too_large"


class UnsupportedMediaType(ApiError):
    """A body that does not say that it is JSON."""

    status, code = 415, "unsupported_media_type"


class Invalid(ApiError):
    """A request whose fields are wrong, each with its message."""

    status, code = 422, "validation_error"


class RateLimited(ApiError):
    """Too many wrong tokens from one address."""

    status, code = 429, "rate_limited"


class Internal(ApiError):
    """A fault of ours."""

    status, code = 500, "internal_error"


class NotSupported(ApiError):
    """What this process cannot do."""

    status, code = 501, "not_supported"


class DeliveryFailed(ApiError):
    """The receiver refused a message."""

    status, code = 502, "delivery_failed"


class ClickHouseFailed(ApiError):
    """ClickHouse answered with an exception that nobody expected."""

    status, code = 502, "clickhouse_failed"


class Unreachable(ApiError):
    """ClickHouse does not answer, or lets us not in."""

    status, code = 503, "clickhouse_unreachable"


class StoreUnavailable(ApiError):
    """The state database cannot be used now."""

    status, code = 503, "store_unavailable"


def of_field(path: str, message: str, *, code: str | None = None) -> Invalid:
    """The error about one field."""
    return Invalid(f"{path} {message}", detail=[Detail(path, message)], code=code)


_STORE: tuple[tuple[type[store.StoreError], str], ...] = (
    (store.Full, "the store has no space left; free some on its disk"),
    (store.Corrupt, "the store is damaged; the log says where, `clustersight store check` how"),
    (store.WrongVersion, "the store is not of this release; the log says which"),
    (store.Unavailable, "the store cannot be used now; try again, the log says why"),
)


def from_store(error: store.StoreError) -> ApiError:
    """The answer to an error of the store, whose own text names paths and hosts and is for the log."""
    if isinstance(error, store.Conflict):
        own = "://" not in str(error)
        return Conflict(str(error) if own else "something with this name or address is there already")
    if isinstance(error, store.Undecryptable):
        return StoreUnavailable(str(error))
    found = (message for kind, message in _STORE if isinstance(error, kind))
    return StoreUnavailable(next(found, "the store cannot do that; the log says why"))


_DOWN = (clickhouse.Unreachable, clickhouse.TimedOut, clickhouse.Refused, clickhouse.Unauthorized)
_DENIED = re.compile(r"\bON system\.`?(\w+)`?")
# ClickHouse: "clustersight_ro: Not enough privileges. To execute this query, …"
_WHO = re.compile(r"(\S+): [Nn]ot enough privileges")


def from_clickhouse(error: clickhouse.ClickHouseError) -> ApiError:
    """The answer to an error of a ClickHouse server."""
    if isinstance(error, clickhouse.AccessDenied):
        return _permission_denied(error.message)
    if isinstance(error, _DOWN):
        advice = remedy(error)
        return Unreachable(f"{error.message}; {advice}" if advice else error.message)
    # The server's own words quote the statement.
    name = f" {error.name}" if error.name else ""
    return ClickHouseFailed(f"ClickHouse could not answer (code {error.code}{name}); the log says more")


def _permission_denied(message: str) -> PermissionDenied:
    who = _WHO.search(message)
    user = who[1] if who else "clustersight_ro"
    missing = denied(_DENIED.findall(message), message)
    wanted = " ".join(f"{grant.statement(user)};" for grant in missing)
    return PermissionDenied(
        f"ClickHouse refuses; an administrator runs: {wanted}"
        if wanted
        else "ClickHouse refuses; `clustersight cluster grants` prints what the user needs"
    )
