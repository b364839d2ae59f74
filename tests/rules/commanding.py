"""`clustersight rules …` as a person types it."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from clustersight.cli import main


def rules(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["rules", *map(str, arguments)])


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
