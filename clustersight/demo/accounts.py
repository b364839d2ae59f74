"""Who may ask the embedded server, by the same headers and parameters as ClickHouse takes them from."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AUTHENTICATION_FAILED = 516


@dataclass(frozen=True)
class Account:
    """A user with the `readonly` of its profile: 0, 1 (refuses settings) or 2 (takes them)."""

    name: str
    password: str
    readonly: int = 0

    @classmethod
    def parse(cls, text: str) -> Account:
        """Read NAME:PASSWORD[:READONLY]; raises ValueError."""
        name, password, *readonly = text.split(":")
        return cls(name, password, int(readonly[0]) if readonly else 0)

    @property
    def profile(self) -> dict[str, str]:
        return {"readonly": str(self.readonly)} if self.readonly else {}


ANYONE = Account("default", "")


class Accounts:
    """The users of the server; without any, everyone is `default`."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self._accounts = {account.name: account for account in accounts}

    def authenticate(self, headers: Mapping[str, str], parameters: Mapping[str, str]) -> Account | str:
        """Return the account, or the user name that was refused."""
        name, password = credentials(headers, parameters)
        if not self._accounts:
            return ANYONE
        account = self._accounts.get(name)
        if account and hmac.compare_digest(account.password.encode(), password.encode()):
            return account
        return name


def credentials(headers: Mapping[str, str], parameters: Mapping[str, str]) -> tuple[str, str]:
    """Return user and password in ClickHouse's order: its own headers, basic auth, the URL."""
    if "X-ClickHouse-User" in headers:
        return headers["X-ClickHouse-User"], headers.get("X-ClickHouse-Key", "")
    scheme, _, encoded = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return basic(encoded)
    return parameters.get("user", "default"), parameters.get("password", "")


def basic(encoded: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password


def refusal(name: str) -> str:
    """ClickHouse's text for a wrong user or password."""
    return (
        f"Code: {AUTHENTICATION_FAILED}. DB::Exception: {name}: Authentication failed: password is incorrect,"
        " or there is no user with such name. (AUTHENTICATION_FAILED)\n"
    )
