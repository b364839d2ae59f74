"""The API over a real store on both kinds of database, and as a process."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from api import create_app
from api.resource import Resource
from api.resources import ALL
from clustersight import effective
from clustersight.collection import Clock
from clustersight.settings.model import Settings
from clustersight.store.opening import Store, open_store
from tests.conftest import factory
from tests.servers.api import BASE, ApiProcess
from tests.servers.postgresql import PostgreSQL

KEY = "0123456789abcdef0123456789abcdef"
TEMPLATE = "empty_api"
_numbers = itertools.count()


@dataclass
class Time:
    """A clock that a test moves."""

    now: float = 1_774_188_000.0  # 2026-03-22T14:00:00Z

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, lambda: self.now)


@dataclass
class Client:
    """An application without a server around it; paths are those below /api/v1."""

    settings: Settings
    store: Store
    time: Time = field(default_factory=Time)
    resources: tuple[Resource, ...] = ALL
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.app = create_app(
            self.settings, self.store, environ={}, clock=self.time.clock, resources=self.resources
        )
        self._client = self.app.test_client()

    def provision(self) -> None:
        """Make the configuration's clusters those of the store, as the exporter does."""
        effective.provision(self.settings, self.store, self.time.now, complete=True)

    def ask(self, method: str, path: str, **options: Any) -> TestResponse:
        """Any request; `json=` or `data=` is its body."""
        headers = self.headers | dict(options.pop("headers", {}))
        return self._client.open(path, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.ask("GET", BASE + path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        return self.ask("POST", BASE + path, **_body(json, options))

    def put(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        return self.ask("PUT", BASE + path, **_body(json, options))

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.ask("DELETE", BASE + path, **options)


def _body(json: Any, options: dict[str, Any]) -> dict[str, Any]:
    return options if json is None else {**options, "json": json}


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty SQLite store: tests take copies."""
    folder = tmp_path_factory.mktemp("migrated-api")
    open_store(Settings.model_validate({"data_dir": str(folder)}), {}).close()
    return folder


@pytest.fixture(scope="session")
def postgresql_template(postgresql: PostgreSQL) -> PostgreSQL:
    """The server, with a database named TEMPLATE that is an empty store."""
    store = {"url": postgresql.database(TEMPLATE), "secret_key": KEY}
    open_store(Settings.model_validate({"store": store}), {}).close()
    return postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def store_settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """`store` and `data_dir` of a configuration: an empty store of each kind in turn."""
    found: dict[str, Any] = {"data_dir": str(tmp_path / "state")}
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("migrated"), tmp_path / "state")
        return found
    server: PostgreSQL = request.getfixturevalue("postgresql_template")
    url = server.database(f"api{next(_numbers)}", template=TEMPLATE)
    return found | {"store": {"url": url, "secret_key": KEY}}


@pytest.fixture
def new_client(store_settings: dict[str, Any]) -> Iterator[Callable[..., Client]]:
    """A function that makes a client with these settings; `resources` replaces those of the API."""
    stores: list[Store] = []

    def make(resources: tuple[Resource, ...] = ALL, **sections: Any) -> Client:
        settings = Settings.model_validate(store_settings | sections)
        stores.append(open_store(settings, {}))
        return Client(settings, stores[-1], resources=resources)

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def client(new_client: Callable[..., Client]) -> Client:
    """A client of the whole API in dev mode, with no clusters."""
    return new_client()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Callable[..., ApiProcess]]:
    """A function that starts an API with a configuration."""
    yield from factory(ApiProcess, tmp_path)
