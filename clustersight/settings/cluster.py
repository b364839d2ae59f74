"""One cluster of the configuration: where it is, who we are there, and what is known about it."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Self, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from clustersight.settings.fields import (
    ExistingFile,
    Secret,
    Section,
    between,
    fault,
    refuse_unknown,
    surroundings,
)

# The ports that ClickHouse documents; on others the protocol cannot be known.
_HTTP_PORTS = frozenset({8123, 8443, 443})
_NATIVE_PORTS = frozenset({9000, 9440})
_TLS_PORTS = frozenset({8443, 9440, 443})

_NAME = re.compile(r"[^\x00-\x1f]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%\w+)?")
_HOST_PORT = re.compile(r"(?:tls://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_READONLY = re.compile(r"[^@]+\.[^@]+@[^@]+")
# Prometheus' label names; two underscores are its own.
_LABEL = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*")
_TAKEN_LABELS = frozenset({"cluster", "host"})


class Protocol(StrEnum):
    """How ClickHouse is spoken to."""

    HTTP = "http"
    NATIVE = "native"


class PanelSettings(Section):
    """What can be changed about one panel on one cluster."""

    enabled: bool = True
    timeout_sec: Annotated[float | None, between(0.1, 600)] = None


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise fault("must be a name of at least one character, without line breaks and control characters")
    return name


def _host(host: str) -> str:
    host = host.removeprefix("[").removesuffix("]")
    if not _HOST.fullmatch(host):
        raise fault("must be a host name or an address alone, such as ch1.internal; the port is `port`")
    return host


def _keeper(node: str) -> str:
    match = _HOST_PORT.fullmatch(node)
    if match is None or not 1 <= int(match[2]) <= 65535:
        raise fault("must be HOST:PORT, such as keeper1:9181, or tls://keeper1:9281")
    return node


def _readonly(pattern: str) -> str:
    if not _READONLY.fullmatch(pattern):
        raise fault("must be DATABASE.TABLE@REPLICA, such as analytics.*@replica3")
    return pattern


def _labels(labels: dict[str, str]) -> dict[str, str]:
    for name in labels:
        if name in _TAKEN_LABELS or not _LABEL.fullmatch(name):
            raise fault(
                f"has the label {name!r}; names are letters, digits and _, not cluster, host or __ first"
            )
    return labels


def _protocol(protocol: object, info: ValidationInfo) -> object:
    """Derive the protocol from the port where it is not given."""
    port = info.data.get("port")
    if protocol is not None:
        return protocol
    if port in _NATIVE_PORTS:
        return Protocol.NATIVE
    # Without a port (it was wrong) there is nothing to derive: one message is enough.
    if port is None or port in _HTTP_PORTS:
        return Protocol.HTTP
    raise fault(
        f"{port} does not tell the protocol (8123, 8443, 443: http; 9000, 9440: native); "
        "add `protocol: http` or `protocol: native`",
        beside="port",
    )


def _secure(secure: object, info: ValidationInfo) -> object:
    """Derive TLS from the port where it is not given."""
    return info.data.get("port") in _TLS_PORTS if secure is None else secure


class ClusterSettings(Section):
    """One ClickHouse cluster; `protocol` and `secure` are derived from the port when left out."""

    name: Annotated[str, AfterValidator(_name)]
    host: Annotated[str, AfterValidator(_host)]
    port: Annotated[int, between(1, 65535)]
    protocol: Annotated[Protocol, BeforeValidator(_protocol)] = Field(default=cast("Protocol", None))
    secure: Annotated[bool, BeforeValidator(_secure)] = Field(default=cast("bool", None))
    username: str = "default"
    password_file: ExistingFile = None
    password: Secret = None
    ca_cert: ExistingFile = None
    verify: bool = True
    client_cert: ExistingFile = None
    client_key: ExistingFile = None
    discover: bool = False
    discover_hosts: tuple[str, ...] = ()
    logical_cluster: str | None = "default"
    keeper_nodes: tuple[Annotated[str, AfterValidator(_keeper)], ...] = ()
    expected_readonly: tuple[Annotated[str, AfterValidator(_readonly)], ...] = ()
    labels: Annotated[dict[str, str], AfterValidator(_labels)] = Field(default_factory=dict)
    panels: dict[str, PanelSettings] = Field(default_factory=dict)

    @field_validator("panels")
    @classmethod
    def _known_panels(
        cls, panels: dict[str, PanelSettings], info: ValidationInfo
    ) -> dict[str, PanelSettings]:
        """Refuse panels that the caller does not know, each at its key."""
        refuse_unknown(cls.__name__, "panel", panels, surroundings(info).known.panels)
        return panels

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Self:
        if (self.client_cert is None) != (self.client_key is None):
            below = "client_cert" if self.client_key is None else "client_key"
            raise fault("needs both client_cert and client_key; add the other one", below=below)
        return self
