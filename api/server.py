"""gunicorn as the server of this process: a parent that keeps the configuration, and its workers.

The ignored types are gunicorn's, which ships none.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from api import create_app, warn_if_open
from api.attempts import Attempts
from api.auth import Gate
from api.shared import Shared, shared
from api.traffic import ROWS
from api.worker import Worker
from clustersight import __version__, logs
from clustersight.collection import Clock
from clustersight.configuration import Configuration, Load
from clustersight.logs import event
from clustersight.problem import Problem, SettingsError
from clustersight.settings.listen import Listen, open_listener
from clustersight.store.errors import StoreError
from clustersight.store.opening import open_store

log = logging.getLogger("api")

# One process of Python answers 1500 trivial requests a second, two 3400 (measured on two cores).
WORKERS = min(2, os.cpu_count() or 1)
THREADS = 32
# An answer may wait 10 s for a server or a delivery.
GRACE_SECONDS = 15
KEEPALIVE_SECONDS = 15
RELOAD_SECONDS = 10.0


class Server(BaseApplication):  # type: ignore[misc]
    """What gunicorn runs. `load_configuration` reads everything anew and raises SettingsError."""

    def __init__(
        self, load_configuration: Load, environ: Mapping[str, str], on_ready: Callable[[str], None]
    ) -> None:
        """Read the configuration, open the store, take the address.

        Raises SettingsError, StoreError and OSError.
        """
        self._load_configuration = load_configuration
        self._environ = environ
        self._on_ready = on_ready
        self._clock = Clock(time.time, time.monotonic)
        self.configuration = load_configuration()
        open_store(self.configuration.settings, environ).close()
        self._listen = self.configuration.settings.api.listen  # it stays that of the start
        self._bind = f"fd://{_listener(self._listen).detach()}"
        self.memory = shared(self._attempts_per_minute, self._clock.wall())
        super().__init__()

    @property
    def _attempts_per_minute(self) -> int:
        return self.configuration.settings.api.auth_failures_per_minute

    def load_config(self) -> None:
        """gunicorn's own settings, at the start and at a reload."""
        web = self.configuration.web
        tls = web.file.tls_server_config if web is not None else None
        values: dict[str, Any] = {
            "bind": self._bind,
            "workers": WORKERS,
            "threads": THREADS,
            "worker_class": Worker,
            "keepalive": KEEPALIVE_SECONDS,
            "graceful_timeout": GRACE_SECONDS,
            "control_socket_disable": True,
            "logger_class": _Logger,
            # A proxy is no part of us: nobody may say who the client is, or which path was meant.
            "forwarded_allow_ips": "",
            "when_ready": self._ready,
            "pre_fork": self._prepare,
            "post_fork": self._forked,
            "child_exit": self._left,
        }
        if tls is not None:
            values |= {
                "certfile": str(tls.cert_file),
                "keyfile": str(tls.key_file),
                "ssl_context": self._ssl_context,
            }
        for name, value in values.items():
            self.cfg.set(name, value)

    def _ssl_context(self, _config: Any, _default: Any) -> ssl.SSLContext | None:
        return self.configuration.web.ssl_context() if self.configuration.web is not None else None

    def load(self) -> Any:
        """The application, in a worker after the fork."""
        return create_app(
            self.configuration.settings,
            environ=self._environ,
            clock=self._clock,
            web=self.configuration.web,
            memory=self.memory,
            reload=self._ask_for_reload,
        )

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        _Arbiter(self).run()

    def take_over(self) -> bool:
        """In the parent: read everything again, all or nothing; False where the old one stays."""
        try:
            self.configuration = self._validated()
        except SettingsError as error:
            event(log, logging.ERROR, "reload refused; the last good configuration stays", problems=error)
            self.memory.reloads.record(ok=False, now=self._clock.wall())
            return False
        settings = self.configuration.settings
        logs.configure(settings.log.level, settings.log.format)
        attempts = Attempts(self._attempts_per_minute)  # its table is as wide as the limit
        self.memory = Shared(attempts, self.memory.traffic, self.memory.reloads)
        return True

    def _validated(self) -> Configuration:
        new, old = self._load_configuration(), self.configuration
        refusal = self._would_open(new)
        if refusal:
            raise SettingsError([Problem("api", refusal)])
        if new.settings.store != old.settings.store or new.settings.data_dir != old.settings.data_dir:
            try:
                open_store(new.settings, self._environ).close()
            except StoreError as error:
                raise SettingsError([Problem("store", str(error))]) from None
        if new.settings.api.listen != old.settings.api.listen:
            event(log, logging.WARNING, "api.listen needs a restart")
        return new

    def _would_open(self, new: Configuration) -> str | None:
        """Why the address that is served must not go without authentication or TLS; None if it may."""
        if _has_tls(new) != _has_tls(self.configuration):
            return "api.web_config_file: switching TLS on or off needs a restart"
        api = new.settings.api
        authenticated = api.password is not None or (new.web is not None and new.web.authenticates)
        return open_listener("api", self._listen, authenticated=authenticated, allow_open=api.allow_open)

    def _ask_for_reload(self) -> None:
        """In a worker: check, let the parent do it, and wait until it did. Raises SettingsError."""
        self._validated()
        before = self.memory.reloads.count
        os.kill(os.getppid(), signal.SIGHUP)
        ends = self._clock.monotonic() + RELOAD_SECONDS
        while self.memory.reloads.count == before and self._clock.monotonic() < ends:
            threading.Event().wait(0.02)
        if self.memory.reloads.count == before or not self.memory.reloads.ok:
            raise SettingsError([Problem("api", "the parent process did not take it over; see its log")])

    def _prepare(self, arbiter: Arbiter, worker: Any) -> None:
        taken = {other.row for other in arbiter.WORKERS.values()}
        worker.row = min(set(range(ROWS)) - taken, default=ROWS - 1)

    def _forked(self, _arbiter: Arbiter, worker: Any) -> None:
        os.umask(0o077)  # what a worker writes is nobody else's
        self.memory.traffic.occupy(worker.row, os.getpid())

    def _left(self, _arbiter: Arbiter, worker: Any) -> None:
        self.memory.traffic.leave(worker.row)

    def _ready(self, arbiter: Arbiter) -> None:
        host, port = arbiter.LISTENERS[0].getsockname()[:2]
        shown = self._listen.host or host
        scheme = "https" if _has_tls(self.configuration) else "http"
        url = f"{scheme}://{Listen(shown, port)}"
        self._announce(url)
        self._on_ready(url)

    def _announce(self, url: str) -> None:
        settings, web = self.configuration.settings, self.configuration.web
        mode = Gate(settings.api, web, Attempts(0), self._clock).mode
        event(
            log, logging.INFO, "api started",
            version=__version__, url=url, auth_mode=mode, workers=WORKERS, clusters=len(settings.clusters),
        )  # fmt: skip
        warn_if_open(settings, web)


