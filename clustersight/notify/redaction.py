"""What may be shown of a receiver's answer: short, printable, and without what the URL and headers hide."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote

# The receiver's words, as far as a person needs them to see what is wrong.
EXCERPT_SIZE = 200
# A shorter piece of a URL is no secret, and hiding each "v1" would make answers unreadable.
_SHORTEST_PIECE = 5
_HIDDEN = "[hidden]"
_AUTHORITY_END = re.compile(r"[/?#]")
_PIECE_END = re.compile(r"[/?#&=;:]")
_UNPRINTABLE = re.compile(r"[^ -~\u00a1-\u167f]")


class Redaction:
    """Hides the secret parts of one channel; its repr shows none."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        pieces = {form for piece in _pieces(url, headers) for form in _forms(piece)}
        # The longest first: a whole URL is hidden as one.
        longest = sorted((p for p in pieces if len(p) >= _SHORTEST_PIECE), key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest)) or r"(?!)", re.IGNORECASE)

    def __repr__(self) -> str:
        return "Redaction(…)"

    def excerpt(self, text: str) -> str:
        """The beginning of a text."""
        hidden = self._secrets.sub(_HIDDEN, text)
        return " ".join(_UNPRINTABLE.sub(" ", hidden[:EXCERPT_SIZE]).split())


def _pieces(url: str, headers: Mapping[str, str]) -> Iterator[str]:
    """Everything but the host: each part by itself, since an answer may quote any of them."""
    rest = url.partition("://")[2]
    netloc = _AUTHORITY_END.split(rest, maxsplit=1)[0]
    userinfo, tail = netloc.rpartition("@")[0], rest[len(netloc) :]
    yield from (url, tail, userinfo)
    yield from _PIECE_END.split(f"{userinfo}/{tail}")
    # requests makes basic authentication of it.
    yield base64.b64encode(unquote(userinfo).encode("utf-8", "replace")).decode("ascii")
    for value in headers.values():
        yield value
        yield from value.split()


def _forms(piece: str) -> Iterator[str]:
    """As it is, decoded, encoded, and as JSON writes it."""
    for text in (piece, unquote(piece), quote(unquote(piece), safe="/", errors="replace")):
        yield text
        yield json.dumps(text)[1:-1]
