"""The store that the settings name, opened: which database, which key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clustersight.settings.file import state_folder
from clustersight.settings.model import Settings
from clustersight.store import migrations
from clustersight.store.database import Database, sqlite_url
from clustersight.store.secrets import SecretBox, key_from_file


@dataclass(frozen=True, slots=True)
class Store:
    """A database and the key to its secrets. `folder` is `data_dir`, where files of ours may lie."""

    database: Database
    secrets: SecretBox
    folder: Path

    def close(self) -> None:
        self.database.close()


def open_store(settings: Settings, environ: Mapping[str, str], *, migrate: bool = True) -> Store:
    """Open the store, make it if it was never there, and bring it to this release's schema.

    Raises StoreError: it cannot be opened, is damaged, or is a newer release's.
    """
    folder = state_folder(settings, environ)
    store = Store(database_of(settings, folder), secret_box(settings, folder), folder)
    try:
        if migrate:
            migrations.migrate(store.database)
        else:
            migrations.require_current(store.database)
    except BaseException:
        store.close()
        raise
    return store


def database_of(settings: Settings, folder: Path) -> Database:
    """The database that the settings name; nothing is opened or made yet. Raises Unavailable."""
    return Database(settings.store.url.get_secret_value() if settings.store.url else sqlite_url(folder))


def secret_box(settings: Settings, folder: Path, *, make: bool = True) -> SecretBox:
    """The configured key's, else that of the key file in `folder`, which is made. Raises Unavailable."""
    key = settings.store.secret_key
    return SecretBox(key.get_secret_value() if key else key_from_file(folder, make=make))
