"""What a process is started with: the configuration file, the environment, and --listen over both."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clustersight.settings import web_config
from clustersight.settings.fields import Known
from clustersight.settings.file import Loaded, load
from clustersight.settings.model import Settings
from clustersight.settings.web_config import WebConfig


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that comes from files: taken over as a whole, or not at all.

    `has_file`: a file names the clusters, so that others which came from one are gone from it.
    """

    settings: Settings
    web: WebConfig | None = None
    has_file: bool = False


Load = Callable[[], Configuration]


@dataclass(frozen=True, slots=True)
class Start:
    """How a process was started. `section` is its own in the configuration, such as `exporter`."""

    section: str
    known: Known
    file: Path | None = None
    listen: str | None = None

    @property
    def environ(self) -> dict[str, str]:
        """The environment, in which --listen stands like any other setting."""
        found = dict(os.environ)
        if self.listen is not None:
            # A quoted YAML string: [::1]:9116 would be a list.
            found[f"CLUSTERSIGHT__{self.section.upper()}__LISTEN"] = f'"{self.listen}"'
        return found

    def read(self) -> Loaded:
        """The settings with their warnings. Raises SettingsError."""
        return load(self.file, self.environ, self.known)

    def configuration(self) -> Configuration:
        """Everything read anew. Raises SettingsError."""
        loaded = self.read()
        web_file = getattr(loaded.settings, self.section).web_config_file
        web = web_config.load(web_file) if web_file else None
        return Configuration(loaded.settings, web, has_file=loaded.source is not None)


def tell_url(file: Path | None, url: str) -> None:
    """Write where a process serves, whole or not at all, for whoever waits for it."""
    if file is not None:
        unfinished = file.with_suffix(".part")
        unfinished.write_text(url + "\n")
        unfinished.replace(file)
