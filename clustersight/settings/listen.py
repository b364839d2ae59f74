"""Where a process listens, and the refusal to listen to the world without authentication."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_FORM = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})")
_MAX_PORT = 65535


@dataclass(frozen=True)
class Listen:
    """An address to listen on. An empty host is every interface; port 0 is any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        """HOST:PORT, with brackets around IPv6; parse_listen reads it back."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect; a name other than localhost counts as beyond."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_listen(text: str) -> Listen:
    """Read `127.0.0.1:9116`, `:9116`, `[::1]:9116`. Raises ValueError, with what is allowed."""
    match = _FORM.fullmatch(text)
    if match is None or int(match["port"]) > _MAX_PORT:
        raise ValueError(
            "must be HOST:PORT, such as 127.0.0.1:9116, :9116 (every interface) or [::1]:9116, "
            "with a port from 0 (any free one) to 65535"
        )
    if match["six"] is not None:
        return Listen(_ipv6(match["six"]), int(match["port"]))
    return Listen(match["host"], int(match["port"]))


def _ipv6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise ValueError("must hold an IPv6 address between the brackets, such as [::1]:9116") from None


def open_listener(section: str, listen: Listen, *, authenticated: bool, allow_open: bool) -> str | None:
    """Return why `section` must not listen there, with the remedy; None where it may."""
    if listen.is_loopback or authenticated or allow_open:
        return None
    password = "set CLUSTERSIGHT_PASSWORD, or " if section == "api" else ""
    return (
        f"would listen on {listen}, beyond this machine, without authentication: "
        f"{password}set {section}.web_config_file to a file with basic_auth_users, listen on 127.0.0.1, "
        f"or accept it with {section}.allow_open: true"
    )
