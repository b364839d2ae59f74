"""Who may come in: a bearer token, HTTP Basic, a user of the web configuration, or everybody (dev mode)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
from enum import StrEnum

from flask import Request

from api.attempts import Attempts
from api.errors import RateLimited, Unauthorized
from api.names import Names
from api.resource import Access
from clustersight.collection import Clock
from clustersight.settings.process import ApiSettings
from clustersight.settings.web_config import WebConfig

BEARER = 'Bearer realm="ClusterSight"'
BASIC = 'Basic realm="ClusterSight", charset="UTF-8"'


class AuthMode(StrEnum):
    """How strangers are kept out."""

    TOKEN = "token"  # noqa: S105 - the name of a mode
    USERS = "web_config_users"
    CERTIFICATE = "client_certificate"
    DEV = "dev_mode_no_auth"


class Gate:
    """Checks requests. Without a password and without users everybody comes in."""

    def __init__(
        self, settings: ApiSettings, web: WebConfig | None, attempts: Attempts, clock: Clock
    ) -> None:
        password = settings.password.get_secret_value() if settings.password else None
        self._token = token_of(password).encode() if password is not None else None
        self._web = web if web is not None and web.file.basic_auth_users else None
        self._by_certificate = web is not None and web.authenticates and self._web is None
        self._names = Names(settings)
        self._attempts = attempts
        self._clock = clock

    @property
    def mode(self) -> AuthMode:
        if self._token is not None:
            return AuthMode.TOKEN
        if self._web is not None:
            return AuthMode.USERS
        return AuthMode.CERTIFICATE if self._by_certificate else AuthMode.DEV

    @property
    def is_open(self) -> bool:
        """Whether no request needs an Authorization header."""
        return self._token is None and self._web is None

    def check(self, request: Request, access: Access) -> None:
        """Let the request in. Raises Forbidden, Unauthorized, and RateLimited after too many wrong tokens."""
        self._names.check_origin(request)
        if access is not Access.OPEN and self.mode is AuthMode.DEV:
            self._names.check_host(request)
        if access is Access.OPEN or self.is_open:
            return
        header = request.headers.get("Authorization")
        if header is None:
            raise self._unauthorized(access, "this needs an Authorization header")
        basic = self._is_password(header)
        if self._is_token(header) or (basic and access is Access.BROWSER) or self._is_user(request, header):
            return
        if not basic:  # the right password in the wrong place guesses nothing
            self._count(request)
        raise self._unauthorized(access, "the Authorization header is not the right one")

    def _count(self, request: Request) -> None:
        self._refuse(self._attempts.wrong(request.remote_addr or "", self._clock.monotonic()))

    def _refuse(self, wait: float) -> None:
        """Unless there is nothing to wait for (seconds)."""
        if wait:
            headers = {"Retry-After": str(max(1, math.ceil(wait)))}
            raise RateLimited("too many wrong tokens from this address; wait a minute", headers=headers)

    def _is_token(self, header: str) -> bool:
        scheme, _, given = header.partition(" ")
        right = self._token is not None and hmac.compare_digest(given.strip().encode(), self._token)
        return right and scheme.lower() == "bearer"

    def _is_password(self, header: str) -> bool:
        given = _basic_password(header)
        if given is None or self._token is None:
            return False
        return hmac.compare_digest(hashlib.sha256(given).hexdigest().encode(), self._token)

    def _is_user(self, request: Request, header: str) -> bool:
        """Check it against bcrypt, which is slow; over the limit only what was right once is checked."""
        if self._web is None:
            return False
        if not self._attempts.was_right(header):
            self._refuse(self._attempts.wait(request.remote_addr or "", self._clock.monotonic()))
        right = self._web.authorized(header)
        if right:
            self._attempts.right(header)
        return right

    def _unauthorized(self, access: Access, what: str) -> Unauthorized:
        ways = [BEARER] if self._token is not None else []
        if access is Access.BROWSER or self._web is not None:
            ways.append(BASIC)
        remedy = (
            "send `Bearer` and the lowercase hex SHA-256 of the password" if self._token else "send a user"
        )
        # A line each: some browsers look no further than the first way in a line.
        return Unauthorized(f"{what}; {remedy}", headers={"WWW-Authenticate": ways})


def token_of(password: str) -> str:
    """The token that stands for a password: `printf %s password | sha256sum`."""
    return hashlib.sha256(password.encode()).hexdigest()


def _basic_password(header: str) -> bytes | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        _, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except ValueError:
        return None
    return password if colon else None
