"""Where all that is said goes: standard error; what nobody reads there is lost, and the work goes on."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer  # typing has it from Python 3.12 on

# poll(2) promises room for so much in a pipe that can be written to: such a write waits for nobody.
PIECE_BYTES = select.PIPE_BUF
# A reader that is busy gets this long; one that sleeps (a pager, a log shipper that hangs) has it once.
PATIENCE_SECONDS = 1.0


class Output(io.RawIOBase):
    """A file descriptor that is never waited for long. What has no room is lost, and how much is told."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._poll = select.poll()
        self._poll.register(number, select.POLLOUT)
        self._lost = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        """Takes all of it, whatever becomes of it."""
        said = bytes(data)
        for start in range(0, len(said), PIECE_BYTES):
            self._put(said[start : start + PIECE_BYTES])
        return len(said)

    def _put(self, piece: bytes) -> None:
        if not self._poll.poll(0 if self._lost else PATIENCE_SECONDS * 1000):
            self._lost += len(piece)
            return
        if self._lost:
            note, self._lost = f"\n{self._lost} bytes were lost here: nobody read them in time\n".encode(), 0
            self._put(note)
            self._put(piece)
            return
        with contextlib.suppress(OSError):  # nobody can read it any more
            os.write(self._number, piece)


def take_stderr() -> None:
    """From here on standard error holds nobody up; also where it was closed."""
    number = os.open(os.devnull, os.O_WRONLY) if sys.stderr is None else sys.stderr.fileno()
    # One write a line and no buffer: what is said is there at once.
    sys.stderr = io.TextIOWrapper(Output(number), "utf-8", "backslashreplace", write_through=True)
