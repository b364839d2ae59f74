"""What every process that serves from its own thread is: a configuration, a door, and signals."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Callable
from types import FrameType
from wsgiref.types import WSGIApplication

from clustersight.configuration import Configuration, Load
from clustersight.process.serving import Authorized, Server
from clustersight.settings.listen import open_listener
from clustersight.settings.process import ProcessSettings


class Service:
    """`section` is its own in the configuration; `load` reads that anew and raises SettingsError."""

    def __init__(self, section: str, load: Load) -> None:
        self._section = section
        self._load = load
        self.configuration = load()
        self._listen = self._settings(self.configuration).listen  # it stays that of the start

    def _settings(self, configuration: Configuration) -> ProcessSettings:
        found: ProcessSettings = getattr(configuration.settings, self._section)
        return found

    @property
    def authorized(self) -> Authorized | None:
        """The check of HTTP basic auth of today's configuration; None without users."""
        web = self.configuration.web
        return web.authorized if web is not None and web.authenticates else None

    @property
    def tls(self) -> ssl.SSLContext | None:
        """The TLS of today's configuration."""
        return _tls(self.configuration)

    def would_open(self, new: Configuration) -> str | None:
        """Why the address that is served now must not go without authentication or TLS; None if it may."""
        if (self.tls is not None) != (_tls(new) is not None):
            return f"{self._section}.web_config_file: switching TLS on or off needs a restart"
        authenticated = new.web is not None and new.web.authenticates
        allow_open = self._settings(new).allow_open
        return open_listener(self._section, self._listen, authenticated=authenticated, allow_open=allow_open)

    def serve(self, app: WSGIApplication) -> tuple[Server, str]:
        """Serve `app` from now on; with the URL. Raises OSError: the address is taken."""
        server = Server(self._listen.host, self._listen.port, app, lambda: self.tls)
        server.start()
        host = f"[{self._listen.host}]" if ":" in self._listen.host else self._listen.host
        return server, f"{'https' if self.tls else 'http'}://{host}:{server.server_port}"


def _tls(configuration: Configuration) -> ssl.SSLContext | None:
    return configuration.web.ssl_context() if configuration.web is not None else None


def handle_signals(stop: Callable[[], None], reload: Callable[[], None]) -> None:
    """SIGTERM and SIGINT stop, SIGHUP reloads.

    A handler runs between two instructions of the ticking thread: neither may take a lock.
    """

    def stopping(_number: int, _frame: FrameType | None) -> None:
        stop()

    def reloading(_number: int, _frame: FrameType | None) -> None:
        reload()

    signal.signal(signal.SIGTERM, stopping)
    signal.signal(signal.SIGINT, stopping)
    signal.signal(signal.SIGHUP, reloading)
