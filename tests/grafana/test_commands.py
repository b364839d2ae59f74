"""`dashboards build` and `check`, the handing over from `clustersight`, and life without Grafana's SDK."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clustersight.cli import main as clustersight
from grafana import checks, files
from grafana.__main__ import main
from grafana.boards import ALL
from grafana.frame import API_URL, UID_START
from tests.grafana.commanding import dashboards
from tests.servers.grafana import TOKEN, GrafanaStub

FLEET = "clustersight-fleet.json"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "new"
    assert dashboards("build", "--output", folder).exit_code == 0
    return folder


@pytest.fixture
def own(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's folder, for a test to break."""
    for file in built.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(files, "FOLDER", tmp_path)
    return tmp_path


def test_build_writes_what_lacks_and_names_what_is_stale(own: Path) -> None:
    (own / FLEET).write_text("{}")
    (own / "clustersight-parts.json").unlink()
    (own / "clustersight-gone.json").write_text("{}")
    (own / "theirs.json").write_text("{}")
    dry = dashboards("build", "--output", own, "--dry-run")
    assert f"to write   {own / FLEET}\n" in dry.stdout
    assert (own / FLEET).read_text() == "{}"
    done = dashboards("build", "--output", own)
    assert done.exit_code == 0
    assert sorted(line for line in done.stdout.splitlines() if line.startswith("written")) == [
        f"written    {own / FLEET}",
        f"written    {own / 'clustersight-parts.json'}",
    ]
    assert done.stderr.splitlines() == [
        f"{own / 'clustersight-gone.json'}: {checks.STALE}",
        f"{len(ALL)} dashboards, 2 written",
    ]
    assert {file.name for file in own.iterdir()} == {
        *(board.file_name for board in ALL),
        "clustersight-gone.json",
        "theirs.json",
    }
    assert f"{len(ALL)} dashboards, 0 written" in dashboards("build", "--output", own).stderr


def test_build_says_why_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    below = dashboards("build", "--output", tmp_path / "file" / "below")
    assert below.exit_code == 1
    assert "cannot be written: Not a directory" in below.stderr
    assert dashboards("build", "--output", tmp_path / "file").exit_code == 64


def test_what_is_built_passes_and_what_ships_is_what_is_built(built: Path) -> None:
    result = dashboards("check", built)
    assert (result.exit_code, result.stdout) == (0, "")
    shipped = dashboards("check")
    assert (shipped.exit_code, shipped.stdout) == (0, "")
    assert shipped.stderr == f"{len(ALL)} dashboards, 0 findings\n"


def test_check_finds_what_was_edited_lost_and_left_behind(own: Path) -> None:
    file = own / FLEET
    found = json.loads(file.read_text())
    found["panels"][1]["description"] = "Edited."
    file.write_text(json.dumps(found))
    (own / "clustersight-parts.json").unlink()
    (own / "clustersight-gone.json").write_text("{}")
    result = dashboards("check")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f'{file}: is not what the code builds (panel "Clusters": description): {checks.REBUILD} [built]',
        f"{own / 'clustersight-parts.json'}: cannot be read: No such file or directory [file]",
        f"{own / 'clustersight-gone.json'}: {checks.STALE} [built]",
    ]


def test_a_file_of_ones_own_need_not_be_built_but_good(own: Path) -> None:
    file = own / FLEET
    found = json.loads(file.read_text())
    found["description"] = "Edited."
    file.write_text(json.dumps(found))
    assert dashboards("check", file).exit_code == 0
    found["panels"][1]["targets"][0]["expr"] = "sum(clickhouse_upp)"
    found["panels"][1]["fieldConfig"]["colour"] = "mauve"
    file.write_text(json.dumps(found))
    result = dashboards("check", file, "--format", "json")
    assert result.exit_code == 1
    findings = json.loads(result.stdout)
    assert {one["file"] for one in findings} == {str(file)}
    assert [(one["place"], one["rule"]) for one in findings] == [
        ('panel "Clusters": fieldConfig.colour', "sdk"),
        ("Clusters (A)", "target-catalogue"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n "panels": [,]}', "2:13: is no JSON: Expecting value [json]"),
        ("", "1:1: is no JSON: Expecting value [json]"),
        ('{"panels": [NaN]}', "is no JSON: NaN is a number of JavaScript only [json]"),
        ("[" * 100_000, "is no JSON: "),
        ("[]", "is JSON, but no dashboard: it has no list `panels` [dashboard]"),
        ('{"title": "x"}', "is JSON, but no dashboard: it has no list `panels` [dashboard]"),
        ('{"dashboard": {"panels": []}, "meta": {}}', "keep what is under `dashboard` [dashboard]"),
        ('{"panels": [3]}', "Grafana's SDK cannot read it: "),
        ('{"panels": [{"type": "text"}]}', "[sdk]"),
        (b"\xff\xfe", "is no text in UTF-8 [file]"),
    ],
)
def test_bad_input_has_a_message(tmp_path: Path, text: str | bytes, said: str) -> None:
    file = tmp_path / "bad.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = dashboards("check", file)
    assert result.exit_code == 1
    assert all(line.startswith(f"{file}: ") for line in result.stdout.splitlines())
    assert said in result.stdout


