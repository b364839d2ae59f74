"""Settings from environment variables, which win over the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from clustersight.problem import Problem, unknown
from clustersight.settings.model import Settings
from clustersight.settings.path import allowed_at, annotation_at, holds
from clustersight.yaml_file import named
from clustersight.yaml_tree import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clustersight.yaml_tree import Keys

_PREFIX = "CLUSTERSIGHT__"
_SLACK = "CLUSTERSIGHT_SLACK_WEBHOOK_URL"
# An empty one of these counts as unset: compose files pass them through whether they are set or not.
_NAMED: dict[str, Keys] = {
    "CLUSTERSIGHT_PASSWORD": ("api", "password"),
    "CLUSTERSIGHT_DATA_DIR": ("data_dir",),
    "CLUSTERSIGHT_STORE_URL": ("store", "url"),
    "CLUSTERSIGHT_SECRET_KEY": ("store", "secret_key"),
    "CACHE_TTL": ("api", "cache_ttl_sec"),
}


@dataclass(frozen=True)
class Override:
    """A setting that an environment variable gives."""

    variable: str
    keys: Keys


class _UnreadableError(ValueError):
    """The text of a variable is no YAML."""


def variables() -> dict[str, Keys]:
    """The variables with names of their own, and the setting that each one is."""
    return {**_NAMED, _SLACK: ("notify", "channels", "slack", "url")}


def apply_environment(
    data: dict[str, Any], environ: Mapping[str, str]
) -> tuple[list[Override], list[Problem]]:
    """Put the variables' values into `data`, in place; return what was set and what was wrong.

    `CLUSTERSIGHT__SECTION__KEY` wins over the variables with names of their own, since it is exact.
    """
    values, problems = _general(environ)
    values = {keys: (name, environ[name]) for name, keys in _NAMED.items() if environ.get(name)} | values
    _make_room(data, values)
    overrides = [Override(name, keys) for keys, (name, _) in values.items()]
    for keys, (name, text) in values.items():
        try:
            _put(data, keys, _value(text, keys))
        except _UnreadableError as error:
            problems.append(Problem(f"environment {name}", named(keys, str(error))))
    if environ.get(_SLACK):
        overrides += _slack(data, environ[_SLACK])
    return overrides, problems


def _general(environ: Mapping[str, str]) -> tuple[dict[Keys, tuple[str, str]], list[Problem]]:
    values: dict[Keys, tuple[str, str]] = {}
    problems = []
    for name in sorted(environ):
        if name.startswith(_PREFIX):
            keys: Keys = tuple(name.removeprefix(_PREFIX).lower().split("__"))
            wrong = _unknown(keys)
            if wrong:
                problems.append(Problem(f"environment {name}", wrong))
            else:
                values[keys] = (name, environ[name])
    return values, problems


def _unknown(keys: Keys) -> str | None:
    """Say which part of the way does not exist; None where all do."""
    for length, key in enumerate(keys):
        if annotation_at(Settings, keys[: length + 1]) is None:
            what = "section" if len(keys) - length > 1 else "key"
            allowed = allowed_at(Settings, keys[:length])
            return named(keys[:length], unknown(what, str(key), allowed))
    return None


def _make_room(data: dict[str, Any], values: Mapping[Keys, object]) -> None:
    """Take away `password_file` of the file where the environment gives `password`, and the reverse."""
    for keys in values:
        section, last = _section(data, keys[:-1]), str(keys[-1])
        if section is not None:
            section.pop(f"{last}_file", None)
            section.pop(last.removesuffix("_file"), None)


def _section(data: dict[str, Any], keys: Keys) -> dict[str, Any] | None:
    found: Any = data
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _put(data: dict[str, Any], keys: Keys, value: object) -> None:
    section: Any = data
    for key in keys[:-1]:
        if section.get(key) is None:
            section[key] = {}
        section = section[key]
        if not isinstance(section, dict):
            # The file has something else here, and validation says so.
            return
    section[keys[-1]] = value


def _value(text: str, keys: Keys) -> object:
    """Read a variable as YAML where that matters: null, lists and mappings; pydantic parses numbers.

    A secret is taken as it stands. A path is relative to the working directory, as in any shell.
    """
    bare = text.strip()
    if not bare:
        return None
    if holds(Settings, keys, SecretStr):
        return text
    if bare in {"null", "~"}:
        return None
    if holds(Settings, keys, Path):
        return Path(text).absolute()
    return _composed(bare) if bare[0] in "[{\"'" else bare


def _composed(text: str) -> object:
    tree = read_tree(text)
    if tree.faults:
        raise _UnreadableError(tree.faults[0].message)
    return tree.data


def _slack(data: dict[str, Any], url: str) -> Iterator[Override]:
    """Give the URL to the channel `slack`, and make that channel where the file has none."""
    section = data["notify"] = data.get("notify") or {}
    if not isinstance(section, dict):
        return
    channels = section["channels"] = section.get("channels") or []
    if not isinstance(channels, list):
        return
    named = [
        index for index, item in enumerate(channels) if isinstance(item, dict) and item.get("name") == "slack"
    ]
    if not named:
        channels.append({"name": "slack", "kind": "slack"})
    index = named[0] if named else len(channels) - 1
    channels[index].pop("url_file", None)
    channels[index]["url"] = url
    yield Override(_SLACK, ("notify", "channels", index, "url"))
