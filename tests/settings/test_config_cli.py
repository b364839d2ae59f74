from __future__ import annotations

import pytest
import yaml
from click.testing import CliRunner

from clustersight.commands.config import KNOWN_NAMES, config
from clustersight.settings.fields import Known

TEXT = """
clusters: [{name: a, host: h, port: 8443, password: hunter2}]
notify: {max_age: 90m, channels: [{name: x, kind: webhook, url: "https://x.example/hunter2"}]}
history: {headers: {Authorization: hunter2}}
"""


@pytest.fixture
def run(tmp_path):
    def invoke(command: str, text: str, meta=None, **environ: str):
        path = tmp_path / "c.yaml"
        path.write_text(text)
        runner = CliRunner(env=environ)
        return runner.invoke(config, [command, str(path)], **({} if meta is None else {"meta": meta}))

    return invoke


def test_a_good_file_is_ok_with_a_count_and_warnings_apart(run):
    result = run("check", TEXT)
    assert result.exit_code == 0
    assert result.stdout.startswith("ok: 1 cluster, from ")
    assert len(result.stderr.splitlines()) == 3
    assert "c.yaml:2:53: " in result.stderr


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_bad_file_gives_its_problems_on_standard_error_and_1(command, run):
    result = run(command, "log: {level: loud}\nlgo: {}")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert [line.split("c.yaml")[1].split(": ")[0] for line in result.stderr.splitlines()] == [
        ":1:14",
        ":2:1",
    ]


def test_show_prints_the_effective_settings_without_secrets(run):
    result = run("show", TEXT, CLUSTERSIGHT__COLLECTION__WORKERS="3", CLUSTERSIGHT_PASSWORD="hunter2")
    shown = yaml.safe_load(result.stdout)
    assert "hunter2" not in result.output
    assert shown["clusters"][0]["secure"] is True
    assert shown["clusters"][0]["password"] == "<secret>"
    assert shown["api"]["password"] == "<secret>"
    assert shown["history"]["headers"] == {"Authorization": "<secret>"}
    assert shown["notify"]["channels"][0]["url"] == "<secret>"
    assert shown["notify"]["max_age"] == "1h30m"
    assert shown["store"]["url"] is None
    assert shown["collection"]["workers"] == 3
    assert "# collection.workers: from environment CLUSTERSIGHT__COLLECTION__WORKERS\n" in result.stdout


def test_what_show_prints_is_a_valid_file(run):
    shown = run("show", TEXT.replace("url:", "url_file: null, #").replace(", channels: [", "}\n#")).stdout
    assert run("show", shown).stdout.replace("<secret>", "") == shown.replace("<secret>", "")


def test_panels_are_checked_when_the_parent_names_them(run):
    text = "clusters: [{name: a, host: h, port: 9000, panels: {pats: {}}}]"
    assert run("check", text).exit_code == 0


@pytest.mark.parametrize("command", ["check", "show"])
def test_help_has_an_example(command):
    assert "Example: " in CliRunner().invoke(config, [command, "--help"]).output


def test_the_names_of_the_parent_are_used(tmp_path):
    import click

    path = tmp_path / "c.yaml"
    path.write_text(
        "clusters: [{name: a, host: h, port: 9000, panels: {pats: {}}}]\n"
        "health: {thresholds: {disk_usage: [[80, 0], [90, 50]]}}\n"
    )

    @click.group()
    @click.pass_context
    def parent(context):
        context.meta[KNOWN_NAMES] = Known(panels={"parts"}, thresholds={"disk_usage_pct"})

    parent.add_command(config)
    result = CliRunner().invoke(parent, ["config", "check", str(path)])
    assert result.exit_code == 1
    assert "did you mean 'parts'" in result.stderr
    assert f"{path}:2:23: " in result.stderr
    assert "did you mean 'disk_usage_pct'" in result.stderr
