"""One HTTP POST: to a checked address, without redirects and proxies, over within seconds, telling no secret.

A new connection for each: at one message a second nothing is gained by keeping one, and one that was kept
breaks just when nobody knows whether the message was taken.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import requests
import urllib3

from clustersight import __version__
from clustersight.notify.channel import ChannelBroken, Outcome, TryAgain
from clustersight.notify.destination import (
    Destination,
    DestinationAdapter,
    Patience,
    PrivateAddress,
    Unresolved,
)
from clustersight.notify.redaction import Redaction

# Slack answers with two bytes, and with less than a hundred where it is not content.
MOST_BYTES = 64 << 10
_CHUNK_BYTES = 1 << 13
_OWN_HEADERS = {
    "User-Agent": f"ClusterSight/{__version__}",
    "Content-Type": "application/json; charset=utf-8",
    # Nothing is unpacked: 64 KiB stay 64 KiB.
    "Accept-Encoding": "identity",
}
# They write the path, Slack's secret: of each request, and with a broken header even as a warning.
_TALKATIVE = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")
PRIVATE = (
    "its host is a private address (this machine or network);"
    " if that is meant, set notify.allow_private: true"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said; `text` is its body as sent, which may quote secrets: `excerpt` does not.

    `is_whole`: it ended in time and within MOST_BYTES.
    """

    status: int
    excerpt: str = ""
    text: str = field(default="", repr=False)
    retry_after: str | None = None
    is_whole: bool = True


class Poster:
    """POSTs to one URL. Its repr, its outcomes and the log show neither URL nor headers."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        allow_private: bool,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._headers = url, _OWN_HEADERS | dict(headers)
        self._allow_private, self._patience = allow_private, patience or Patience()
        self._redaction = Redaction(url, headers)
        self._clock = clock
        for logger in _TALKATIVE:  # adding it twice changes nothing
            logging.getLogger(logger).addFilter(_nothing)

    def __repr__(self) -> str:
        return "Poster(…)"

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer | Outcome:
        """One try; an outcome where there is no answer. Raises nothing for what a receiver does."""
        destination = Destination(self._patience, allow_private=self._allow_private)
        try:
            with destination.within_time(), _session(destination) as session:
                return self._answer(session, destination, body, self._headers | dict(headers or {}))
        except PrivateAddress:
            return ChannelBroken(PRIVATE)
        except Unresolved:
            return TryAgain("the name of its host is not known (DNS)")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return self._failure(error, is_late=destination.is_late)

    def _answer(
        self, session: requests.Session, destination: Destination, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        with session.post(
            self._url,
            data=body,
            headers=headers,
            timeout=(self._patience.connect_seconds, self._patience.read_seconds),
            # What a redirect leads to is not what was configured, and a POST would become a GET.
            allow_redirects=False,
            stream=True,
        ) as response:
            # A head that was cut looks like one that ended.
            if destination.is_late:
                raise requests.Timeout
            received, is_whole = self._body(response, destination)
            text = received.decode("utf-8", "replace")
            retry_after = response.headers.get("Retry-After")
            return Answer(response.status_code, self._redaction.excerpt(text), text, retry_after, is_whole)

    def _body(self, response: requests.Response, destination: Destination) -> tuple[bytes, bool]:
        """What came of it: the status is known already and tells more than an error here."""
        received = bytearray()
        until = self._clock() + self._patience.read_seconds
        try:
            while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
                received += chunk
                if len(received) > MOST_BYTES or self._clock() > until:
                    return bytes(received[:MOST_BYTES]), False
        except (urllib3.exceptions.HTTPError, OSError):
            return bytes(received), False
        return bytes(received), not destination.is_late

    def _failure(self, error: Exception, *, is_late: bool) -> Outcome:
        """By its class: its text holds the URL."""
        if is_late or isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
            return TryAgain(f"no answer within {self._patience.read_seconds:g} s")
        if isinstance(error, requests.exceptions.SSLError):
            return TryAgain("TLS fails; check the receiver's certificate")
        # requests' own errors of URL and headers are OSErrors too.
        if isinstance(error, ValueError):
            kind = type(error).__name__
            return ChannelBroken(f"its URL or headers are not valid ({kind}); check url and headers")
        return TryAgain("it cannot be reached, or it hangs up")


def _session(destination: Destination) -> requests.Session:
    """Without the environment: no proxy, which would resolve the name again, and no ~/.netrc."""
    session = requests.Session()
    session.trust_env = False
    # The one variable that is kept: an authority of one's own is trusted as everywhere with requests.
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
    for scheme in ("http://", "https://"):
        session.mount(scheme, DestinationAdapter(destination))
    return session


def _nothing(_: logging.LogRecord) -> bool:
    return False
