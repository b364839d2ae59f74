from __future__ import annotations

import pytest

from clustersight.settings.listen import Listen, open_listener, parse_listen


@pytest.mark.parametrize(
    ("text", "listen", "loopback"),
    [
        ("127.0.0.1:9116", Listen("127.0.0.1", 9116), True),
        ("127.8.8.8:0", Listen("127.8.8.8", 0), True),
        ("localhost:9116", Listen("localhost", 9116), True),
        ("[::1]:9116", Listen("::1", 9116), True),
        (":9116", Listen("", 9116), False),
        ("0.0.0.0:9116", Listen("0.0.0.0", 9116), False),
        ("[::]:9116", Listen("::", 9116), False),
        ("ch1.internal:65535", Listen("ch1.internal", 65535), False),
        ("localhost.evil.example:1", Listen("localhost.evil.example", 1), False),
    ],
)
def test_an_address_is_read_and_written_back(text, listen, loopback):
    assert parse_listen(text) == listen
    assert str(listen) == text
    assert listen.is_loopback is loopback


@pytest.mark.parametrize(
    "text", ["", "9116", "127.0.0.1", "::1:9116", "[x]:1", "a:65536", "a:-1", "a b:1", "a:1\n"]
)
def test_anything_else_is_refused_with_examples(text):
    with pytest.raises(ValueError, match=r"\[::1\]:9116"):
        parse_listen(text)


@pytest.mark.parametrize(
    ("address", "authenticated", "allow_open", "refused"),
    [
        (":1", False, False, True),
        (":1", True, False, False),
        (":1", False, True, False),
        ("127.0.0.1:1", False, False, False),
    ],
)
def test_a_listener_beyond_loopback_needs_authentication_or_consent(
    address, authenticated, allow_open, refused
):
    message = open_listener(
        "exporter", parse_listen(address), authenticated=authenticated, allow_open=allow_open
    )
    assert (message is not None) is refused
    assert message is None or "exporter.allow_open: true" in message
