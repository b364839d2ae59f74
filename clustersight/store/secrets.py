"""Secrets at rest: Fernet, with a key from CLUSTERSIGHT_SECRET_KEY or from a file that only we may read."""

from __future__ import annotations

import base64
import secrets as random
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from clustersight.store.errors import Unavailable, Undecryptable
from clustersight.store.whole_file import whole_file

KEY_FILE = "secret.key"
# Design, "Store": shorter ones can be guessed.
SHORTEST_KEY = 32
# Binds the derived key to this use: the same secret elsewhere gives another key.
_PURPOSE = b"clustersight store v1"


class SecretBox:
    """Encrypts what must not lie about in clear. Its repr shows nothing."""

    __slots__ = ("_fernet",)

    def __init__(self, secret_key: str) -> None:
        derived = HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret_key.encode())
        self._fernet = Fernet(base64.urlsafe_b64encode(derived))

    def encrypt(self, secret: str) -> str:
        """A token that only this key opens."""
        return self._fernet.encrypt(secret.encode()).decode()

    def decrypt(self, token: str) -> str:
        """The secret. Raises Undecryptable."""
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except InvalidToken:
            raise Undecryptable(
                "a stored secret cannot be decrypted with this key; start with the key that it was stored"
                " with, or enter the secret anew"
            ) from None


def key_from_file(folder: Path, *, make: bool = True) -> str:
    """The key in `folder`, made at the first call unless told otherwise; mode 0600. Raises Unavailable."""
    path = folder / KEY_FILE
    try:
        if make and not path.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _create(path)
        key = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise Unavailable(f"there is no key file {path}; put its backup back") from None
    except (OSError, ValueError) as error:
        raise Unavailable(f"cannot read or make the key file {path}: {_reason(error)}") from None
    if len(key) < SHORTEST_KEY:
        raise Unavailable(
            f"the key file {path} is damaged; put its backup back, or remove it and enter secrets anew"
        )
    return key


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or "input/output error") if isinstance(error, OSError) else "it is not text"


def _create(path: Path) -> None:
    """Also when two processes start at once: the first one's key counts."""
    with whole_file(path, replaces=False) as unfinished:
        unfinished.write_text(random.token_hex(32) + "\n")
