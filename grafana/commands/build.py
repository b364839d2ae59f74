"""`clustersight dashboards build`: from code to JSON."""

from __future__ import annotations

from pathlib import Path

import click

from clustersight.commands.rules_choice import count, tell
from clustersight.table import visible
from grafana import files
from grafana.commands.options import EXIT_FAILED, require_sdk


@click.command(epilog="Example: clustersight dashboards build --output /var/lib/grafana/dashboards")
@click.option(
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=files.FOLDER,
    help="Where to, made if it is not there. Default: the package's own folder, grafana/dashboards.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@click.pass_context
def build(context: click.Context, *, folder: Path, dry_run: bool) -> None:
    """Write each dashboard as FOLDER/UID.json.

    A file that is right already is left alone, and one that no dashboard makes any more is named, never
    removed. 0: all are written. 1: one cannot be, or the SDK is not installed. 64: a wrong call.
    """
    require_sdk(context)
    try:
        _build(folder, is_dry=dry_run)
    except OSError as error:
        tell([f"{error.filename or folder}: cannot be written: {error.strerror}"])
        context.exit(EXIT_FAILED)


def _build(folder: Path, *, is_dry: bool) -> None:
    from grafana import boards, checks, frame  # noqa: PLC0415 - the SDK, which diff and push do without

    if not is_dry:
        folder.mkdir(parents=True, exist_ok=True)
    changed = 0
    for board in boards.ALL:
        path, text = folder / board.file_name, frame.text(board)
        if files.is_written(path, text):
            click.echo(visible(f"unchanged  {path}"))
            continue
        changed += 1
        if not is_dry:
            files.write(path, text)
        click.echo(visible(f"{'to write ' if is_dry else 'written  '}  {path}"))
    tell(f"{path}: {checks.STALE}" for path in checks.stale(folder))
    tell([f"{count(len(boards.ALL), 'dashboard')}, {changed} {'to write' if is_dry else 'written'}"])
