"""HTTP Basic authentication against bcrypt hashes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import bcrypt

if TYPE_CHECKING:
    from collections.abc import Mapping

# As many scrapers and people as one process plausibly has; an entry is 32 bytes.
_REMEMBERED = 256
# bcrypt reads no more, and the library refuses more.
_BCRYPT_BYTES = 72


class WebUsers:
    """Names and bcrypt hashes; thread safe.

    A check costs about 50 ms of one core, so a pair that was right is remembered by a keyed hash. Only
    right pairs are: a quick answer tells nothing to somebody who does not know the password.
    """

    def __init__(self, hashes: Mapping[str, str]) -> None:
        """`hashes` has bcrypt hashes that were checked for their form."""
        self._hashes = {name.encode(): text.encode() for name, text in hashes.items()}
        self._ordered = list(self._hashes.values())
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def authorized(self, header: str | None) -> bool:
        """Check the value of an Authorization header; everything malformed is wrong."""
        pair = _basic(header)
        if pair is None or not self._ordered:
            return False
        name, password = pair
        # The length keeps ("ab", "c") and ("a", "bc") apart.
        digest = self._digest(len(name).to_bytes(8, "big") + name + password)
        if self._remembers(digest):
            return True
        right = self._check(name, password)
        if right:
            self._remember(digest)
        return right

    def _check(self, name: bytes, password: bytes) -> bool:
        """Check against a hash in any case, so that an unknown name takes as long as a known one.

        The stand-in is always the same for a name, and one of the real hashes: it has their cost.
        """
        stand_in = self._ordered[self._digest(name)[0] % len(self._ordered)]
        hashed = self._hashes.get(name)
        try:
            matches = bcrypt.checkpw(password[:_BCRYPT_BYTES], hashed or stand_in)
        except ValueError:
            # A NUL in the password, for versions of bcrypt that refuse it.
            return False
        return matches and hashed is not None

    def _digest(self, message: bytes) -> bytes:
        return hmac.digest(self._key, message, hashlib.sha256)

    def _remembers(self, digest: bytes) -> bool:
        with self._lock:
            known = digest in self._right
            if known:
                self._right.move_to_end(digest)
            return known

    def _remember(self, digest: bytes) -> None:
        with self._lock:
            self._right[digest] = None
            while len(self._right) > _REMEMBERED:
                self._right.popitem(last=False)


def _basic(header: str | None) -> tuple[bytes, bytes] | None:
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except ValueError:
        return None
    return (name, password) if colon else None
