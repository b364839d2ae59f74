"""What the commands share: exit codes, options, the token, and the parts that only the SDK can do."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from clustersight.commands.moments import Duration
from clustersight.commands.remote import HttpUrl, RemoteError, read_secret
from clustersight.commands.rules_choice import tell
from clustersight.commands.usage import EXIT_USAGE
from grafana import files
from grafana.client import Grafana
from grafana.failures import GrafanaError
from grafana.talking import Talking

EXIT_FAILED = 1
EXIT_DIFFERENCES = 2
_SDK = ("grafana_foundation_sdk", "promql_parser")
_FIRST_MAJOR = 10


class GrafanaUrl(HttpUrl):
    """The address of a Grafana, perhaps with a path, never with a user."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        with contextlib.suppress(ValueError):
            if urlsplit(value).username is not None:
                self.fail(
                    "holds a user, and basic authentication is not supported: use the token of a service"
                    " account, as GRAFANA_TOKEN or with --token-file",
                    param,
                    ctx,
                )
        return super().convert(value, param, ctx)


URL = click.argument("url", type=GrafanaUrl())
API_URL = click.option(
    "--api-url",
    type=HttpUrl(),
    help="Where ClusterSight's API is for those who look: the links lead there."
    " Without it as in the files, http://127.0.0.1:3001.",
)
TOKEN_FILE = click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with the token; without it GRAFANA_TOKEN is taken.",
)
TIMEOUT = click.option(
    "--timeout", "most", type=Duration(), default="30s", show_default=True, help="For each request."
)


def reaching(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument and options of a command that asks a Grafana."""
    for option in (TIMEOUT, TOKEN_FILE, API_URL, URL):
        command = option(command)
    return command


def grafana_at(context: click.Context, url: str, token_file: Path | None, most: timedelta) -> Grafana:
    """A Grafana that answers. Ends the command with 1 if it does not, with 64 for a token that is none."""
    talking = Talking(url, _token(context, token_file), seconds=max(most.total_seconds(), 0.001))
    grafana = Grafana(talking)
    try:
        _warn_of_old(grafana.version())
    except GrafanaError as error:
        tell([str(error)])
        context.exit(EXIT_FAILED)
    return grafana


def ours(context: click.Context, api_url: str | None) -> list[files.Json]:
    """The dashboards that ship with this package. Ends the command with 1 if there are none."""
    try:
        return [files.with_api(one, api_url) for one in files.shipped()]
    except files.NoDashboardError as error:
        tell([str(error)])
        context.exit(EXIT_FAILED)


def _token(context: click.Context, file: Path | None) -> str | None:
    """None where there is none: a Grafana may let anybody in."""
    try:
        token = read_secret(file) if file is not None else os.environ.get("GRAFANA_TOKEN", "").strip()
    except RemoteError as error:
        tell([str(error)])
        context.exit(EXIT_USAGE)
    if not token and file is None:
        return None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        tell([f"{file or 'GRAFANA_TOKEN'}: holds no token; it is one word, such as glsa_…"])
        context.exit(EXIT_USAGE)
    return token


def _warn_of_old(version: str) -> None:
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) < _FIRST_MAJOR:
        tell([f"Grafana {version}: these dashboards are made for {_FIRST_MAJOR} and later"])


def require_sdk(context: click.Context) -> None:
    """End the command with 1 where what `build` and `check` need is not installed."""
    if not all(importlib.util.find_spec(name) for name in _SDK):
        tell(["this needs Grafana's SDK; in the clone: pip install '.[dashboards]'"])
        context.exit(EXIT_FAILED)
