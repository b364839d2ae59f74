"""Prometheus' web configuration file: TLS and basic authentication of a listener.

The format is that of prometheus/exporter-toolkit, docs/web-configuration.md. `$` is not expanded in it:
bcrypt hashes are full of them.
"""

from __future__ import annotations

import re
import ssl
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator

from clustersight.problem import Problem, SettingsError
from clustersight.settings.fields import ExistingFile, Section, Surroundings, fault
from clustersight.settings.model_problem import Locator, problems_of
from clustersight.settings.web_users import WebUsers
from clustersight.yaml_file import faults_of, named, read_mapping

# 04 to 31 is bcrypt's range; from 2^17 rounds on, one login costs seconds.
_BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}")


class ClientAuth(StrEnum):
    """What is asked of a client's certificate; Go's names."""

    NONE = "NoClientCert"
    VERIFY_IF_GIVEN = "VerifyClientCertIfGiven"
    REQUIRE = "RequireAndVerifyClientCert"


class TlsVersion(StrEnum):
    """The versions that are still safe; Go's names."""

    TLS12 = "TLS12"
    TLS13 = "TLS13"


_VERIFY = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.VERIFY_IF_GIVEN: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRE: ssl.CERT_REQUIRED,
}
_VERSION = {TlsVersion.TLS12: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS13: ssl.TLSVersion.TLSv1_3}


def _client_auth(value: object) -> object:
    if value in {"RequestClientCert", "RequireAnyClientCert"}:
        raise fault(f"{value} checks nothing; use {ClientAuth.VERIFY_IF_GIVEN} or {ClientAuth.REQUIRE}")
    return value


def _bcrypt_hash(value: SecretStr) -> SecretStr:
    if not _BCRYPT.fullmatch(value.get_secret_value()):
        raise fault("must be a bcrypt hash of cost 4 to 16; make one with `htpasswd -nBC 10 USER`")
    return value


class TlsConfig(Section):
    """The listener's certificate and what it asks of clients."""

    cert_file: ExistingFile
    key_file: ExistingFile
    client_auth_type: Annotated[ClientAuth, BeforeValidator(_client_auth)] = ClientAuth.NONE
    client_ca_file: ExistingFile = None
    min_version: TlsVersion = TlsVersion.TLS12
    max_version: TlsVersion = TlsVersion.TLS13

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for key in ("cert_file", "key_file"):
            if getattr(self, key) is None:
                raise fault("must name a file", below=key)
        if (self.client_auth_type is ClientAuth.NONE) != (self.client_ca_file is None):
            message = "and client_ca_file need each other: give a client_auth_type that verifies, and the CA"
            raise fault(message, below="client_auth_type")
        if self.min_version > self.max_version:
            raise fault("must not be above max_version", below="min_version")
        return self


class HttpConfig(Section):
    """Accepted, so that one file serves all exporters; HTTP/2 is not spoken."""

    http2: bool = True
    headers: dict[str, str] = Field(default_factory=dict)


BcryptHash = Annotated[SecretStr, AfterValidator(_bcrypt_hash)]


class WebConfigFile(Section):
    """The file as it is written."""

    tls_server_config: TlsConfig | None = None
    http_server_config: HttpConfig | None = None
    basic_auth_users: dict[Annotated[str, Field(pattern="^[^:]+$")], BcryptHash] | None = None


class WebConfig:
    """A loaded web configuration: who may come in, and the TLS of the listener. Thread safe."""

    def __init__(self, file: WebConfigFile | None = None, context: ssl.SSLContext | None = None) -> None:
        """Without a file: no TLS, and everybody may come in."""
        self.file = file or WebConfigFile()
        users = self.file.basic_auth_users or {}
        self._has_users = bool(users)
        self._users = WebUsers({name: secret.get_secret_value() for name, secret in users.items()})
        self._context = context

    @property
    def authenticates(self) -> bool:
        """Whether a stranger is kept out: by users, or by a certificate that is required."""
        tls = self.file.tls_server_config
        return self._has_users or (tls is not None and tls.client_auth_type is ClientAuth.REQUIRE)

    @property
    def headers(self) -> dict[str, str]:
        """Headers to add to every answer (http_server_config)."""
        return dict(self.file.http_server_config.headers) if self.file.http_server_config else {}

    def authorized(self, authorization_header: str | None) -> bool:
        """Check the Authorization header. Without any basic_auth_users everybody is authorized."""
        return not self._has_users or self._users.authorized(authorization_header)

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return the context with the certificate as it was at load; None without TLS."""
        return self._context


def load(path: Path) -> WebConfig:
    """Read and check the file, its certificates included. Raises SettingsError with every problem.

    Call it again to take over a renewed certificate or changed users.
    """
    tree = read_mapping(path)
    locator = Locator(str(path), tree)
    problems = faults_of(tree, str(path))
    try:
        file = WebConfigFile.model_validate(tree.data, context=Surroundings(path.absolute().parent))
    except ValidationError as error:
        raise SettingsError(problems + problems_of(error, WebConfigFile, locator, tree.lost)) from None
    context = None
    if file.tls_server_config:
        context, wrong = _context(file.tls_server_config, locator)
        problems += wrong
    if problems:
        raise SettingsError(problems)
    return WebConfig(file, context)


def _context(tls: TlsConfig, locator: Locator) -> tuple[ssl.SSLContext | None, list[Problem]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSION[tls.min_version]
    context.maximum_version = _VERSION[tls.max_version]
    problems = []
    key = "cert_file"
    try:
        # An encrypted key would ask on the terminal; an empty passphrase makes it an error.
        context.load_cert_chain(_text(tls.cert_file), _text(tls.key_file), password=lambda: "")
        key = "client_ca_file"
        if tls.client_ca_file:
            context.load_verify_locations(_text(tls.client_ca_file))
            context.verify_mode = _VERIFY[tls.client_auth_type]
    except (OSError, ValueError) as error:
        keys: Any = ("tls_server_config", key)
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "the key is encrypted"
        message = (
            f"{key} does not load ({reason}); it must be PEM, with the key that belongs to it, unencrypted"
        )
        problems.append(locator.problem(keys, named(keys, message)))
    return context, problems


def _text(path: Path | None) -> str:
    return str(path)
