"""`python -m benchmarks [NAME …]`: measure, then print one table.

The exit status is 0 whatever the figures say, and 1 only where something could not be measured.
"""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click

from benchmarks import alerter, api, fleet, history, page, peer, tier1
from benchmarks.figures import Figure, table
from benchmarks.place import Place
from benchmarks.progress import say

Measure = Callable[[Place], Iterator[Figure]]

# One line a measurement.
ALL: dict[str, Measure] = {
    page.NAME: page.measure,
    tier1.NAME: tier1.measure,
    peer.NAME: peer.measure,
    fleet.NAME: fleet.measure,
    history.NAME: history.measure,
    api.NAME: api.measure,
    alerter.NAME: alerter.measure,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(sorted(ALL)))
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON instead of a table.")
def main(names: tuple[str, ...], as_json: bool) -> None:
    """Measure speed and memory on real servers, all of it or by NAME. Progress goes to standard error."""
    figures: list[Figure] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, ExitStack() as stack:
        place = Place(Path(folder), stack)
        for name in [name for name in ALL if not names or name in names]:
            try:
                figures += ALL[name](place)
            except Exception:  # noqa: BLE001 - the other measurements are worth having
                failed.append(name)
                traceback.print_exc()
    say("done")
    print(json.dumps([figure.as_json() for figure in figures], indent=2) if as_json else table(figures))
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
