"""An alerter for each test, stopped at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clustersight.store.database import Database
from tests.alerter.harness import Harness, Make
from tests.servers.slack import SlackStub


@pytest.fixture
def stub() -> Iterator[SlackStub]:
    with SlackStub() as running:
        yield running


@pytest.fixture
def make(tmp_path: Path, sqlite_database: Database) -> Iterator[Make]:
    """Harnesses on one SQLite store."""
    made: list[Harness] = []

    def harness(**fields: Any) -> Harness:
        fields.setdefault("database", sqlite_database)
        made.append(Harness(tmp_path, **fields))
        return made[-1]

    yield harness
    for one in made:
        one.stop()