def test_a_dashboard_of_another_shape_is_a_finding(built: Path, tmp_path: Path) -> None:
    found = json.loads((built / FLEET).read_text())
    del found["panels"][1]["title"]
    file = tmp_path / "untitled.json"
    file.write_text(json.dumps(found))
    result = dashboards("check", file)
    assert (result.exit_code, result.stdout) == (
        1,
        f"{file}: is not made as ours are: there is no 'title' [dashboard]\n",
    )


def test_a_wrong_check_is_64(tmp_path: Path) -> None:
    empty = dashboards("check", tmp_path)
    assert (empty.exit_code, empty.stderr) == (64, f"{tmp_path}: there is no *.json in this folder\n")
    assert dashboards("check", "--format", "xml").exit_code == 64
    assert dashboards("check", tmp_path / "nowhere.json").exit_code == 1


def test_an_installation_without_dashboards_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(files.resources, "files", lambda _: tmp_path)
    result = dashboards("push", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "write them with clustersight dashboards build" in result.stderr


def test_the_variable_of_the_api_has_the_default_that_the_help_names() -> None:
    for one in files.shipped():
        assert one["uid"].startswith(UID_START)
        assert files.with_api(one, API_URL) == one
        assert files.with_api(one, "https://x.example") != one
    assert API_URL in dashboards("push", "--help").stdout


def test_the_help_teaches_all_four() -> None:
    told = dashboards("--help").stdout
    for name in ("build", "check", "diff", "push"):
        assert f"clustersight dashboards {name}" in told
        assert "Example: " in dashboards(name, "--help").stdout
    assert set(main.commands) == {"build", "check", "diff", "push"}
    assert "dashboards" in clustersight.commands


def test_clustersight_hands_over(tmp_path: Path) -> None:
    (tmp_path / "grafana").mkdir()  # a folder of the user's, which must not shadow ours
    (tmp_path / "grafana" / "__main__.py").write_text("print('theirs')")
    code = "from clustersight.cli import main; main()"
    command = [sys.executable, "-P", "-c", code, "dashboards", "diff", "nowhere"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 64
    assert "Usage: clustersight dashboards diff" in done.stderr
    assert done.stdout == ""


WITHOUT_SDK = """
import sys
sys.modules["grafana_foundation_sdk"] = sys.modules["promql_parser"] = None
from click.testing import CliRunner
from grafana.__main__ import main
for arguments in (["build"], ["check"], ["diff", sys.argv[1]], ["push", sys.argv[1]]):
    done = CliRunner().invoke(main, arguments)
    print(arguments[0], done.exit_code, done.stderr.splitlines()[-1])
"""


def test_without_the_sdk_diff_and_push_work_and_the_others_say_what_they_need() -> None:
    environment = {**os.environ, "GRAFANA_TOKEN": TOKEN, "NO_PROXY": "127.0.0.1"}
    with GrafanaStub() as stub:
        command = [sys.executable, "-P", "-c", WITHOUT_SDK, stub.url]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=True
        )
    needed = "1 this needs Grafana's SDK; in the clone: pip install '.[dashboards]'"
    assert done.stdout.splitlines() == [
        f"build {needed}",
        f"check {needed}",
        f"diff 2 {len(ALL)} dashboards: 0 same, {len(ALL)} to push, 0 not compared",
        f"push 0 {len(ALL)} dashboards: {len(ALL)} created",
    ]
