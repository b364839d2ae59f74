"""The exporter as a process: settings in, page out; reload, readiness, and a graceful stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from wsgiref.types import WSGIApplication

from clustersight import __version__
from clustersight.collection import Clock
from clustersight.configuration import Configuration, Load
from clustersight.effective import Effective
from clustersight.logs import event
from clustersight.panels import ALL, builtin
from clustersight.panels.panel import Panel
from clustersight.problem import SettingsError
from clustersight.process.routes import HTML, POLICY, Reply, Request, application, text
from clustersight.process.service import Service, handle_signals
from clustersight.process.serving import guarded
from clustersight.process.ticker import Ticker
from clustersight.settings.model import Settings
from clustersight.store.opening import Store
from exporter import landing
from exporter.collecting import Collecting
from exporter.own import OwnMetrics
from exporter.page import Format, Page
from exporter.remembering import Remembering
from exporter.routes import format_of, metrics_reply
from exporter.sql_rules import panels_by_cluster

log = logging.getLogger(__name__)

# Ticks come once a second; a loop that has not turned for this long is not healthy.
STALLED_SECONDS = 30.0
STOP_SECONDS = 5.0


def system_clock() -> Clock:
    return Clock(time.time, time.monotonic)


class Exporter(Service):
    """Wires collecting, page and routes. `load` reads the configuration anew and raises SettingsError."""

    def __init__(
        self, load: Load, clock: Clock, store: Store | None = None, panels: tuple[Panel, ...] = ALL
    ) -> None:
        super().__init__("exporter", load)
        self._clock = clock
        self._panels = panels
        settings = self.configuration.settings
        self.page = Page(clock.monotonic, extra=self._own)
        self.remembering = Remembering(store, clock, self.configuration, self._watch) if store else None
        self.collecting = Collecting(
            # What the store's clusters are is known only once this exporter leads.
            settings.model_copy(update={"clusters": ()}) if store else settings,
            self._chosen(settings),
            self.page,
            clock,
            self.remembering.record if self.remembering else lambda _: None,
        )
        self.own = OwnMetrics(lambda: self.collecting.visits, lambda: self.page.series)
        self.own.reloaded_at = clock.wall()
        self.ticker = Ticker(self._tick, clock)
        self._reload_wanted = False
        self._reload_lock = threading.Lock()
        self._was_ready = False
        if self.remembering is not None:
            self.own.recorder = self.remembering.recorder
            self.remembering.start(self.collecting, self.page)

    def _chosen(self, settings: Settings) -> tuple[Panel, ...]:
        return (*self._panels, builtin.PANEL) if settings.exporter.builtin_names else self._panels

    def _own(self, page_format: Format) -> bytes:
        return self.own.render(page_format)

    def _watch(self, found: Effective) -> None:
        """Follow settings as they hold now, from wherever they come."""
        settings = found.settings
        self.page.max_rows_per_panel = settings.collection.max_rows_per_panel
        self.page.max_series = settings.collection.max_series
        self.collecting.configure(settings, self._chosen(settings), panels_by_cluster(found))

    def _apply(self, configuration: Configuration) -> None:
        self.configuration = configuration
        if self.remembering is None:
            self._watch(Effective(configuration.settings, {}))
        else:
            self.remembering.following.rebase(configuration)

    def _tick(self) -> None:
        if self._reload_wanted:
            self._reload_wanted = False
            self.reload()
        self.collecting.tick()
        self.page.tick()

    def reload(self) -> str:
        """Read everything again, all or nothing; returns what is wrong, empty if it was taken over."""
        with self._reload_lock:
            try:
                configuration = self._load()
            except SettingsError as error:
                return self._refuse_reload(str(error))
            refused = self.would_open(configuration)
            if refused:
                return self._refuse_reload(refused)
            self._warn_of_what_stays(configuration.settings)
            self._apply(configuration)
            self.own.reload_successful, self.own.reloaded_at = True, self._clock.wall()
            event(log, logging.INFO, "configuration reloaded", clusters=len(configuration.settings.clusters))
            return ""

    def _refuse_reload(self, problems: str) -> str:
        self.own.reload_successful = False
        event(log, logging.ERROR, "reload refused; the last good configuration stays", problems=problems)
        return problems

    def _warn_of_what_stays(self, new: Settings) -> None:
        old = self.configuration.settings
        if new.exporter.listen != old.exporter.listen or new.collection.workers != old.collection.workers:
            event(log, logging.WARNING, "exporter.listen and collection.workers need a restart")

    def ask_for_reload(self) -> None:
        """For a signal handler: the reload itself happens in the ticking thread."""
        self._reload_wanted = True

    def stop(self) -> None:
        """Let visits end and be written, for some seconds at the most."""
        self.collecting.stop(STOP_SECONDS)
        if self.remembering is not None:
            self.remembering.recorder.stop(STOP_SECONDS)

    def app(self) -> WSGIApplication:
        """The WSGI application."""
        routes = {
            ("GET", "/"): self._landing,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/-/healthy"): self._healthy,
            ("GET", "/-/ready"): self._ready,
            ("POST", "/-/reload"): self._reload,
        }
        return guarded(application(routes), lambda: self.authorized)

    def _landing(self, _: Request) -> Reply:
        fleet = self.collecting.fleet
        refused = [host for name in fleet.clusters for host in fleet.topology(name).refused_hosts]
        body = landing.page(fleet.targets, refused, self._clock.wall())
        return Reply(body, content_type=HTML, headers=(("Content-Security-Policy", POLICY),))

    def _metrics(self, request: Request) -> Reply:
        if "cluster" in request.query or "panel" in request.query:
            return self._selection(request)
        page_format = format_of(request)
        built = self.page.latest(page_format)
        return metrics_reply(built.text, built.gzipped if request.accepts_gzip else None, page_format)

    def _selection(self, request: Request) -> Reply:
        cluster, panel = request.one("cluster"), request.one("panel")
        clusters = sorted(self.collecting.fleet.clusters)
        names = [p.name for p in self._chosen(self.configuration.settings)]
        if cluster is None:
            return text(
                "panel=NAME needs cluster=NAME too; there are: " + ", ".join(clusters), "404 Not Found"
            )
        if cluster not in clusters:
            return text(f"no cluster {cluster!r}; there are: {', '.join(clusters)}", "404 Not Found")
        if panel is not None and panel not in (*names, *self.collecting.rules(cluster)):
            return text(f"no panel {panel!r}; there are: {', '.join(names)}", "404 Not Found")
        return metrics_reply(self.page.select(cluster, panel))

    def _healthy(self, _: Request) -> Reply:
        silent = self._clock.monotonic() - self.ticker.last_tick
        if silent > STALLED_SECONDS:
            return text(f"the scheduler has not turned for {silent:.0f} s", "503 Service Unavailable")
        return text("ClusterSight exporter is healthy.")

    def _ready(self, _: Request) -> Reply:
        waiting_for = self.remembering.waiting_for if self.remembering else ""
        if waiting_for:
            return text(waiting_for, "503 Service Unavailable")
        pending = self.collecting.pending
        if pending:
            waiting = ", ".join(pending[:20])
            return text(f"waiting for the first visit of: {waiting}", "503 Service Unavailable")
        if not self._was_ready:
            # Whoever waits for this may scrape at once: the page must hold what the visits found.
            self.page.build()
            self._was_ready = True
        return text("ClusterSight exporter is ready.")

    def _reload(self, _: Request) -> Reply:
        problems = self.reload()
        if problems:
            return text(
                f"reload failed, the last good configuration stays:\n{problems}", "500 Internal Server Error"
            )
        return text("reloaded")


def run(load: Load, store: Store, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT. Raises SettingsError and OSError (the address is taken) at the start."""
    exporter = Exporter(load, system_clock(), store)
    handle_signals(exporter.ticker.stop, exporter.ask_for_reload)
    server, url = exporter.serve(exporter.app())
    _announce(exporter.configuration.settings, url, secured=exporter.authorized is not None)
    if on_ready is not None:
        on_ready(url)
    try:
        exporter.ticker.run()
    finally:
        event(log, logging.INFO, "stopping")
        server.shutdown()
        exporter.stop()
        event(log, logging.INFO, "stopped")


def _announce(settings: Settings, url: str, *, secured: bool) -> None:
    event(
        log,
        logging.INFO,
        "exporter started",
        version=__version__,
        url=url,
        auth_mode="basic" if secured else "none",
        clusters=len(settings.clusters),
        interval_sec=settings.collection.interval_sec,
    )
    if not settings.clusters:
        event(
            log,
            logging.WARNING,
            "no clusters are configured; give --config FILE, or add some under clusters: and reload",
        )
