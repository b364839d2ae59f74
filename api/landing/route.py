"""GET /: reads the store, never ClickHouse, and answers with a page whatever state they are in."""

from __future__ import annotations

import gzip
import logging
from urllib.parse import urlsplit

from flask import Flask, Response, request

from api import errors
from api.context import current
from api.landing import facts, page
from api.landing.places import Places
from api.landing.views import Landing
from api.resource import Access
from clustersight.logs import event
from clustersight.store.errors import StoreError

log = logging.getLogger("api")

ENDPOINT = "landing"
GZIP_LEVEL = 5


def register(app: Flask, *, is_open: bool) -> dict[str, Access]:
    """Add the route; returns who may use it."""

    def view() -> Response:
        context = current()
        refresh = 0 if request.args.get("refresh") == "off" else page.REFRESH_SECONDS
        places = Places(context.settings, is_open, _host())
        try:
            return _answer(page.landing(facts.read(context), places, refresh))
        except StoreError as error:
            event(log, logging.ERROR, "the store failed", error=error, path="/")
            told = errors.from_store(error)
            return _answer(page.unreadable(told.message, context.now, places, refresh), told.status)

    app.add_url_rule("/", ENDPOINT, view, methods=["GET"])
    return {ENDPOINT: Access.BROWSER}


def _host() -> str:
    """The name by which we were reached; with a password nobody has checked it."""
    try:
        return urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return ""


def _answer(shown: Landing, status: int = 200) -> Response:
    headers = {"Content-Security-Policy": page.policy(), "Vary": "Accept-Encoding"}
    body = page.render(shown)
    if request.accept_encodings["gzip"]:
        # What fifty clusters say is half a megabyte, and a phone asks each minute.
        body = gzip.compress(body, GZIP_LEVEL)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, content_type="text/html; charset=utf-8", headers=headers)
