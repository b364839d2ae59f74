"""Output of several processes: whole lines, whatever the pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clustersight.supervising.lines import MAX_BYTES, Lines


@given(st.lists(st.binary(max_size=20)))
def test_nothing_is_lost_and_only_whole_lines_come(pieces: list[bytes]) -> None:
    lines = Lines()
    given_out = [lines.feed(piece) for piece in pieces]

    assert all(one == b"" or one.endswith(b"\n") for one in given_out)
    everything = b"".join(pieces)
    assert b"".join(given_out) + lines.end() == everything + (
        b"\n" if everything and not everything.endswith(b"\n") else b""
    )


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    lines = Lines()
    found = b"".join(lines.feed(b"x" * 1000) for _ in range(MAX_BYTES // 1000 + 1))

    assert found.endswith(b"\n")
    assert len(found) <= MAX_BYTES + 1001
