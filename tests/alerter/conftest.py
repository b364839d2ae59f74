"""An alerter for each test, stopped at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clustersight.store.database import Database
from tests.alerter.harness import Make, harnesses
from tests.servers.slack import SlackStub


@pytest.fixture
def stub() -> Iterator[SlackStub]:
    with SlackStub() as running:
        yield running


@pytest.fixture
def make(tmp_path: Path, sqlite_database: Database) -> Iterator[Make]:
    """Harnesses on one SQLite store."""
    yield from harnesses(tmp_path, sqlite_database)
