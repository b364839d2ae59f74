"""Every setting, its default and its bounds; the keys are those of the configuration file.

`clustersight.settings.file.load` makes a Settings from a file and the environment.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails

from clustersight.settings.cluster import ClusterSettings, PanelSettings, Protocol
from clustersight.settings.fields import (
    Duration,
    ExistingFile,
    OptionalPath,
    RelativePath,
    Secret,
    Section,
    Url,
    between,
    fault,
)
from clustersight.settings.health import HealthSettings, WeightSettings
from clustersight.settings.notify import ChannelKind, ChannelMatch, ChannelSettings, NotifySettings, Severity
from clustersight.settings.process import AlerterSettings, ApiSettings, ExporterSettings, ProcessSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "AlerterSettings",
    "ApiSettings",
    "BackupSettings",
    "ChannelKind",
    "ChannelMatch",
    "ChannelSettings",
    "ClusterSettings",
    "CollectionSettings",
    "ExporterSettings",
    "GrafanaSettings",
    "HealthSettings",
    "HistorySettings",
    "InspectorSettings",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "NotifySettings",
    "PanelSettings",
    "ProcessSettings",
    "Protocol",
    "RetentionSettings",
    "RulesSettings",
    "Settings",
    "Severity",
    "StoreSettings",
    "WeightSettings",
]

# Design, "Store": shorter ones can be guessed.
_MIN_SECRET_KEY = 32


class CollectionSettings(Section):
    """How often and how much is collected; seconds, rows and series."""

    interval_sec: Annotated[int, between(5, 3600)] = 30
    """Seconds between two visits to a node (tier 1); above 600 the history has gaps."""
    tier2_every: Annotated[int, between(1, 1000)] = 10
    """Tier 2, what is heavier or moves slowly, is collected every so many intervals."""
    tier1: bool = True
    """Whether tier 1, what can go wrong within seconds, is collected."""
    tier2: bool = True
    """Whether tier 2 is collected."""
    timeout_sec: Annotated[float, between(0.1, 600)] = 10.0
    """Seconds that one visit to one node may take."""
    workers: Annotated[int, between(1, 1000)] = 16
    """Nodes that are visited at the same time."""
    max_rows_per_panel: Annotated[int, between(1, 1_000_000)] = 500
    """Rows of one panel and node on the page; the worst stay."""
    max_series: Annotated[int, between(1, 100_000_000)] = 100_000
    """Series on the exporter's page, of all clusters together; the worst stay, and totals always."""


class RetentionSettings(Section):
    """Days that each tier of the history is kept; the bounds are those of the API."""

    raw_days: Annotated[int, between(1, 90)] = 7
    """Days that samples are kept as they were written."""
    hourly_days: Annotated[int, between(1, 400)] = 30
    """Days that minimum, maximum, sum, count and last of each hour are kept."""
    daily_days: Annotated[int, between(1, 3650)] = 365
    """Days that those of each day are kept; also ended alerts and messages."""


class StoreSettings(Section):
    """Where the state lives; without a URL in SQLite under `data_dir`."""

    secret_key_file: ExistingFile = None
    secret_key: Secret = None
    """What encrypts stored passwords: at least 32 characters; required with `url`. Else made in data_dir."""
    url_file: ExistingFile = None
    url: Secret = None
    """Where the state is, such as postgresql+psycopg://user@host/db; without it SQLite in data_dir."""

    @field_validator("secret_key")
    @classmethod
    def _long_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < _MIN_SECRET_KEY:
            raise fault(f"must have at least {_MIN_SECRET_KEY} characters; try `openssl rand -hex 32`")
        return key

    @field_validator("url")
    @classmethod
    def _supported(cls, url: SecretStr | None) -> SecretStr | None:
        # Plain postgresql:// would make SQLAlchemy ask for psycopg2.
        if url is not None and not url.get_secret_value().startswith(("postgresql+psycopg://", "sqlite:///")):
            raise fault("must start with postgresql+psycopg:// (or sqlite:///)")
        return url

    @model_validator(mode="after")
    def _key_for_shared_store(self) -> Self:
        if self.url is not None and self.secret_key is None:
            message = "needs a key that all hosts share; set CLUSTERSIGHT_SECRET_KEY or store.secret_key_file"
            raise fault(message, below="url" if self.url_file is None else "url_file")
        return self


