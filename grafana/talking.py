"""One request to Grafana: with the token, in bounded time and size, without redirects, tried again on 5xx."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.utils import get_environ_proxies

from clustersight import __version__
from clustersight.notify.redaction import Redaction
from grafana.failures import GrafanaError, GrafanaUnusableError

CONNECT_SECONDS = 5.0
# The largest of our dashboards is 50 KB.
MOST_BYTES = 32 << 20
_CHUNK_BYTES = 1 << 16
TRIES = 3
# Doubled after each try: enough for a proxy that changes from one Grafana to the next.
PAUSE_SECONDS = 0.5
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})
NO_TOKEN = "it wants a token: set GRAFANA_TOKEN or name a file with --token-file"  # noqa: S105
BAD_TOKEN = "it does not know this token: is it of this Grafana, and has it not expired?"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is its JSON, None if it was none; `said` is Grafana's message, short and without the token."""

    status: int
    body: Any
    said: str = ""

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300


class Talking:
    """Requests to the Grafana at `url`, each over within `seconds`. Its repr shows no token."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        seconds: float,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url, self._seconds, self._sleep, self._monotonic = url, seconds, sleep, monotonic
        self._token = token
        self._redaction = Redaction("", {"Authorization": f"Bearer {token}"} if token else {})

    def __repr__(self) -> str:
        return f"Talking({self.url})"

    def ask(self, method: str, path: str, *, body: Any = None, needs: str = "", again: bool = True) -> Answer:
        """The answer, good or 400, 404, 409, 412. `needs` is the permission that it takes.

        Raises GrafanaError and GrafanaUnusableError. `again`: a second try does no harm.
        """
        for tried in range(1, TRIES + 1):
            answer = self._once(method, path, body)
            if answer.status not in _TRY_AGAIN or not again or tried == TRIES:
                break
            self._sleep(PAUSE_SECONDS * 2 ** (tried - 1))
        return self._checked(answer, needs)

    def _checked(self, answer: Answer, needs: str) -> Answer:
        if answer.status == 401:
            raise self._unusable(f"401: {BAD_TOKEN if self._token else NO_TOKEN}")
        if answer.status == 403 and answer.body is None:
            raise self._unusable("403, and not from Grafana: a proxy in front of it lets nobody in")
        if answer.status == 403:
            raise GrafanaError(f"403: the token lacks the permission {needs}; the role Editor has it")
        if answer.status in _TRY_AGAIN:
            raise GrafanaError(f"answers {answer.status}{_quoted(answer.said)}; try again later")
        if answer.body is None and answer.status == 404:
            raise self._unusable("404: there is no Grafana; has its address a path (https://HOST/grafana)?")
        if answer.body is None:
            raise self._unusable(
                f"answers {answer.status} without JSON: a login page in front of Grafana, or no Grafana"
            )
        return answer

    def _unusable(self, why: str) -> GrafanaUnusableError:
        return GrafanaUnusableError(f"{self.url}: {why}")

    def _once(self, method: str, path: str, body: Any) -> Answer:
        try:
            with self._session() as session:
                return self._answer(session, method, path, body)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise self._unusable(f"no answer within {self._seconds:g} s; --timeout allows more") from None
        except requests.exceptions.SSLError:
            raise self._unusable(
                "TLS fails; for an authority of your own set REQUESTS_CA_BUNDLE to its file;"
                " a Grafana without TLS is http://…"
            ) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise self._unusable(
                f"cannot be reached ({type(error).__name__}); is it running there?"
            ) from None

    def _session(self) -> requests.Session:
        """Of the environment: proxies and the authorities, but no ~/.netrc in the place of the token."""
        session = requests.Session()
        session.trust_env = False
        session.proxies = get_environ_proxies(self.url)
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        session.headers["User-Agent"] = f"ClusterSight/{__version__}"
        # Nothing is unpacked: MOST_BYTES stay that.
        session.headers["Accept-Encoding"] = "identity"
        if self._token:
            session.headers["Authorization"] = f"Bearer {self._token}"
        return session

    def _answer(self, session: requests.Session, method: str, path: str, body: Any) -> Answer:
        ends = self._monotonic() + self._seconds
        with session.request(
            method,
            self.url + path,
            json=body,
            timeout=(min(CONNECT_SECONDS, self._seconds), self._seconds),
            # They would take the token elsewhere, and make a GET of a POST.
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.is_redirect or 300 <= response.status_code < 400:
                raise self._unusable(self._redirected(response))
            found = _json(self._body(response, ends))
            message = found.get("message") if isinstance(found, dict) else None
            said = self._redaction.excerpt(message) if isinstance(message, str) else ""
            return Answer(response.status_code, found, said)

    def _body(self, response: requests.Response, ends: float) -> bytes:
        received = bytearray()
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
            received += chunk
            if len(received) > MOST_BYTES:
                raise self._unusable(f"answers with more than {MOST_BYTES >> 20} MiB; is this Grafana?")
            if self._monotonic() > ends:
                raise requests.Timeout
        return bytes(received)

    def _redirected(self, response: requests.Response) -> str:
        """Without its query, where a login page keeps its state."""
        to = urlsplit(urljoin(response.url, response.headers.get("Location", "")))
        place = self._redaction.excerpt(f"{to.scheme}://{to.netloc.rpartition('@')[2]}{to.path}")
        return (
            f"redirects to {place}: give that address if it is Grafana's;"
            " if it is a login page, a proxy in front of Grafana does not take the token"
        )


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _quoted(said: str) -> str:
    return f" ({said})" if said else ""
