"""The dead man's switch: a URL that is asked after each full evaluation; silence there means trouble here."""

from __future__ import annotations

import logging
import threading

import requests
from pydantic import SecretStr
from urllib3.exceptions import HTTPError

from clustersight.logs import event

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0


class Heartbeat:
    """Never waited for: a receiver that hangs costs one thread and misses the beats meanwhile."""

    def __init__(self) -> None:
        self._running: threading.Thread | None = None
        self._failed = False
        self.sent = 0
        self.failed = 0

    def beat(self, url: SecretStr | None) -> None:
        """Ask the URL once, if there is one and the last beat is over."""
        if url is None or (self._running is not None and self._running.is_alive()):
            return
        self._running = threading.Thread(target=self._ask, args=(url,), name="heartbeat", daemon=True)
        self._running.start()

    def _ask(self, url: SecretStr) -> None:
        problem = ""
        try:
            with requests.get(
                url.get_secret_value(), timeout=TIMEOUT_SECONDS, allow_redirects=False, stream=True
            ) as answer:
                # Also a redirect: who only says where to ask has not counted the beat.
                if not 200 <= answer.status_code < 300:
                    problem = f"HTTP {answer.status_code}"
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            problem = type(error).__name__  # its text holds the URL, and the URL a token
        self.sent += not problem
        self.failed += bool(problem)
        if problem and not self._failed:
            event(log, logging.ERROR, "the heartbeat did not go through", reason=problem)
        self._failed = bool(problem)
