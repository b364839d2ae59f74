"""`clustersight rules drift`: whether what runs is what the files say."""

from __future__ import annotations

from pathlib import Path

import click

from clustersight.commands.remote import TOKEN_FILE, HttpUrl, RemoteError, api_headers, running_rules
from clustersight.commands.rules_choice import CONFIG, EXIT_PROBLEMS, PATHS, choose, refuse_problems, tell
from clustersight.commands.rules_diff import EXIT_CHANGES, beside, lines, summary
from clustersight.rules import comparing
from clustersight.table import visible


@click.command(epilog="Example: clustersight rules drift https://clustersight.example:3001 rules/")
@click.argument("url", type=HttpUrl())
@PATHS
@TOKEN_FILE
@CONFIG
@click.pass_context
def drift(
    context: click.Context, url: str, paths: tuple[Path, ...], *, token_file: Path | None, file: Path | None
) -> None:
    """Compare the rules that run, as the API at URL has them, with the files of PATH: file -> running.

    0: they are the same. 2: they differ, and it is said where. 1: it cannot be told. 64: a wrong call.
    """
    chosen = choose(context, paths, file)
    refuse_problems(context, chosen)
    try:
        running = running_rules(url, api_headers(token_file), alerts=False)
    except RemoteError as error:
        tell([str(error)])
        context.exit(EXIT_PROBLEMS)
    found = comparing.compare(chosen.rules, beside(running, chosen, paths))
    for line in lines(found, ()):
        click.echo(visible(line))
    tell([f"what runs differs: {summary(found)}" if found else "what runs is what the files say"])
    context.exit(EXIT_CHANGES if found else 0)
