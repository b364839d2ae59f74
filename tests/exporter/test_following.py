"""What the exporter says when it takes settings over."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from clustersight.configuration import Configuration
from clustersight.settings.model import Settings
from clustersight.store import revisions
from clustersight.store import settings as stored_settings
from clustersight.store.opening import Store, open_store
from exporter.following import MOST_INTERVAL_SECONDS, Following
from tests.servers.postgresql import PostgreSQL


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Without an interval: it may be set over the API."""
    found: dict[str, object] = {"data_dir": str(tmp_path)}
    if request.param == "postgresql":
        postgresql: PostgreSQL = request.getfixturevalue("postgresql")
        key = Fernet.generate_key().decode()
        found["store"] = {"url": postgresql.database("following"), "secret_key": key}
    return Settings.model_validate(found)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings, {})
    yield opened
    opened.close()


def set_interval(store: Store, seconds: int) -> None:
    """As the API does."""
    with store.database.begin() as db:
        stored_settings.write(db, {"collection_interval_sec": seconds}, {}, time.time())
        revisions.bump(db)


def test_an_interval_beyond_what_history_holds_is_told_once(
    store: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    following = Following(store, Configuration(settings), time.time, lambda _: None)

    def told(seconds: int) -> list[str]:
        caplog.clear()
        set_interval(store, seconds)
        following.look()
        following.look()
        return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]

    assert told(MOST_INTERVAL_SECONDS) == []
    [line] = told(MOST_INTERVAL_SECONDS + 1)
    assert "collection.interval_sec" in line
    assert "15 minutes" in line
    assert "600" in line
    set_interval(store, MOST_INTERVAL_SECONDS + 1)  # something else was changed, too
    assert told(MOST_INTERVAL_SECONDS + 1) == []
    assert len(told(3600)) == 1
