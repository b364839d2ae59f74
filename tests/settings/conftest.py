from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from clustersight.problem import SettingsError
from clustersight.settings.fields import Known
from clustersight.settings.file import load

if TYPE_CHECKING:
    from pathlib import Path


class Config:
    """A configuration file in a folder of its own, and the problems or settings that it gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "c.yaml"

    def write(self, name: str, text: str) -> Path:
        (self.folder / name).write_text(text, encoding="utf-8")
        return self.folder / name

    def load(self, text: str, panels=None, **environ: str):
        self.path.write_text(text, encoding="utf-8")
        return load(self.path, environ, Known(panels=panels))

    def problems(self, text: str, panels=None, **environ: str) -> list[str]:
        """Return the problem lines, with `c.yaml` for the whole path."""
        with pytest.raises(SettingsError) as caught:
            self.load(text, panels, **environ)
        return str(caught.value).replace(f"{self.folder}/", "").splitlines()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path)


def certificate(folder: Path, name: str, *, passphrase: bytes | None = None) -> tuple[Path, Path]:
    """Write a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    locked = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    (folder / f"{name}.crt").write_bytes(cert.public_bytes(pem))
    (folder / f"{name}.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, locked))
    return folder / f"{name}.crt", folder / f"{name}.key"
