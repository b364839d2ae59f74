"""By which names browsers may reach us, and whose pages may change something here."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from flask import Request

from api.errors import Forbidden
from clustersight.settings.process import ApiSettings

_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@/\s]+))(?::[0-9]*)?")
_ANY = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared, not listened on
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# A browser leaves out the port that belongs to the scheme; a proxy may not know the scheme.
_USUAL_PORT = re.compile(r":(?:80|443)?$")


class Names:
    """The names of this server. Thread safe."""

    def __init__(self, settings: ApiSettings) -> None:
        public = urlsplit(settings.public_url or "")
        listen = settings.listen.host.lower()
        self._names = {"localhost", listen, public.hostname or ""} - _ANY
        self._has_any_address = listen in _ANY
        self._public = _place(public.netloc)

    def check_host(self, request: Request) -> None:
        """Refuse a name that is not ours, which is how a page elsewhere reads what has no password.

        Its own name leads here (DNS rebinding), so that for the browser we are the server of the page.
        Raises Forbidden.
        """
        given = request.headers.get("Host")
        if given is not None and not self._is_ours(given):
            raise Forbidden(
                "without a password the API answers to localhost, to api.listen and to the host of"
                " api.public_url alone; set CLUSTERSIGHT_PASSWORD, or api.public_url to the URL that you use"
            )

    def _is_ours(self, given: str) -> bool:
        found = _HOST.fullmatch(given)
        if found is None:
            return False
        name = (found["six"] or found["name"]).lower().removesuffix(".")
        return name in self._names or self._is_address(name)

    def _is_address(self, name: str) -> bool:
        """Whether it is an address of this machine; nobody's page has an address that is ours."""
        try:
            return ipaddress.ip_address(name).is_loopback or self._has_any_address
        except ValueError:
            return False

    def check_origin(self, request: Request) -> None:
        """Refuse what another server's page sends in order to change something. Raises Forbidden."""
        origin = request.headers.get("Origin")
        if origin is None or request.method in _SAFE:
            return
        scheme, _, place = origin.partition("://")
        ours = {_place(request.headers.get("Host", "")), self._public} - {""}
        if scheme not in ("http", "https") or _place(place) not in ours:
            raise Forbidden(
                "the page that sent this is of another origin; if it is ours behind a proxy, set"
                " api.public_url to the URL that you use"
            )


def _place(netloc: str) -> str:
    return _USUAL_PORT.sub("", netloc.rpartition("@")[2].lower())
