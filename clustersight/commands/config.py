"""`clustersight config`: check a configuration, show the effective one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from clustersight.problem import SettingsError
from clustersight.settings.fields import Known
from clustersight.settings.file import Loaded, load
from clustersight.settings.path import secrets_in
from clustersight.yaml_file import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable

# `context.meta[KNOWN_NAMES] = Known(…)` in the parent group makes `check` refuse other names.
KNOWN_NAMES = "clustersight.known_names"

_FILE = click.argument("file", type=click.Path(path_type=Path), required=False)


@click.group()
def config() -> None:
    """Check and show the configuration.

    FILE is clustersight.yaml; without it CLUSTERSIGHT_CONFIG names it, and without that there are the
    defaults and the environment.
    """


@config.command(epilog="Example: clustersight config check /etc/clustersight/clustersight.yaml")
@_FILE
@click.pass_context
def check(context: click.Context, file: Path | None) -> None:
    """Check FILE and the environment; 0 when they can be used, 1 with every problem on standard error.

    Nothing is connected to.
    """
    loaded = _loaded(context, file)
    origin = loaded.source or "the environment and the defaults (no FILE given, CLUSTERSIGHT_CONFIG unset)"
    click.echo(f"ok: {_count(len(loaded.settings.clusters), 'cluster')}, from {origin}")


@config.command(epilog="Example: CLUSTERSIGHT__COLLECTION__INTERVAL_SEC=10 clustersight config show")
@_FILE
@click.pass_context
def show(context: click.Context, file: Path | None) -> None:
    """Print the effective settings as YAML, with defaults, without secrets."""
    loaded = _loaded(context, file)
    for override in loaded.overrides:
        click.echo(f"# {dotted(override.keys)}: from environment {override.variable}")
    click.echo(yaml.safe_dump(_plain(loaded), sort_keys=False, allow_unicode=True), nl=False)


def _loaded(context: click.Context, file: Path | None) -> Loaded:
    try:
        loaded = load(file, os.environ, context.meta.get(KNOWN_NAMES, Known()))
    except SettingsError as error:
        _tell(error.problems)
        context.exit(1)
    _tell(f"{warning} (warning)" for warning in loaded.warnings)
    return loaded


def _tell(lines: Iterable[object]) -> None:
    for line in lines:
        click.echo(str(line), err=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _plain(loaded: Loaded) -> Any:
    """Return data for YAML; every secret that is set is masked."""
    data = loaded.settings.model_dump(mode="json")
    for keys, _ in secrets_in(loaded.settings):
        section: Any = data
        for key in keys[:-1]:
            section = section[key]
        section[keys[-1]] = "<secret>"
    return data
