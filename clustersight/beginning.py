"""How every process begins: the options of its command, its first log lines, and how it gives up."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from clustersight import logs
from clustersight.configuration import Start
from clustersight.problem import SettingsError
from clustersight.settings.listen import parse_listen
from clustersight.settings.model import Settings
from clustersight.store.errors import StoreError

CONTEXT = {"help_option_names": ["-h", "--help"]}


def options(section: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of a process with this section: `file`, `listen` and `url_file`."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(_options(section)):
            command = option(command)
        return command

    return add


def _options(section: str) -> list[Callable[[Callable[..., Any]], Callable[..., Any]]]:
    file, path = click.Path(path_type=Path, dir_okay=False), click.Path(path_type=Path)
    listen = f"HOST:PORT instead of {section}.listen; port 0 takes a free one."
    return [
        click.option(
            "--config", "file", type=file, help="The configuration file. Default: $CLUSTERSIGHT_CONFIG."
        ),
        click.option("--listen", callback=_valid, help=listen),
        click.option("--url-file", type=path, help="Write the URL here once it is served."),
    ]


def _valid(_context: click.Context, _option: click.Parameter, listen: str | None) -> str | None:
    try:
        if listen is not None:
            parse_listen(listen)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return listen


def begin(start: Start) -> Settings:
    """The settings a process starts with; logs as they say from here on. Raises SettingsError."""
    loaded = start.read()
    logs.configure(loaded.settings.log.level, loaded.settings.log.format)
    for warning in loaded.warnings:
        logging.getLogger(start.section).warning("%s", warning)
    return loaded.settings


@contextlib.contextmanager
def giving_up(start: Start) -> Iterator[None]:
    """What keeps a process from starting becomes one line on standard error and exit code 1."""
    try:
        yield
    except (SettingsError, StoreError) as error:
        sys.exit(str(error))
    except OSError as error:
        where = start.listen or f"{start.section}.listen"
        sys.exit(
            f"cannot listen on {where}: {error.strerror}; "
            f"does another {start.section} run? Choose with --listen"
        )
