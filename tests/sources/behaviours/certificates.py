"""Certificates made at test time, and the TLS of the servers that show them; elliptic curves, because RSA keys take seconds."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAME = "chat.example"
NOW = datetime.now(UTC)
DAYS = 90
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """A certificate, its key, and the certificates that the server sends along."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    def pem(self) -> bytes:
        """All of it in one file, as `ssl` reads it."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return key + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in (self.certificate, *self.chain))


def identity(
    name: str,
    issuer: Identity | None = None,
    *,
    authority: bool = False,
    names: tuple[str, ...] = (NAME,),
    valid: tuple[timedelta, timedelta] = (-DAY, DAYS * DAY),
    use: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
) -> Identity:
    """A certificate, signed by the issuer or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + valid[0])
        .not_valid_after(NOW + valid[1])
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
    )
    if not authority:
        made = made.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([general(each) for each in names]), critical=False)
    return Identity(made.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def general(name: str) -> x509.GeneralName:
    """A name or an address of a certificate."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def identities() -> tuple[Identity, Mapping[str, Identity]]:
    """The authority that is trusted, and each server's identity by name."""
    trusted, unknown = identity("Test Authority", authority=True), identity("Unknown Authority", authority=True)
    middle = identity("Middle Authority", trusted, authority=True)
    below = identity(NAME, middle)
    return trusted, {
        "good": identity(NAME, trusted, names=(NAME, "127.0.0.1")),
        "wildcard": identity("*.chat.example", trusted, names=("*.chat.example",)),
        "below": Identity(below.certificate, below.key, (middle.certificate,)),
        "chain-missing": below,
        "expired": identity(NAME, trusted, valid=(-DAYS * DAY, -DAY)),
        "not-yet-valid": identity(NAME, trusted, valid=(DAY, DAYS * DAY)),
        "self-signed": identity(NAME),
        "unknown-authority": identity(NAME, unknown),
        "other-name": identity("other.example", trusted, names=("other.example",)),
        "only-a-common-name": identity(NAME, trusted, names=()),
        "for-clients": identity(NAME, trusted, use=ExtendedKeyUsageOID.CLIENT_AUTH),
    }


def server_context(pem: Path) -> ssl.SSLContext:
    """TLS as a server speaks it with this identity."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def only(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """The same in one version alone; the oldest need OpenSSL's lowest level of security."""
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # old ones are what is wanted
        context.minimum_version = context.maximum_version = version
    return context


def contexts(folder: Path) -> tuple[Path, Mapping[str, ssl.SSLContext]]:
    """The file of the authority that is trusted, and each server's TLS by name."""
    trusted, servers = identities()
    authority = folder / "authority.pem"
    authority.write_bytes(trusted.certificate.public_bytes(serialization.Encoding.PEM))
    for name, each in servers.items():
        (folder / f"{name}.pem").write_bytes(each.pem())
    good = folder / "good.pem"
    made = {name: server_context(folder / f"{name}.pem") for name in servers}
    for name in ("TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"):
        made[name] = only(server_context(good), ssl.TLSVersion[name])
    made["h2-only"] = server_context(good)
    made["h2-only"].set_alpn_protocols(["h2"])
    made["http/1.1"] = server_context(good)
    made["http/1.1"].set_alpn_protocols(["h2", "http/1.1"])
    made["wants-a-client-certificate"] = only(server_context(good), ssl.TLSVersion.TLSv1_3)
    made["wants-a-client-certificate-in-1.2"] = only(server_context(good), ssl.TLSVersion.TLSv1_2)
    for name in ("wants-a-client-certificate", "wants-a-client-certificate-in-1.2"):
        made[name].load_verify_locations(authority)
        made[name].verify_mode = ssl.CERT_REQUIRED
    return authority, made