class _Arbiter(Arbiter):  # type: ignore[misc]
    """The parent: replaces workers only for a configuration that is good."""

    _reloading = False

    def wait_for_signals(self, timeout: float | None = 1.0) -> list[int]:
        """Those that came. An end is not kept waiting by a hundred reloads, which are one."""
        came = dict.fromkeys(super().wait_for_signals(timeout))
        return sorted(came, key=lambda number: number not in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT))

    def reload(self) -> None:
        if not self.app.take_over():
            return
        self._reloading = True
        try:
            super().reload()
        finally:
            self._reloading = False

    def manage_workers(self) -> None:
        super().manage_workers()
        if self._reloading:  # the new workers are there, the old ones take no more connections
            self._reloading = False
            self.app.memory.reloads.record(ok=True, now=time.time())
            event(log, logging.INFO, "configuration reloaded")


class _Logger(Logger):  # type: ignore[misc]
    """gunicorn's events through our own log; requests are counted, not logged."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        # Its lines about the comings and goings of workers are for whoever looks for a fault.
        verbose = logging.getLogger().isEnabledFor(logging.DEBUG)
        self.error_log.setLevel(logging.DEBUG if verbose else logging.WARNING)
        self.error_log.propagate = True

    def access(self, *_: Any) -> None:
        """Nothing: /metrics counts requests."""


def _has_tls(configuration: Configuration) -> bool:
    return configuration.web is not None and configuration.web.ssl_context() is not None


def _listener(listen: Listen) -> socket.socket:
    """The address, taken. Raises OSError."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Else a restart within a minute finds the address in use.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((listen.host, listen.port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener
