"""Files that are there whole or not at all, whatever is killed meanwhile; for our eyes only (mode 0600)."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: Path, *, replaces: bool) -> Iterator[Path]:
    """An empty file under another name to write to; at the end it gets its own.

    Where there is a file already, it `replaces` it, or gives way: it was then made by another process at
    the same time, which is as good. Raises OSError.
    """
    # A random name: a process id would not do, since in two containers both are number 1.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    unfinished = Path(name)
    try:
        os.close(handle)
        yield unfinished
        sync(unfinished)
        if replaces:
            unfinished.replace(path)
        else:
            with contextlib.suppress(FileExistsError):
                os.link(unfinished, path)
        sync(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Make a file's content, or the names in a folder, survive the loss of power. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
