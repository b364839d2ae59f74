"""`clustersight rules reload`: make a running alerter read its files again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import click
import requests

from clustersight.commands.moments import Duration
from clustersight.commands.remote import HttpUrl, RemoteError, ask, read_secret
from clustersight.commands.rules_choice import EXIT_PROBLEMS, count, tell
from clustersight.commands.usage import EXIT_USAGE

# An alerter reads 10 000 rules in seconds.
_RELOAD_SECONDS = 60.0
_POLL_SECONDS = 0.5
# The Date of an answer is in whole seconds.
_DATE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Alerter:
    """A running one, with the clock of whoever waits for it."""

    url: str
    user: tuple[str, str] | None
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def reload(self) -> float:
        """When it was reloaded, by its own clock. Raises RemoteError with its problems."""
        answer = ask(f"{self.url}/-/reload", method="POST", user=self.user, seconds=_RELOAD_SECONDS)
        if answer.status_code == 200:
            return _date(answer) + _DATE_SECONDS
        self._refuse_login(answer)
        raise RemoteError(answer.text.strip() or f"{self.url}: answers {answer.status_code}")

    def status(self) -> dict[str, Any]:
        """As /-/status has it. Raises RemoteError."""
        answer = ask(f"{self.url}/-/status", user=self.user)
        self._refuse_login(answer)
        try:
            found = answer.json()
        except ValueError:
            found = None
        if answer.status_code != 200 or not isinstance(found, dict):
            raise RemoteError(f"{self.url}/-/status: does not answer as an alerter")
        return found

    def _refuse_login(self, answer: requests.Response) -> None:
        if answer.status_code == 401:
            raise RemoteError(f"{self.url}: 401; name a user with --user and --password-file")

    def wait(self, since: float, seconds: float) -> dict[str, Any]:
        """Until a pass that began after `since` is over. Raises RemoteError, also after `seconds`."""
        ends = self.monotonic() + seconds
        while True:
            status = self.status()
            if not status.get("last_reload_successful"):
                raise RemoteError("\n".join(status.get("problems") or ["the reload was refused"]))
            if _began(status) >= since:
                return status
            if self.monotonic() >= ends:
                raise RemoteError(f"no evaluation within {seconds:g} s{_why(status)}")
            self.sleep(_POLL_SECONDS)


def _date(answer: requests.Response) -> float:
    try:
        return parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (LookupError, ValueError):
        return time.time()


def _began(status: dict[str, Any]) -> float:
    """When the last pass began; 0 before the first one."""
    at, seconds = status.get("last_evaluation_at"), status.get("last_evaluation_seconds")
    return float(at) - float(seconds or 0.0) if at is not None else 0.0


def _why(status: dict[str, Any]) -> str:
    return "" if status.get("leads") else ": this alerter stands by for another one"


@click.command(epilog="Example: clustersight rules reload --wait http://127.0.0.1:9126")
@click.argument("url", type=HttpUrl())
@click.option("--wait", is_flag=True, help="Wait until the new rules have been evaluated.")
@click.option("--timeout", "most", type=Duration(), default="60s", show_default=True, help="Wait no longer.")
@click.option("--user", metavar="NAME", help="A user of the alerter's web_config_file.")
@click.option(
    "--password-file", type=click.Path(path_type=Path, dir_okay=False), help="That user's password."
)
@click.pass_context
def reload(
    context: click.Context,
    url: str,
    *,
    wait: bool,
    most: timedelta,
    user: str | None,
    password_file: Path | None,
) -> None:
    """Make the alerter at URL read its configuration and rules again, all or nothing.

    0: taken over. 1: refused, with every problem; the last good rules stay. Or with --wait: not evaluated in
    time. 64: a wrong call.
    """
    if (user is None) != (password_file is None):
        tell(["--user and --password-file go together"])
        context.exit(EXIT_USAGE)
    try:
        login = (user, read_secret(password_file)) if user is not None and password_file is not None else None
        alerter = Alerter(url, login)
        since = alerter.reload()
        status = alerter.wait(since, most.total_seconds()) if wait else alerter.status()
    except RemoteError as error:
        tell(str(error).splitlines())
        context.exit(EXIT_PROBLEMS)
    done = "reloaded and evaluated" if wait else "reloaded"
    click.echo(f"{done}: {count(int(status.get('rules', 0)), 'rule')}, hash {status.get('hash', '')}")
