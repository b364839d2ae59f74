"""Programs that write to a store, as processes that a test can kill."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    output: str
    errors: str


class Program:
    """One of programs.py as a process; its output goes to files."""

    def __init__(self, folder: Path, *arguments: object, prefix: Sequence[str] = ()) -> None:
        self._files = [folder / f"program-{uuid.uuid4().hex[:8]}.{name}" for name in ("out", "err")]
        with self._files[0].open("wb") as output, self._files[1].open("wb") as errors:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "tests.store.programs", *map(str, arguments)],
                cwd=Path(__file__).parents[2],
                stdout=output,
                stderr=errors,
            )

    @property
    def lines(self) -> list[str]:
        """The whole lines that it has printed so far."""
        return self._files[0].read_text().rpartition("\n")[0].splitlines()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait(self) -> Ended:
        try:
            code = self.process.wait(timeout=120)
        finally:
            self.kill()
        return Ended(code, *(file.read_text() for file in self._files))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """A function that starts one of programs.py: start("write", url, name, count)."""
    started: list[Program] = []
    folder = tmp_path / "programs"
    folder.mkdir()

    def begin(*arguments: object, prefix: Sequence[str] = ()) -> Program:
        started.append(Program(folder, *arguments, prefix=prefix))
        return started[-1]

    yield begin
    for program in started:
        program.kill()
