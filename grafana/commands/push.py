"""`clustersight dashboards push`: from git to a Grafana."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import click

from clustersight import __version__
from clustersight.commands.rules_choice import count, tell
from clustersight.table import visible
from grafana.client import Grafana
from grafana.commands.options import EXIT_FAILED, grafana_at, ours, reaching
from grafana.failures import GrafanaError, GrafanaUnusableError
from grafana.files import Json
from grafana.pushing import Action, Push

# Grafana refuses more.
_LONGEST_MESSAGE = 500
_WIDTH = max(len(action) for action in Action)


def _not_empty(_context: click.Context, _option: click.Parameter, title: str) -> str:
    if not title.strip():
        raise click.BadParameter("must be the title of a folder")
    return title.strip()


def _short(_context: click.Context, _option: click.Parameter, message: str) -> str:
    if len(message) > _LONGEST_MESSAGE:
        raise click.BadParameter(f"must have at most {_LONGEST_MESSAGE} characters; Grafana takes no more")
    return message


@click.command(
    epilog="Example: GRAFANA_TOKEN=… clustersight dashboards push https://grafana.example"
    " --api-url https://clustersight.example"
)
@reaching
@click.option(
    "--folder",
    default="ClickHouse",
    show_default=True,
    metavar="TITLE",
    callback=_not_empty,
    help="A folder at the top, which is created if it is not there.",
)
@click.option("--only", "uids", multiple=True, metavar="UID", help="This dashboard only; may be repeated.")
@click.option(
    "--message",
    default=f"clustersight {__version__}",
    show_default=True,
    metavar="TEXT",
    callback=_short,
    help="For the history of versions: a commit, for example.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option(
    "--overwrite-foreign", is_flag=True, help="Replace dashboards with our uids and without our tag, too."
)
@click.pass_context
def push(
    context: click.Context,
    url: str,
    *,
    api_url: str | None,
    token_file: Path | None,
    most: timedelta,
    folder: str,
    uids: tuple[str, ...],
    message: str,
    dry_run: bool,
    overwrite_foreign: bool,
) -> None:
    """Put the dashboards of this package into the Grafana at URL: create, update, or leave as they are.

    The token is that of a service account with the role Editor (or dashboards:read, :create, :write,
    folders:read and :create); user and password are not supported. One dashboard that cannot be pushed does
    not keep the others back. 0: all are there. 1: one is not, and it is said why. 64: a wrong call.
    """
    chosen = _chosen(ours(context, api_url), uids)
    grafana = grafana_at(context, url, token_file, most)
    try:
        place = _folder(grafana, folder, is_dry=dry_run)
    except GrafanaError as error:
        tell([f"folder {folder}: {error}"])
        context.exit(EXIT_FAILED)
    task = Push(grafana, place, message, is_forced=overwrite_foreign, is_dry=dry_run)
    failed = _pushed(task, chosen)
    context.exit(EXIT_FAILED if failed else 0)


def _chosen(shipped: Sequence[Json], uids: Sequence[str]) -> list[Json]:
    known = [one["uid"] for one in shipped]
    for uid in uids:
        if uid not in known:
            near = difflib.get_close_matches(uid, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise click.BadParameter(f"there is no dashboard {uid!r}; {hint}", param_hint="--only")
    return [one for one in shipped if not uids or one["uid"] in uids]


def _folder(grafana: Grafana, title: str, *, is_dry: bool) -> str | None:
    """The uid of the folder; None if a dry run would have to create it. Raises GrafanaError."""
    found = grafana.folder(title)
    if found is None:
        if not is_dry:
            found = grafana.create_folder(title)
        click.echo(visible(f"{'would be ' if is_dry else ''}{Action.CREATED:<{_WIDTH}}  folder {title}"))
    return found


def _pushed(task: Push, dashboards: Sequence[Json]) -> list[str]:
    """The uids of those that failed."""
    done: Counter[Action] = Counter()
    failed: list[str] = []
    for at, dashboard in enumerate(dashboards):
        uid = dashboard["uid"]
        try:
            action = task.one(dashboard)
        except GrafanaUnusableError as error:
            tell([str(error)])
            failed += [one["uid"] for one in dashboards[at:]]
            break
        except GrafanaError as error:
            tell([f"{uid}: {error}"])
            failed.append(uid)
            continue
        done[action] += 1
        would = "would be " if task.is_dry and action is not Action.UNCHANGED else ""
        click.echo(visible(f"{would}{action:<{_WIDTH}}  {dashboard['title']}  {task.grafana.url_of(uid)}"))
    _tell_sum(len(dashboards), done, failed)
    return failed


def _tell_sum(total: int, done: Counter[Action], failed: Sequence[str]) -> None:
    parts = [f"{done[action]} {action}" for action in Action if done[action]]
    if failed:
        parts.append(f"{len(failed)} not pushed ({', '.join(failed)})")
    tell([f"{count(total, 'dashboard')}: {', '.join(parts)}"])
