"""What the three processes are told: where they listen and who may come in."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from clustersight.settings.fields import (
    ExistingFile,
    ListenAddress,
    Secret,
    Section,
    Url,
    WebSecret,
    between,
    fault,
)
from clustersight.settings.listen import Listen, open_listener


class ProcessSettings(Section):
    """What every process that serves HTTP has."""

    listen: ListenAddress
    """Where it listens; ":9116" is every interface, port 0 any free one."""
    web_config_file: ExistingFile = None
    """TLS and basic auth of the listener, in Prometheus' format."""
    allow_open: bool = False
    """Whether it may listen beyond this machine without authentication."""

    def _has_password(self) -> bool:
        """Whether the process authenticates by itself, without a web configuration."""
        return False

    def refusal(self, section: str, *, web_authenticates: bool) -> str | None:
        """Return why this process must not listen where it should; None where it may."""
        authenticated = web_authenticates or self._has_password()
        return open_listener(section, self.listen, authenticated=authenticated, allow_open=self.allow_open)

    @model_validator(mode="after")
    def _not_open(self) -> Self:
        # With a web configuration its users decide: whoever loads it calls refusal() again.
        section = type(self).__name__.removesuffix("Settings").lower()
        message = self.refusal(section, web_authenticates=self.web_config_file is not None)
        if message:
            raise fault(message, below="listen")
        return self


class ExporterSettings(ProcessSettings):
    """Process 1. `builtin_names` adds ClickHouse's own metric names."""

    listen: ListenAddress = Listen("127.0.0.1", 9116)
    builtin_names: bool = False
    """Whether the page also has the names of ClickHouse's own endpoint (ClickHouseMetrics_…)."""


class AlerterSettings(ProcessSettings):
    """Process 2. The heartbeat URL is called while the alerter lives; it usually holds a token."""

    listen: ListenAddress = Listen("127.0.0.1", 9126)
    heartbeat_url_file: ExistingFile = None
    heartbeat_url: WebSecret = None
    """Called after each evaluation, so that something else notices when the alerter is dead."""


class ApiSettings(ProcessSettings):
    """Process 3. The password is CLUSTERSIGHT_PASSWORD; a cache of 0 s is none, 0 failures no limit."""

    listen: ListenAddress = Listen("127.0.0.1", 3001)
    cache_ttl_sec: Annotated[float, between(0, 3600)] = 30.0
    """Seconds that a snapshot is served beyond its panel's interval, and a live answer is kept; 0 is none."""
    public_url: Url = None
    """How people reach the API: for links in messages, and accepted as the name of this machine."""
    auth_failures_per_minute: Annotated[int, between(0, 10_000)] = 10
    """Wrong tokens from one address before it is refused with 429; 0 is no limit."""
    password_file: ExistingFile = None
    password: Secret = None
    """What people and scripts authenticate with; without it the API is open to this machine alone."""

    def _has_password(self) -> bool:
        return self.password is not None
