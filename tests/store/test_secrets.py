"""Secrets at rest: what is stored tells nothing, and one key per store opens it."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from clustersight.store.errors import Unavailable, Undecryptable
from clustersight.store.secrets import KEY_FILE, SecretBox, key_from_file
from tests.store.conftest import Program

KEY = "correct horse battery staple, twice over"
SECRET = "pässwörd\n'\";--\0"


@pytest.mark.parametrize("secret", ["", SECRET, "x" * 100_000])
def test_what_is_put_in_comes_out(secret: str) -> None:
    token = SecretBox(KEY).encrypt(secret)

    assert token.isascii()
    assert SecretBox(KEY).decrypt(token) == secret


def test_a_token_tells_nothing() -> None:
    box = SecretBox(KEY)
    tokens = {box.encrypt("password") for _ in range(100)}

    assert len(tokens) == 100
    assert not any("password" in token for token in tokens)


@pytest.mark.parametrize("other", ["another key that is long enough, too", KEY + " ", KEY.upper()])
def test_another_key_does_not_open_it(other: str) -> None:
    token = SecretBox(KEY).encrypt(SECRET)

    with pytest.raises(Undecryptable, match="start with the key") as caught:
        SecretBox(other).decrypt(token)
    told = "".join(traceback.format_exception(caught.value))
    assert other not in told
    assert token not in told


@pytest.mark.parametrize(
    "damage", [lambda t: t[:-4], lambda t: "", lambda t: t[:50] + "é" + t[51:], lambda t: t[:30] + "A" * 4]
)
def test_a_damaged_token(damage: Callable[[str], str]) -> None:
    with pytest.raises(Undecryptable):
        SecretBox(KEY).decrypt(damage(SecretBox(KEY).encrypt(SECRET)))


def test_a_box_shows_nothing() -> None:
    box = SecretBox(KEY)

    assert KEY not in f"{box!r} {box} {box:} {dir(box)}"


def test_the_key_file_is_made_once_for_us_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "clustersight"
    before = os.umask(0)
    try:
        key = key_from_file(folder)
    finally:
        os.umask(before)

    assert len(key) == 64
    assert (folder / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]
    assert key_from_file(folder) == key != key_from_file(tmp_path / "other")


def test_a_key_file_is_not_made_where_only_one_is_read(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="put its backup back"):
        key_from_file(tmp_path / "state", make=False)
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_at_once_get_one_key(tmp_path: Path, start: Callable[..., Program]) -> None:
    folder = tmp_path / "state"
    go = tmp_path / "go"
    programs = [start("key", folder, go) for _ in range(6)]
    go.touch()
    ended = [program.wait() for program in programs]

    assert [(one.code, one.errors) for one in ended] == [(0, "")] * 6
    assert {one.output.strip() for one in ended} == {key_from_file(folder)}
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is damaged"),
        (b"too short\n", "is damaged"),
        (b"\xff\xfe" * 40, "it is not text"),
    ],
)
def test_a_damaged_key_file_is_not_replaced(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / KEY_FILE
    path.write_bytes(content)

    with pytest.raises(Unavailable, match=reason) as caught:
        key_from_file(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == content


def test_a_key_file_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / KEY_FILE).mkdir()
    for folder, reason in ((tmp_path / "file", "Not a directory|File exists"), (tmp_path, "Is a directory")):
        with pytest.raises(Unavailable, match=reason):
            key_from_file(folder)
