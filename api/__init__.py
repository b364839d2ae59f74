"""Process 3: the REST API under /api/v1. `create_app()` is a WSGI application for any server."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence

from flask import Flask

from api import context, envelope, openapi, pages, probes, resource
from api.auth import AuthMode, Gate
from api.body import MAX_BYTES
from api.context import Context
from api.headers import UNMATCHED, Exchange, path_of
from api.ids import IdConverter
from api.own import OwnMetrics
from api.probes import Reload
from api.resource import Access, Resource
from api.resources import ALL
from api.shared import Shared, shared
from api.traffic import MAX_ROUTES
from clustersight.collection import Clock
from clustersight.known import KNOWN
from clustersight.logs import event
from clustersight.settings import file as config_file
from clustersight.settings import web_config
from clustersight.settings.model import Settings
from clustersight.settings.web_config import WebConfig
from clustersight.store.opening import Store

log = logging.getLogger("api")

__all__ = ["create_app"]


def create_app(
    settings: Settings | None = None,
    store: Store | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    clock: Clock | None = None,
    web: WebConfig | None = None,
    memory: Shared | None = None,
    reload: Reload | None = None,
    resources: Sequence[Resource] = ALL,
) -> Flask:
    """The application. Without settings it reads CLUSTERSIGHT_CONFIG and the environment itself.

    The store is opened by the first request that needs it. `memory` is what several worker processes
    share, by default this process's own. Raises SettingsError.
    """
    clock = clock or Clock(time.time, time.monotonic)
    if settings is None:
        settings, web = _load(environ)
    memory = memory or shared(settings.api.auth_failures_per_minute, clock.wall())
    gate = Gate(settings.api, web, memory.attempts, clock)
    app = _app(Context(settings, environ, clock, store))
    routes: list[str] = [UNMATCHED]
    access = _register(app, resources, is_open=gate.is_open)
    access |= probes.register(app, OwnMetrics(memory.traffic, memory.reloads, routes), reload)
    routes += sorted({path_of(rule.rule) for rule in app.url_map.iter_rules()})
    assert len(routes) <= MAX_ROUTES, "traffic.py has no room for so many routes"  # noqa: S101
    extra = web.headers if web is not None else {}
    Exchange(gate, memory.traffic, clock, access=access, routes=routes, extra=extra).register(app)
    return app


def _app(around: Context) -> Flask:
    app = Flask("api", static_folder=None, template_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BYTES, PROVIDE_AUTOMATIC_OPTIONS=False)
    # A redirect is no answer of ours, and `//` in a path is no `/`.
    app.url_map.merge_slashes = False
    app.url_map.converters["id"] = IdConverter
    context.install(around, app.extensions)
    envelope.register(app)
    return app


def _register(app: Flask, resources: Sequence[Resource], *, is_open: bool) -> dict[str, Access]:
    """Add resources, pages and document; returns who may use which endpoint."""
    resource.register(app, resources)
    access = {f"{noun.name}.{route.name}": route.access for noun in resources for route in noun.routes}
    access |= pages.register(app, is_open=is_open)
    return access | openapi.register(app, resources, is_open=is_open)


def _load(environ: Mapping[str, str]) -> tuple[Settings, WebConfig | None]:
    settings = config_file.load(None, environ, KNOWN).settings
    file = settings.api.web_config_file
    web = web_config.load(file) if file is not None else None
    warn_if_open(settings, web)
    return settings, web


def warn_if_open(settings: Settings, web: WebConfig | None) -> None:
    """The one warning of dev mode."""
    if settings.api.password is None and (web is None or not web.authenticates):
        event(
            log,
            logging.WARNING,
            "no password is set: whoever reaches the API may use it; set CLUSTERSIGHT_PASSWORD",
            auth_mode=AuthMode.DEV,
        )
