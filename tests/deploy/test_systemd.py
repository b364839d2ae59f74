"""The systemd units. systemd does not run here: their text is read, and verified where its tool is there."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from clustersight.cli import main
from tests.deploy.documents import DEPLOY, PROCESSES

FOLDER = DEPLOY / "systemd"
HARDENED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "CapabilityBoundingSet": "",
    "RestrictSUIDSGID": "yes",
    "UMask": "0077",
    "StateDirectory": "clustersight",
    "StateDirectoryMode": "0700",
}


def unit(name: str) -> configparser.RawConfigParser:
    """A unit as data; a key that stands twice in a section is an error."""
    parser = configparser.RawConfigParser(strict=True, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((FOLDER / f"clustersight-{name}.service").read_text())
    return parser


def test_there_is_one_for_each_process() -> None:
    assert {f.stem for f in FOLDER.glob("*.service")} == {f"clustersight-{name}" for name in PROCESSES}


@pytest.mark.parametrize("name", PROCESSES)
def test_it_runs_a_command_that_exists_and_can_be_reloaded(name: str) -> None:
    service = unit(name)["Service"]
    program, command, *options = service["ExecStart"].split()

    assert Path(program).name == "clustersight"
    assert command == name
    assert command in main.commands
    assert options == ["--config", "/etc/clustersight/clustersight.yaml"]
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["Restart"] == "on-failure"
    assert service["Environment"] == f"CLUSTERSIGHT_DATA_DIR=/var/lib/{service['StateDirectory']}"


@pytest.mark.parametrize("name", PROCESSES)
def test_it_is_hardened(name: str) -> None:
    assert {key: unit(name)["Service"].get(key) for key in HARDENED} == HARDENED


def test_they_differ_in_what_they_run_alone() -> None:
    def common(name: str) -> list[str]:
        text = (FOLDER / f"clustersight-{name}.service").read_text()
        return [line for line in text.splitlines() if not line.startswith(("Description=", "ExecStart="))]

    assert common("exporter") == common("alerter") == common("api")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="the text of the units is checked everywhere")
def test_systemd_understands_them(tmp_path: Path) -> None:
    for name in PROCESSES:
        lines = (FOLDER / f"clustersight-{name}.service").read_text().splitlines()
        # The program is not installed here.
        here = ["ExecStart=/bin/true" if line.startswith("ExecStart=") else line for line in lines]
        (tmp_path / f"clustersight-{name}.service").write_text("\n".join(here))
    command = ["systemd-analyze", "verify", *sorted(map(str, tmp_path.glob("*.service")))]
    found = subprocess.run(command, capture_output=True, text=True, check=False)

    assert found.returncode == 0
    assert "clustersight" not in found.stderr
