"""The output of several processes in one stream: whole lines, never two mixed."""

from __future__ import annotations

# An event has some hundred characters; who never ends a line must not fill the memory.
MAX_BYTES = 256 * 1024


class Lines:
    """Takes pieces as a pipe brings them, gives whole lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> bytes:
        """The lines that are whole now; a line that is too long is broken."""
        whole, newline, self._rest = (self._rest + piece).rpartition(b"\n")
        if len(self._rest) < MAX_BYTES:
            return whole + newline
        return whole + newline + self.end()

    def end(self) -> bytes:
        """What is left, as a line."""
        rest, self._rest = self._rest, b""
        return rest + b"\n" if rest else b""
