"""Pages of a process over WSGI: a table of paths, what a route may look at, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PLAIN = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
# A page is text and one style: nothing that a table's name could smuggle in would run.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `status` is the code and its reason."""

    body: bytes
    status: str = "200 OK"
    content_type: str = PLAIN
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What a route may look at."""

    query: dict[str, list[str]]
    accept: str
    accepts_gzip: bool

    def one(self, name: str) -> str | None:
        """The last value of a parameter, as Prometheus takes it."""
        return self.query[name][-1] if name in self.query else None


Route = Callable[[Request], Reply]


def text(message: str, status: str = "200 OK") -> Reply:
    """One line for a person or a probe."""
    return Reply(message.encode() + b"\n", status)


def application(routes: dict[tuple[str, str], Route]) -> WSGIApplication:
    """A WSGI application of {(method, path): route}; HEAD is GET without the body."""
    paths = {path for _, path in routes}

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/")
        route = routes.get(("GET" if method == "HEAD" else method, path))
        if route is not None:
            reply = route(_request(environ))
        elif path in paths:
            allowed = ", ".join(sorted(m for m, p in routes if p == path))
            reply = Reply(b"method not allowed\n", "405 Method Not Allowed", headers=(("Allow", allowed),))
        else:
            reply = text(f"not found; there are: {' '.join(sorted(paths))}", "404 Not Found")
        length = ("Content-Length", str(len(reply.body)))
        common = [("Content-Type", reply.content_type), length, ("X-Content-Type-Options", "nosniff")]
        start_response(reply.status, common + list(reply.headers))
        return [] if method == "HEAD" else [reply.body]

    return app


def _request(environ: WSGIEnvironment) -> Request:
    encodings = environ.get("HTTP_ACCEPT_ENCODING", "")
    return Request(
        query=parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True),
        accept=environ.get("HTTP_ACCEPT", ""),
        accepts_gzip=_takes_gzip(encodings),
    )


def _takes_gzip(encodings: str) -> bool:
    for part in encodings.lower().split(","):
        name, _, weight = part.strip().partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
