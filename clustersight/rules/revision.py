"""Rules as a revision of git has them: the files below some paths, read from its objects."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from clustersight.rules import files
from clustersight.rules.loader import Loaded, load
from clustersight.rules.rule import Rule


class RevisionError(Exception):
    """There is no such revision, or no repository; the text is one line for a person."""


class _FailedError(RevisionError):
    """git was there and said no."""


def rules_at(revision: str, paths: Sequence[Path], known: Sequence[Rule] = ()) -> Loaded:
    """The rules below paths as they were; a path that was not there had none. Raises RevisionError."""
    with tempfile.TemporaryDirectory(prefix="clustersight-rules-") as temporary:
        there = [
            target
            for number, path in enumerate(paths)
            for target in _extract(revision, path.absolute(), Path(temporary, str(number)))
        ]
        return load(there, known) if there else Loaded()


def _extract(revision: str, path: Path, target: Path) -> Iterator[Path]:
    """Write what was at a path to a folder; gives its place there if there was a rule file."""
    folder = path if path.is_dir() else path.parent
    while not folder.is_dir():
        folder = folder.parent
    top = Path(_git(folder, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
    commit = _commit(folder, revision)
    own = path.resolve().relative_to(top.resolve())
    found = [name for name in _names(top, commit, own) if name.endswith(files.ENDINGS)]
    for name in found:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(_git(top, "cat-file", "blob", f"{commit}:{name}"))
    if found:
        yield target / own


def _commit(folder: Path, revision: str) -> str:
    wanted = f"{revision}^{{commit}}"
    try:
        return _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted).decode().strip()
    except _FailedError:
        raise RevisionError(f"there is no revision {revision!r} here; fetch it, or name another") from None


def _names(top: Path, commit: str, own: Path) -> list[str]:
    """The plain files at or below a path; links and submodules are none."""
    listed = _git(top, "ls-tree", "-r", "-z", commit, "--", str(own)).decode("utf-8", "surrogateescape")
    entries = (entry.split("\t", 1) for entry in listed.split("\0") if entry)
    return [name for about, name in entries if about.startswith("100")]


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "--literal-pathspecs", "-C", str(folder), *arguments], capture_output=True, check=True
        )
    except FileNotFoundError:
        raise RevisionError("git is not installed; give a URL, or install it") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _FailedError(f"git cannot tell: {lines[-1] if lines else error.returncode}") from None
    return done.stdout
