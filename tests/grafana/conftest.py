"""The stand-in for Slack, to which the alerter of these tests delivers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.slack import SlackStub


@pytest.fixture
def stub() -> Iterator[SlackStub]:
    with SlackStub() as running:
        yield running
