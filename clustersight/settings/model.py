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
    tier2_every: Annotated[int, between(1, 1000)] = 10
    tier1: bool = True
    tier2: bool = True
    timeout_sec: Annotated[float, between(0.1, 600)] = 10.0
    workers: Annotated[int, between(1, 1000)] = 16
    max_rows_per_panel: Annotated[int, between(1, 1_000_000)] = 500
    max_series: Annotated[int, between(1, 100_000_000)] = 100_000


class RetentionSettings(Section):
    """Days that each tier of the history is kept; the bounds are those of the API."""

    raw_days: Annotated[int, between(1, 90)] = 7
    hourly_days: Annotated[int, between(1, 400)] = 30
    daily_days: Annotated[int, between(1, 3650)] = 365


class StoreSettings(Section):
    """Where the state lives; without a URL in SQLite under `data_dir`."""

    secret_key_file: ExistingFile = None
    secret_key: Secret = None
    url_file: ExistingFile = None
    url: Secret = None

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
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    password_file: ExistingFile = None
    password: Secret = None


class BackupSettings(Section):
    """How old the newest backup may be; None does not look."""

    expected_every: Duration | None = None


class InspectorSettings(Section):
    """Whether the query inspector shows literals, which may be personal data."""

    show_literals: bool = False


class GrafanaSettings(Section):
    """Where the dashboards are, for links in messages."""

    url: Url = None


class RulesSettings(Section):
    """The built-in pack and folders of your own, whose content the rule loader checks."""

    builtin: bool = True
    paths: tuple[RelativePath, ...] = ()


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
    format: LogFormat = LogFormat.TEXT


class Settings(Section):
    """The whole configuration, parsed once and frozen. A secret is a SecretStr everywhere."""

    clusters: tuple[ClusterSettings, ...] = ()
    collection: CollectionSettings = CollectionSettings()
    retention: RetentionSettings = RetentionSettings()
    exporter: ExporterSettings = ExporterSettings()
    alerter: AlerterSettings = AlerterSettings()
    api: ApiSettings = ApiSettings()
    store: StoreSettings = StoreSettings()
    data_dir: OptionalPath = None
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
