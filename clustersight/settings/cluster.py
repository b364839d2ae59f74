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
    """Whether this panel is collected on this cluster."""
    timeout_sec: Annotated[float | None, between(0.1, 600)] = None
    """Seconds for this panel on one node; null leaves the deadline of the visit."""


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
    """The cluster's identity and its label `cluster`; unique."""
    host: Annotated[str, AfterValidator(_host)]
    """A host name or address alone; with `discover` the node that is asked for the others."""
    port: Annotated[int, between(1, 65535)]
    """8123, 8443 and 443 speak http, 9000 and 9440 native; others need `protocol`."""
    protocol: Annotated[Protocol, BeforeValidator(_protocol)] = Field(default=cast("Protocol", None))
    """How it is spoken to; null takes it from the port."""
    secure: Annotated[bool, BeforeValidator(_secure)] = Field(default=cast("bool", None))
    """TLS; null is true on 8443, 9440 and 443, else false."""
    username: str = "default"
    """Better a user of its own: docs/clickhouse-user.md."""
    password_file: ExistingFile = None
    password: Secret = None
    """Its password."""
    ca_cert: ExistingFile = None
    """PEM file of the authority that signed the server's certificate."""
    verify: bool = True
    """Whether the certificate is checked; false accepts any."""
    client_cert: ExistingFile = None
    """PEM file of a client certificate; together with client_key."""
    client_key: ExistingFile = None
    """PEM file of its key."""
    discover: bool = False
    """Whether every node of logical_cluster in system.clusters is watched."""
    discover_hosts: tuple[str, ...] = ()
    """Where the credentials may go, such as ["*.internal"]; empty: the host's own domain or network."""
    logical_cluster: str | None = "default"
    """The cluster's name in system.clusters."""
    keeper_nodes: tuple[Annotated[str, AfterValidator(_keeper)], ...] = ()
    """Keeper or ZooKeeper nodes, such as ["keeper1:9181"]; empty: found from the server."""
    expected_readonly: tuple[Annotated[str, AfterValidator(_readonly)], ...] = ()
    """Replicas that are read-only on purpose, such as ["analytics.*@replica3"]."""
    labels: Annotated[dict[str, str], AfterValidator(_labels)] = Field(default_factory=dict)
    """Added to the cluster's alerts, such as {env: prod}."""
    panels: dict[str, PanelSettings] = Field(default_factory=dict)
    """Changes of single panels, such as {compression: {enabled: false}}."""

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