class HistorySettings(Section):
    """Where range queries are answered; without a URL from the store."""

    prometheus_url: Url = None
    """A Prometheus (or Thanos, Mimir, VictoriaMetrics) that scrapes the exporter and answers ranges."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Headers of each request to it, such as {X-Scope-OrgID: team}; their values are secrets."""
    password_file: ExistingFile = None
    password: Secret = None
    """Its password, for the user in prometheus_url, or `clustersight` where that names none."""


class BackupSettings(Section):
    """What is expected of backups."""

    expected_every: Duration | None = None
    """How old the newest backup may be, such as 24h; null does not look."""


class InspectorSettings(Section):
    """Whether the query inspector shows literals, which may be personal data."""

    show_literals: bool = False
    """Whether texts of queries keep their literals, which may be personal data."""


class GrafanaSettings(Section):
    """Where the dashboards are, for links in messages."""

    url: Url = None
    """Where Grafana is, for links in messages."""


class RulesSettings(Section):
    """The built-in pack and folders of your own, whose content the rule loader checks."""

    builtin: bool = True
    """Whether the pack that ships with ClusterSight is evaluated."""
    paths: tuple[RelativePath, ...] = ()
    """Files and folders of your own rules; a missing or empty one is an error, and a rule with the name of
    a built-in one replaces it."""


class LogLevel(StrEnum):
    """The least level that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How an event is written."""

    TEXT = "text"
    JSON = "json"


class LogSettings(Section):
    """What is logged, and how."""

    level: LogLevel = LogLevel.INFO
    """The least level that is written."""
    format: LogFormat = LogFormat.TEXT
    """Lines for people, or one JSON object a line."""


class Settings(Section):
    """The whole configuration, parsed once and frozen. A secret is a SecretStr everywhere."""

    clusters: tuple[ClusterSettings, ...] = ()
    """The clusters to watch, beside those that the API brings."""
    collection: CollectionSettings = CollectionSettings()
    retention: RetentionSettings = RetentionSettings()
    exporter: ExporterSettings = ExporterSettings()
    alerter: AlerterSettings = AlerterSettings()
    api: ApiSettings = ApiSettings()
    store: StoreSettings = StoreSettings()
    data_dir: OptionalPath = None
    """Where SQLite and secret.key are; null: under $XDG_STATE_HOME, else ~/.local/state/clustersight."""
    history: HistorySettings = HistorySettings()
    backups: BackupSettings = BackupSettings()
    inspector: InspectorSettings = InspectorSettings()
    grafana: GrafanaSettings = GrafanaSettings()
    health: HealthSettings = HealthSettings()
    rules: RulesSettings = RulesSettings()
    notify: NotifySettings = NotifySettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="before")
    @classmethod
    def _empty_section_is_default(cls, data: Any) -> Any:
        """`exporter:` with all its keys commented out is null in YAML."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None}

    @field_validator("clusters", mode="wrap")
    @classmethod
    def _unique_clusters(
        cls, value: Any, handler: ValidatorFunctionWrapHandler
    ) -> tuple[ClusterSettings, ...]:
        """Look for repetitions in what was given, so that other errors do not hide them."""
        errors = list(_repetitions(value))
        clusters: tuple[ClusterSettings, ...]
        try:
            clusters = handler(value)
        except ValidationError as error:
            clusters = ()
            errors += map(_kept, error.errors(include_url=False, include_input=False))
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return clusters


def _kept(detail: ErrorDetails) -> InitErrorDetails:
    """Make an error's description into an error again; our own carry the arguments of fault()."""
    ctx = detail.get("ctx", {})
    kind = fault(**ctx) if detail["type"] == "setting" else detail["type"]
    return InitErrorDetails(type=kind, loc=detail["loc"], input=None, ctx=ctx)


def _repetitions(value: Any) -> Iterable[InitErrorDetails]:
    names: dict[object, int] = {}
    addresses: dict[object, int] = {}
    for index, item in enumerate(value if isinstance(value, list | tuple) else ()):
        data = item if isinstance(item, dict) else getattr(item, "__dict__", {})
        name, host, port = (data.get(key) for key in ("name", "host", "port"))
        if isinstance(name, str) and names.setdefault(name, index) != index:
            message = f"{name!r} is the name of clusters[{names[name]}] too; names are unique"
            yield InitErrorDetails(type=fault(message), loc=(index, "name"), input=None)
        address = (str(host).lower(), str(port))
        if host and port and addresses.setdefault(address, index) != index:
            message = f"is the address of clusters[{addresses[address]}] too; remove one of the two"
            yield InitErrorDetails(type=fault(message), loc=(index, "host"), input=None)
