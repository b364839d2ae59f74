"""docs/configuration.md is what the models say, and the models say something of every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from clustersight.settings.environment import apply_environment, variables
from clustersight.settings.file import load
from clustersight.settings.model import Settings
from clustersight.settings.path import annotation_at
from clustersight.settings.reference import Setting, document, settings
from clustersight.settings.web_config import ClientAuth, HttpConfig, TlsConfig, TlsVersion, WebConfigFile
from clustersight.yaml_tree import read_tree

WRITTEN = Path(__file__).parents[2] / "docs" / "configuration.md"

# The keys that are fixed: other people's files and manifests have them by now.
FIXED = {
    "clusters[]": "name host port protocol secure username password ca_cert verify client_cert client_key"
    " discover discover_hosts logical_cluster keeper_nodes expected_readonly labels panels",
    "clusters[].panels.NAME": "enabled timeout_sec",
    "collection": "interval_sec tier2_every tier1 tier2 timeout_sec workers max_rows_per_panel max_series",
    "retention": "raw_days hourly_days daily_days",
    "exporter": "listen builtin_names web_config_file allow_open",
    "alerter": "listen heartbeat_url web_config_file allow_open",
    "api": "listen cache_ttl_sec public_url auth_failures_per_minute web_config_file allow_open",
    "store": "url",
    "history": "prometheus_url headers password_file",
    "backups": "expected_every",
    "inspector": "show_literals",
    "grafana": "url",
    "health": "thresholds",
    "health.weights": "replication storage errors infrastructure queries",
    "rules": "builtin paths",
    "notify": "allow_private max_age channels",
    "notify.channels[]": "name kind url headers",
    "notify.channels[].match": "severity cluster labels",
    "log": "level format",
    "At the top": "clusters data_dir",
}


def section(title: str) -> str:
    head = f"\n## {title}\n"
    text = document()
    assert head in text, title
    return text.partition(head)[2].partition("\n## ")[0]


def named(setting: Setting) -> str:
    return ".".join(setting.keys)


def test_the_document_is_what_the_code_says() -> None:
    assert WRITTEN.read_text(encoding="utf-8") == document(), "run `make generate`"


@pytest.mark.parametrize(("title", "keys"), FIXED.items())
def test_a_fixed_key_is_in_its_section(title: str, keys: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section(title), re.MULTILINE)

    assert set(keys.split()) <= set(rows)


def test_a_key_has_a_type_a_default_and_a_sentence() -> None:
    silent = [named(one) for one in settings() if not re.fullmatch(r"\S.{7,}\.", one.meaning)]

    assert silent == [], "put a docstring below the field"
    assert [named(one) for one in settings() if not (one.kind and one.default)] == []


def test_the_variables_of_the_document_are_taken() -> None:
    with_variable = [one for one in settings() if one.variable]
    taken = {one: apply_environment({}, {one.variable: "null"}) for one in with_variable}

    assert [problems for _, problems in taken.values() if problems] == []
    assert [one.keys for one in taken] == [overrides[0].keys for overrides, _ in taken.values()]


def test_bounds_are_those_that_hold() -> None:
    bounded = {one: re.search(r"number, (\S+) to (\S+)", one.kind) for one in settings() if one.variable}
    found = {one.keys: bounds.groups() for one, bounds in bounded.items() if bounds}

    assert len(found) > 10
    for keys, (low, high) in found.items():
        for number in (low, high):
            Settings.model_validate(put({}, keys, number))
        with pytest.raises(ValidationError):
            Settings.model_validate(put({}, keys, float(high) + 1))


def put(data: dict[str, object], keys: tuple[str, ...], value: object) -> dict[str, object]:
    return {**data, keys[0]: put({}, keys[1:], value) if len(keys) > 1 else value}


def test_the_keys_of_a_web_configuration_are_told() -> None:
    text = section("web_config_file")
    sections = (TlsConfig, HttpConfig, WebConfigFile)

    assert [key for model in sections for key in model.model_fields if f"`{key}`" not in text] == []
    assert [name for name in (*ClientAuth, *TlsVersion) if f"`{name}`" not in text] == []


def test_variables_with_names_of_their_own_are_told() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|$", section("The environment"), re.MULTILINE))

    assert rows == {name: ".".join(map(str, keys)) for name, keys in variables().items()}
    assert all(
        annotation_at(Settings, keys) is not None for name, keys in variables().items() if "SLACK" not in name
    )


def test_the_lists_that_the_document_gives_by_variable_are_taken(tmp_path: Path) -> None:
    text = section("The environment").replace("\n", " ")
    given = dict(re.findall(r"`(CLUSTERSIGHT__\w+)='(\S.*?)'`", text))
    (tmp_path / "empty.yaml").write_text("{}")
    loaded = load(tmp_path / "empty.yaml", given).settings

    assert [cluster.name for cluster in loaded.clusters] == ["a"]
    assert [path.name for path in loaded.rules.paths] == ["rules"]
    assert read_tree(given["CLUSTERSIGHT__RULES__PATHS"]).data == ["rules"]
