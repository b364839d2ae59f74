"""Where the links of the landing page lead: the API and its documentation, Grafana, the exporter (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from api.landing.views import Link
from api.resource import BASE
from clustersight.settings.listen import Listen
from clustersight.settings.model import Settings

# Relative: a proxy may have put the page below a path of its own.
_API = BASE.removeprefix("/")
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared, not listened on


@dataclass(frozen=True, slots=True)
class Places:
    """`host` is the name by which the browser reached us, without a port.

    With a password a browser may not read the API itself, but its documentation, where it can be asked.
    """

    settings: Settings
    is_open: bool
    host: str

    def of_api(self, text: str, path: str, operation: str) -> Link:
        """A route of the API; `operation` is `tag/name` in its documentation."""
        return Link(text, _API + path if self.is_open else f"{_API}/docs#/{operation}")

    def of_cluster(self, cluster_id: str, name: str) -> Iterator[Link]:
        """Where to go on with a cluster."""
        if self._grafana:
            chosen = quote(name, safe="", errors="replace")
            yield Link("Grafana", f"{self._grafana}/d/clustersight-cluster?var-cluster={chosen}")
        query = f"?cluster_id={cluster_id}"
        yield self.of_api("Why this score", f"/panels/health-score{query}", "panels/get_health_score")
        yield self.of_api("Panels", f"/panels{query}", "panels/get_panels")

    def of_page(self) -> Iterator[Link]:
        """Where else there is something to see."""
        yield Link("API docs", f"{_API}/docs")
        if self._grafana:
            yield Link("Grafana", f"{self._grafana}/d/clustersight-fleet")
        if self.settings.exporter.listen.port:  # else nobody knows it here
            yield self._exporter()

    @property
    def _grafana(self) -> str:
        return (self.settings.grafana.url or "").rstrip("/")

    def _exporter(self) -> Link:
        """Its metrics; no link where this browser could not follow it, or with TLS it may need."""
        exporter = self.settings.exporter
        listen = exporter.listen
        host = self.host if listen.host in _EVERYWHERE else listen.host
        place = Listen(host, listen.port)
        if listen.is_loopback and not Listen(self.host, 0).is_loopback:
            return Link(f"Metrics: {place}, on the exporter's machine", "")
        if exporter.web_config_file is not None:
            return Link(f"Metrics: {place}", "")
        return Link("Metrics", f"http://{place}/metrics")
