"""The alerter as a process: files in, alerts out; reload, readiness, and a stop that loses nothing."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from wsgiref.types import WSGIApplication

from alerter import loading
from alerter.own import OwnMetrics
from alerter.steady import SteadyClock
from alerter.working import Working
from clustersight import __version__
from clustersight.collection import Clock
from clustersight.configuration import Load
from clustersight.logs import event
from clustersight.problem import SettingsError
from clustersight.process.routes import Reply, Request, Route, application, text
from clustersight.process.service import Service, handle_signals
from clustersight.process.serving import guarded
from clustersight.process.ticker import Ticker
from clustersight.store.errors import StoreError
from clustersight.store.opening import Store

log = logging.getLogger(__name__)

# Ticks come once a second, and a pass over 10 000 rules takes seconds.
STALLED_SECONDS = 60.0
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_UNAVAILABLE = "503 Service Unavailable"


class Alerter(Service):
    """Wires work and routes. `load` reads the configuration anew and raises SettingsError."""

    def __init__(self, load: Load, store: Store, clock: Clock) -> None:
        super().__init__("alerter", load)
        self._clock = clock
        self.working = Working(store, SteadyClock(clock), self.configuration)
        self.ticker = Ticker(self._tick, clock)
        self._own = OwnMetrics(self.working.status)
        self._reload_wanted = False
        self._reload_lock = threading.Lock()
        self._start_rules(store)

    def _start_rules(self, store: Store) -> None:
        """The files' rules, or the last good ones where they are bad; without either there is no start."""
        status = self.working.status
        status.reloaded_at = self._clock.wall()
        try:
            files = loading.read(self.configuration.settings.rules)
            self.working.require(files)
        except SettingsError as error:
            if not loading.has_any(store.database):
                raise
            status.reload_successful, status.problems = False, str(error)
            event(
                log,
                logging.ERROR,
                "rule files are bad: the last good rules are evaluated until they are mended and reloaded",
                problems=str(error),
            )
            return
        self.working.take_over(self.configuration, files)

    def _tick(self) -> None:
        if self._reload_wanted:
            self._reload_wanted = False
            # In a thread: reading 10 000 rules takes seconds, and evaluation goes on meanwhile.
            threading.Thread(target=self.reload, name="reload", daemon=True).start()
        self.working.tick()

    def reload(self) -> str:
        """Read everything again, all or nothing; returns what is wrong, empty if it was taken over."""
        with self._reload_lock:
            try:
                configuration = self._load()
                files = loading.read(configuration.settings.rules)
                refused = self.would_open(configuration)
                if refused:
                    return self._refuse(refused)
                self.working.require(files)
                self.working.take_over(configuration, files)
            except (SettingsError, StoreError) as error:
                return self._refuse(str(error))
            self.configuration = configuration
            status = self.working.status
            status.reload_successful, status.problems = True, ""
            status.reloaded_at = self._clock.wall()
            event(log, logging.INFO, "configuration reloaded", rules=len(files.rules), hash=files.hash)
            return ""

    def _refuse(self, problems: str) -> str:
        self.working.status.reload_successful, self.working.status.problems = False, problems
        event(log, logging.ERROR, "reload refused; the last good rules stay", problems=problems)
        return problems

    def ask_for_reload(self) -> None:
        """For a signal handler: the reload itself happens elsewhere."""
        self._reload_wanted = True

    def app(self) -> WSGIApplication:
        """The WSGI application."""
        routes: dict[tuple[str, str], Route] = {
            ("GET", "/"): self._index,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/-/healthy"): self._healthy,
            ("GET", "/-/ready"): self._ready,
            ("GET", "/-/status"): self._status,
            ("POST", "/-/reload"): self._reload,
        }
        return guarded(application(routes), lambda: self.authorized)

    def _index(self, _: Request) -> Reply:
        return text(
            f"ClusterSight alerter {__version__}: /metrics /-/status /-/ready /-/healthy /-/reload (POST)"
        )

    def _metrics(self, _: Request) -> Reply:
        return Reply(self._own.render(), content_type=METRICS_TYPE)

    def _healthy(self, _: Request) -> Reply:
        silent = self._clock.monotonic() - self.ticker.last_tick
        if silent > STALLED_SECONDS:
            return text(f"the loop has not turned for {silent:.0f} s", _UNAVAILABLE)
        return text("ClusterSight alerter is healthy.")

    def _ready(self, _: Request) -> Reply:
        why = self.working.status.not_ready()
        return text(why, _UNAVAILABLE) if why else text("ClusterSight alerter is ready.")

    def _status(self, _: Request) -> Reply:
        body = json.dumps(self.working.status.plain(), indent=2).encode() + b"\n"
        return Reply(body, content_type="application/json")

    def _reload(self, _: Request) -> Reply:
        problems = self.reload()
        if problems:
            message = f"reload failed, the last good rules stay:\n{problems}"
            return text(message, "500 Internal Server Error")
        return text("reloaded")


def run(load: Load, store: Store, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT. Raises SettingsError, StoreError and OSError at the start."""
    alerter = Alerter(load, store, Clock(time.time, time.monotonic))
    handle_signals(alerter.ticker.stop, alerter.ask_for_reload)
    server, url = alerter.serve(alerter.app())
    event(
        log,
        logging.INFO,
        "alerter started",
        version=__version__,
        url=url,
        auth_mode="basic" if alerter.authorized else "none",
        channels=sum(channel.is_on for channel in alerter.configuration.settings.notify.channels),
    )
    if on_ready is not None:
        on_ready(url)
    try:
        alerter.ticker.run()
    finally:
        event(log, logging.INFO, "stopping")
        server.shutdown()
        alerter.working.stop()
        event(log, logging.INFO, "stopped")
