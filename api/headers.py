"""What every request and answer carries: who may come in, X-Request-ID, no-store, and how long it took."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence

from flask import Flask, Response, request
from werkzeug.exceptions import NotFound as HttpNotFound

from api.auth import Gate
from api.body import MAX_BYTES
from api.envelope import REQUEST_ID
from api.errors import PayloadTooLarge
from api.resource import BASE, Access
from api.traffic import Traffic
from clustersight.collection import Clock

_BEGAN = "clustersight.began"
# What a proxy or a tracer sends; anything else could break a line of a log, or fill it.
_GOOD_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
# The first of the routes in the metrics: what matches none.
UNMATCHED = "unmatched"


class Exchange:
    """Before and after each request. `access` is by endpoint, `routes` are the paths by their number."""

    def __init__(
        self,
        gate: Gate,
        traffic: Traffic,
        clock: Clock,
        *,
        access: Mapping[str, Access],
        routes: Sequence[str],
        extra: Mapping[str, str],
    ) -> None:
        self._gate = gate
        self._traffic = traffic
        self._monotonic = clock.monotonic
        self._access = access
        self._number = {path: number for number, path in enumerate(routes)}
        self._headers = {
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            **extra,
        }

    def register(self, app: Flask) -> None:
        app.before_request(self.before)
        app.after_request(self.after)

    def before(self) -> None:
        """Raises what Gate.check raises, and PayloadTooLarge for a body that nobody would read."""
        environ = request.environ
        environ[_BEGAN] = self._monotonic()
        given = request.headers.get("X-Request-ID", "")
        environ[REQUEST_ID] = given if _GOOD_ID.fullmatch(given) else secrets.token_hex(8)
        self._gate.check(request, self._access_here())
        # werkzeug takes `//api` for `/api`; a proxy that keeps people out of `/api` does not.
        if environ["PATH_INFO"].startswith("//"):
            raise HttpNotFound
        if (request.content_length or 0) > MAX_BYTES:
            raise PayloadTooLarge("the body is larger than 1 MiB")

    def _access_here(self) -> Access:
        """A path that does not exist is behind the token as well, where it looks like one of the API."""
        if request.endpoint is not None:
            return self._access[request.endpoint]
        hidden = request.path.startswith(BASE) and request.path != BASE + "/health"
        return Access.TOKEN if hidden else Access.OPEN

    def after(self, response: Response) -> Response:
        environ = request.environ
        headers = response.headers
        headers["X-Request-ID"] = environ[REQUEST_ID]
        for name, value in self._headers.items():
            headers[name] = value
        rule = request.url_rule
        number = self._number[path_of(rule.rule)] if rule is not None else 0
        seconds = self._monotonic() - environ[_BEGAN]
        self._traffic.record(number, request.method, response.status_code, seconds)
        return response


_PLACE = re.compile(r"<(?:[^<>:]+:)?([^<>]+)>")


def path_of(rule: str) -> str:
    """`/clusters/<id:cluster_id>` as people and documents write it: `/clusters/{cluster_id}`."""
    return _PLACE.sub(r"{\1}", rule) if "<" in rule else rule
