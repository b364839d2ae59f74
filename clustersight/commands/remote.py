"""Asking our own processes over HTTP: the API with its token, the alerter with a user's password."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import requests
from requests.auth import HTTPBasicAuth

from clustersight.rules import running
from clustersight.rules.running import Running

_SECONDS = 10.0
_PAGE = 200
TOKEN_FILE = click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with the API's token; without it the password CLUSTERSIGHT_PASSWORD is taken, if it is set.",
)


class RemoteError(Exception):
    """It could not be asked, or answered otherwise; the text is one line for a person, without secrets."""


class HttpUrl(click.ParamType[str]):
    """An address without credentials in it: these would be in the shell's history."""

    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            good = False
        if not good:
            self.fail("is no URL; write http://HOST:PORT or https://…", param, ctx)
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            self.fail("must be an address alone, without user, password, ? and #", param, ctx)
        return value.rstrip("/")


def is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def api_headers(token_file: Path | None) -> dict[str, str]:
    """What lets a request in. Raises RemoteError where the file cannot be read."""
    if token_file is not None:
        token = read_secret(token_file)
        if not token.isascii() or not token.isprintable():
            raise RemoteError(f"{token_file}: holds no token: the lowercase hex SHA-256 of the password")
        return {"Authorization": f"Bearer {token}"}
    password = os.environ.get("CLUSTERSIGHT_PASSWORD")
    if not password:
        return {}
    return {"Authorization": f"Bearer {hashlib.sha256(password.encode()).hexdigest()}"}


def read_secret(path: Path) -> str:
    """The first line's worth of a file. Raises RemoteError."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise RemoteError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise RemoteError(f"{path}: is no text") from None


def ask(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    user: tuple[str, str] | None = None,
    seconds: float = _SECONDS,
) -> requests.Response:
    """One request; redirects are not followed, which would take the credentials along. Raises RemoteError."""
    auth = HTTPBasicAuth(user[0].encode(), user[1].encode()) if user is not None else None
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy, and no ~/.netrc in the place of the token
            return session.request(
                method, url, headers=headers, auth=auth, timeout=seconds, allow_redirects=False
            )
    except requests.Timeout:
        raise RemoteError(f"{url}: no answer within {seconds:g} s") from None
    except requests.RequestException as error:
        raise RemoteError(
            f"{url}: cannot be reached ({type(error).__name__}); is it running there?"
        ) from None


def running_rules(url: str, headers: Mapping[str, str], *, alerts: bool = True) -> Running:
    """What the API at a URL says. Raises RemoteError."""
    base = url if url.endswith("/api/v1") else f"{url}/api/v1"
    try:
        rules = _data(f"{base}/alerts/rules", headers)["data"]
        return running.of_api(rules, _alerts(base, headers) if alerts else ())
    except (LookupError, TypeError, ValueError):
        raise RemoteError(f"{base}: does not answer as ClusterSight's API of this release") from None


def _alerts(base: str, headers: Mapping[str, str]) -> Iterator[Any]:
    offset, more = 0, True
    while more:
        answer = _data(f"{base}/alerts?limit={_PAGE}&offset={offset}", headers)
        yield from answer["data"]
        offset += len(answer["data"])
        more = answer["meta"]["has_more"] and bool(answer["data"])


def _data(url: str, headers: Mapping[str, str]) -> Any:
    response = ask(url, headers=headers)
    if response.status_code == 401:
        raise RemoteError(f"{url}: 401; name the token with --token-file, or set CLUSTERSIGHT_PASSWORD")
    if response.status_code != 200:
        raise RemoteError(f"{url}: answers {response.status_code}; is this the address of the API?")
    return response.json()
