"""What a request may use: settings, store, clock, and what lives as long as the worker process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from flask import current_app

from clustersight.collection import Clock
from clustersight.effective import provision
from clustersight.settings.model import Settings
from clustersight.store.database import Database
from clustersight.store.errors import StoreError
from clustersight.store.opening import Store, open_store
from clustersight.store.secrets import SecretBox

_KEY = "clustersight"

T = TypeVar("T")


class Context:
    """One per application. Thread safe.

    The store is opened by the first request that needs it, after the fork, and again by the next one
    where that failed: a database that is down for a minute costs a minute of 503, not the process.
    """

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], clock: Clock, store: Store | None = None
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._environ = environ
        self._store = store
        self._lock = threading.RLock()
        self._shared: dict[Any, Any] = {}

    @property
    def store(self) -> Store:
        """The open store. Raises StoreError, which is answered with 503."""
        if self._store is None:
            with self._lock:
                if self._store is None:
                    self._store = self._opened()
        return self._store

    def _opened(self) -> Store:
        """Open it, with the file's clusters in it: the exporter, which also removes them, may come later."""
        store = open_store(self.settings, self._environ)
        try:
            provision(self.settings, store, self.clock.wall(), complete=False)
        except StoreError:
            store.close()
            raise
        return store

    @property
    def database(self) -> Database:
        """For `with current().database.begin() as db:` and `.read()`. Raises StoreError."""
        return self.store.database

    @property
    def secrets(self) -> SecretBox:
        """Encrypts and decrypts what is stored. Raises StoreError."""
        return self.store.secrets

    @property
    def now(self) -> float:
        """Wall time in epoch seconds."""
        return self.clock.wall()

    def of(self, kind: Callable[[Context], T]) -> T:
        """The one `kind(context)` of this application, made at the first call: caches, pools, locks."""
        if kind not in self._shared:
            with self._lock:
                if kind not in self._shared:
                    self._shared[kind] = kind(self)
        return cast("T", self._shared[kind])


def install(context: Context, extensions: dict[str, Any]) -> None:
    """Make it the context of an application."""
    extensions[_KEY] = context


def current() -> Context:
    """The context of the application that handles this request."""
    return cast("Context", current_app.extensions[_KEY])
