"""What the Dockerfile lets in and installs: a wheel that holds all that the packages need."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.deploy.documents import DEPLOY, ROOT
from tests.test_repository import tracked

# The tests of the built-in rules are for whoever changes these.
NOT_SHIPPED = ("config/rules/tests/",)


def let_in() -> list[str]:
    """The top-level names that Dockerfile.dockerignore lets into the build."""
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in lines
    return [line[1:] for line in lines if line.startswith("!")]


def packages() -> list[str]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return [name.rstrip("*") for name in config["options.packages.find"]["include"].split()]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the files that the build gets, unpacked."""
    source = tmp_path_factory.mktemp("wheel") / "source"
    for name in let_in():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            source.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    out = source.parent / "out"
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    built = subprocess.run(
        [*command, "--no-index", "--wheel-dir", str(out), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = out.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(source.parent / "unpacked")
    return source.parent / "unpacked"


def test_the_build_gets_every_package() -> None:
    assert set(packages()) <= set(let_in())
    assert {"setup.cfg", "pyproject.toml", "README.md", "LICENSE"} <= set(let_in())


def test_it_holds_every_file_of_the_packages(unpacked: Path) -> None:
    """Dashboards, rules, provisioning, templates: nothing else would say that setup.cfg forgets some."""
    ours = [str(f.relative_to(ROOT)) for f in tracked()]
    wanted = [f for f in ours if f.split("/")[0] in packages() and "/" in f and not f.startswith(NOT_SHIPPED)]

    assert [f for f in wanted if not (unpacked / f).exists()] == []


def test_what_is_unpacked_runs(unpacked: Path) -> None:
    """With the data of the wheel, not of the repository beside it."""
    code = "import config, sys; from clustersight.cli import main; print(config.__file__); main(sys.argv[1:])"
    environ = os.environ | {"PYTHONPATH": str(unpacked), "PYTHONDONTWRITEBYTECODE": "1"}
    found = subprocess.run(
        [sys.executable, "-P", "-c", code, "rules", "check", "--config", "unpacked/config/clustersight.yaml"],
        env=environ | {"CLICKHOUSE_PASSWORD": "x"},
        cwd=unpacked.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(str(unpacked))
