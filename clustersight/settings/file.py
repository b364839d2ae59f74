"""clustersight.yaml and the environment -> one Settings, or every problem with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from clustersight.problem import Problem, SettingsError
from clustersight.settings import web_config
from clustersight.settings.environment import Override, apply_environment
from clustersight.settings.expansion import expand
from clustersight.settings.fields import Known, Surroundings
from clustersight.settings.model import Settings
from clustersight.settings.model_problem import Locator, problems_of
from clustersight.settings.path import secrets_in
from clustersight.yaml_file import faults_of, named, read_mapping
from clustersight.yaml_tree import Tree

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from clustersight.yaml_tree import Keys

# The headers that carry credentials; a literal User-Agent deserves no warning.
_SECRET_HEADER = re.compile("auth|token|key|secret|cookie|password", re.IGNORECASE)


@dataclass(frozen=True)
class Loaded:
    """A valid configuration. `source` is its file, None for the environment and defaults alone."""

    settings: Settings
    warnings: tuple[Problem, ...]
    source: Path | None
    overrides: tuple[Override, ...] = ()


def load(path: Path | None, environ: Mapping[str, str], known: Known = Known()) -> Loaded:  # noqa: B008 - frozen
    """Read the file (`path`, else CLUSTERSIGHT_CONFIG, else none) and the environment.

    Names of panels and thresholds are those of `known`. Raises SettingsError with every problem found.
    """
    source = path or (Path(environ["CLUSTERSIGHT_CONFIG"]) if environ.get("CLUSTERSIGHT_CONFIG") else None)
    name = str(source or "defaults")
    tree = read_mapping(source, lambda text: expand(text, environ)) if source else Tree(data={})
    data: dict[str, Any] = tree.data
    overrides, problems = apply_environment(data, environ)
    locator = Locator(name, tree, {override.keys: override.variable for override in overrides})
    folder = source.absolute().parent if source else Path()
    settings, wrong = _validated(data, Surroundings(folder, known), locator, tree)
    problems += faults_of(tree, name) + wrong
    problems += _web_problems(settings, locator) if settings else []
    if problems or settings is None:
        raise SettingsError(problems)
    warnings = _literal_secrets(settings, tree, {override.keys for override in overrides}, locator)
    return Loaded(settings, tuple(warnings), source, tuple(overrides))


def state_folder(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Return `data_dir`, or where XDG keeps state: $XDG_STATE_HOME, else ~/.local/state."""
    if settings.data_dir is not None:
        return settings.data_dir
    state = environ.get("XDG_STATE_HOME")
    # The XDG specification: a relative one is ignored.
    home = Path(environ.get("HOME") or Path.home())
    base = Path(state) if state and Path(state).is_absolute() else home / ".local" / "state"
    return base / "clustersight"


def _validated(
    data: dict[str, Any], around: Surroundings, locator: Locator, tree: Tree
) -> tuple[Settings | None, list[Problem]]:
    try:
        return Settings.model_validate(data, context=around), []
    except ValidationError as error:
        return None, problems_of(error, Settings, locator, tree.lost)


def _web_problems(settings: Settings, locator: Locator) -> list[Problem]:
    """Load each web configuration, and refuse an open listener whose web configuration has no users."""
    problems: list[Problem] = []
    for section in ("exporter", "alerter", "api"):
        process = getattr(settings, section)
        if process.web_config_file is None:
            continue
        try:
            web = web_config.load(process.web_config_file)
        except SettingsError as error:
            problems += error.problems
            continue
        refusal = process.refusal(section, web_authenticates=web.authenticates)
        problems += (
            [locator.problem((section, "listen"), named((section, "listen"), refusal))] if refusal else []
        )
    return problems


def _literal_secrets(
    settings: Settings, tree: Tree, overridden: Collection[Keys], locator: Locator
) -> list[Problem]:
    return [
        locator.problem(keys, named(keys, _remedy(keys)))
        for keys, secret in secrets_in(settings)
        if keys in tree.values
        and keys not in tree.expanded
        and keys not in overridden
        and _is_telling(keys, secret.get_secret_value())
    ]


def _is_telling(keys: Keys, text: str) -> bool:
    """Tell whether the value is a secret: a header may be none, nor a store URL without password."""
    if "headers" in keys:
        return bool(_SECRET_HEADER.search(str(keys[-1])))
    return keys != ("store", "url") or urlsplit(text).password is not None


def _remedy(keys: Keys) -> str:
    file = "" if "headers" in keys else f" or {keys[-1]}_file"
    return f"a secret stands in the file; use ${{VARIABLE}}{file} instead"
