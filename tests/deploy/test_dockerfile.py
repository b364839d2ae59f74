"""The Dockerfile: linted, and what a linter does not know. No image is built here."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from clustersight import __version__
from tests.deploy.documents import DEPLOY, PROCESSES, document, pinned

FILE = DEPLOY / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """(KEYWORD, the rest), continued lines joined."""
    lines = [line for line in FILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [
        (keyword.upper(), " ".join(rest.split()))
        for keyword, _, rest in (w.partition(" ") for w in whole if w)
    ]


def last(keyword: str) -> str:
    return [rest for found, rest in instructions() if found == keyword][-1]


def test_hadolint_has_nothing_to_say() -> None:
    command = [str(Path(sys.executable).parent / "hadolint"), "--failure-threshold", "style", str(FILE)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout + found.stderr


def test_it_runs_as_a_number_that_is_not_root() -> None:
    user, group = last("USER").split(":")

    assert int(user) >= 10_000
    assert int(group) >= 10_000


def test_what_it_comes_from_stays_what_it_is() -> None:
    assert all(pinned(rest.split()[0]) for keyword, rest in instructions() if keyword == "FROM")
    assert "ADD" not in {keyword for keyword, _ in instructions()}


def test_it_holds_no_secret() -> None:
    assert not re.search("password|secret|token", FILE.read_text(), re.IGNORECASE)


def test_its_ports_and_its_version_are_ours() -> None:
    assert last("EXPOSE").split() == [str(port) for port in PROCESSES.values()]
    assert f'org.opencontainers.image.version="{__version__}"' in last("LABEL")


@pytest.mark.parametrize("service", ["exporter", "alerter", "api"])
def test_compose_runs_the_image_of_this_version(service: str) -> None:
    assert (
        document(DEPLOY / "docker-compose.yml")["services"][service]["image"] == f"clustersight:{__version__}"
    )


def test_its_healthcheck_is_there() -> None:
    found = re.search(r'"-m", "([\w.]+)"', last("HEALTHCHECK"))

    assert found is not None
    assert callable(importlib.import_module(found[1]).healthy)
