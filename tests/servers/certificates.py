"""Certificates for TLS tests: an authority, a valid one, an expired one, one for another host."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Certificates:
    """`authority` is the CA's certificate; the three are signed by it, `self_signed` is not.

    `valid` and `expired` are for 127.0.0.1 and localhost, `wrong_host` is for elsewhere.test.
    """

    authority: Path
    valid: Certificate
    expired: Certificate
    wrong_host: Certificate
    self_signed: Certificate


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str = "ClusterSight test authority") -> None:
        self.folder = folder
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        builder = described(self.name, self.name, self.key, datetime.now(UTC) + 24 * HOUR)
        self.own = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(key_usage(signs=True), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.file = folder / "authority.pem"
        self.file.write_bytes(self.own.public_bytes(serialization.Encoding.PEM))

    def issue(self, file_name: str, hosts: tuple[str, ...], until: datetime) -> Certificate:
        """Write a server certificate for the hosts, valid until then."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
        names = x509.SubjectAlternativeName([general_name(host) for host in hosts])
        builder = described(subject, self.name, key, until).add_extension(names, critical=False)
        signed = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        ).sign(self.key, hashes.SHA256())
        return written(self.folder, file_name, signed, key)


def make_certificates(folder: Path) -> Certificates:
    """Write all of them into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stranger").mkdir(exist_ok=True)
    authority = Authority(folder)
    here = ("localhost", "127.0.0.1")
    later, before = datetime.now(UTC) + 12 * HOUR, datetime.now(UTC) - HOUR
    return Certificates(
        authority=authority.file,
        valid=authority.issue("valid", here, later),
        expired=authority.issue("expired", here, before),
        wrong_host=authority.issue("wrong-host", ("elsewhere.test",), later),
        self_signed=Authority(folder / "stranger", "Stranger").issue("self-signed", here, later),
    )


def described(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - 48 * HOUR)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def written(
    folder: Path, name: str, signed: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> Certificate:
    files = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    files.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
