"""`clustersight dashboards …` as a person types it, and a Grafana for it to talk to."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from grafana.__main__ import main
from tests.servers.grafana import TOKEN


def dashboards(*arguments: str | Path, token: str | None = TOKEN) -> Result:
    """With the token in the environment; whatever happens, it is in no output."""
    result = CliRunner().invoke(main, [*map(str, arguments)], env={"GRAFANA_TOKEN": token})
    assert token is None or token not in result.output
    assert not isinstance(result.exception, Exception) or isinstance(result.exception, SystemExit)
    return result
