"""TLS under a connection: which certificates are trusted, what the endpoint showed, and why it is not trusted.

Decides: whether a connection may go on, and the facts of its certificate. Reads: the network, the machine's trusted
certificates or those of `SSL_CERT_FILE`. Cannot tell: whether a certificate was withdrawn; no revocation is asked for.

OpenSSL ends a handshake whose certificate is not trusted, and lets nobody read it then. So that its names and dates can
be told all the same, a second connection is made, without verification, which ends with the handshake: only the
certificate is read, and never a request sent. Only with `insecure` does the check itself go on without verification.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from incident.http1 import printable
from incident.sources.stages import Limits, Stages, Stopped
from incident.sources.wire import connect_address, reason_words

Facts = Mapping[str, Any]

UNREAD: Final[Facts] = dict.fromkeys(("subject", "names", "issuer", "not_before", "not_after"))
NAMES_SHOWN: Final = 100  # a certificate for more names than this is no service's own
NAME_PARTS: Final = ("commonName", "organizationName")
FAILURES: Final = {
    "wrong version number": "the other side does not speak TLS",
    "unsupported protocol": "the other side offers no version from TLS 1.2 on",
    "tlsv1 alert protocol version": "the other side offers no version from TLS 1.2 on",
    "tlsv1 alert no application protocol": "the other side does not speak HTTP/1.1, which a WebSocket needs",
    "sslv3 alert handshake failure": "the other side has no cipher in common, or wants a client certificate",
    "tlsv1 unrecognized name": "the other side does not serve this name",
}
"""OpenSSL's reasons, in words for who does not know them."""


UNKNOWN_ISSUER: Final = "unable to get local issuer certificate"
DISTRUST: Final = {
    UNKNOWN_ISSUER: "a private authority, or an intermediate certificate that the server does not send",
}
"""What is behind OpenSSL's words for a certificate that it does not trust."""


class Untrusted(Stopped):
    """A certificate that is not trusted, and where it was seen."""

    def __init__(self, why: str, family: int, address: Any) -> None:
        """Keep the address that the certificate came from."""
        super().__init__(f"the certificate is not trusted: {why}")
        self.family, self.address = family, address


@dataclass
class Tls:
    """What one connection's TLS showed; `because` is empty where nothing is wrong.

    `trusted` is None where no certificate was seen: the other side speaks no TLS, or ended before it.

    `context` is made before any clock runs: reading the trusted certificates takes longer than most handshakes.
    """

    context: ssl.SSLContext
    version: str | None = None
    cipher: str | None = None
    alpn: str | None = None
    certificate: bytes | Mapping[str, Any] | None = None  # as DER, or as `ssl` reads one that it trusts
    trusted: bool | None = None
    because: str = ""

    def take(self, transport: asyncio.BaseTransport) -> None:
        """Keep what a handshake agreed on."""
        agreed = transport.get_extra_info("ssl_object")
        self.version, self.alpn = agreed.version(), agreed.selected_alpn_protocol()
        self.cipher = agreed.cipher()[0]
        self.certificate = agreed.getpeercert() or agreed.getpeercert(binary_form=True)

    def row(self, now: datetime) -> dict[str, Any]:
        """The field `tls` of a probe's row: times are ISO 8601 in UTC, `days_left` is negative once it has ended."""
        known = facts(self.certificate)
        ends = known["not_after"]
        times = {name: known[name] and iso(known[name]) for name in ("not_before", "not_after")}
        left = {"days_left": ends and round((ends - now).total_seconds() / 86400, 2)}
        agreed = {"version": self.version, "cipher": self.cipher, "alpn": self.alpn}
        return {**agreed, **known, **times, **left, "trusted": self.trusted, "because": self.because}


def checking() -> ssl.SSLContext:
    """OpenSSL's defaults, `SSL_CERT_FILE` among them, and ALPN for HTTP/1.1 alone: over h2 there is no 101.

    A certificate's common name is no name of its host (RFC 9525 2), though OpenSSL still takes it; browsers do not.

    Kept for the paths that it was made from.
    """
    return _checking(ssl.get_default_verify_paths())


@lru_cache(maxsize=4)
def _checking(paths: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.hostname_checks_common_name = False
    context.set_alpn_protocols(["http/1.1"])
    return context


@lru_cache(maxsize=1)
def unchecked() -> ssl.SSLContext:
    """The same, trusting anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


async def secure(
    sock: socket.socket, wire: asyncio.Protocol, host: str, stages: Stages, limits: Limits, insecure: bool, tls: Tls
) -> None:
    """Lay the wire over a socket by TLS; what that shows goes to `tls`.

    Raises `Untrusted` for a certificate that is not, unless `insecure`: then it goes on over another connection to the
    same address, unverified, and `tls` still says why it is not trusted.
    """
    stages.enter("tls")
    family = sock.family
    try:
        address = sock.getpeername()
        tls.take(await handshake(sock, wire, tls.context, host, stages, limits))
        tls.trusted = True
    except ssl.SSLCertVerificationError as error:
        tls.trusted, tls.because = False, distrust_words(error.verify_message)
        if not insecure:
            raise Untrusted(tls.because, family, address) from None
        try:
            again = await connect_address(family, socket.SOCK_STREAM, 0, address, stages, limits)
            tls.take(await handshake(again, wire, unchecked(), host, stages, limits))
        except OSError:
            raise Stopped("the connection ended before its second TLS handshake, without verification") from None
    except OSError:
        tls.because = "the connection ended in the TLS handshake"
        raise Stopped(tls.because) from None
    except Stopped as stopped:
        tls.because = str(stopped)
        raise


def distrust_words(said: str) -> str:
    """Why a certificate is not trusted, by OpenSSL, and what that means where its words do not say.

    >>> distrust_words("certificate has expired")
    'certificate has expired'
    """
    words = printable(said).rstrip(".")
    return f"{words} ({DISTRUST[words]})" if words in DISTRUST else words


async def handshake(
    sock: socket.socket, wire: asyncio.Protocol, context: ssl.SSLContext, host: str, stages: Stages, limits: Limits
) -> asyncio.BaseTransport:
    """One TLS handshake within its limit; an `SSLCertVerificationError` is for the caller."""
    loop = asyncio.get_running_loop()
    try:
        async with stages.limited(limits.tls):
            transport, _ = await loop.create_connection(lambda: wire, sock=sock, ssl=context, server_hostname=host)
    except ssl.SSLCertVerificationError:
        raise
    except ssl.SSLError as error:
        reason = reason_words(error)
        words = FAILURES.get(reason)
        raise Stopped(f"the TLS handshake failed: {f'{words} ({reason})' if words else reason}") from None
    except ValueError:  # such as a label of more than 63 letters
        sock.close()
        raise Stopped(f"the TLS handshake cannot ask for {printable(host)}: it is no name") from None
    return transport


async def look(untrusted: Untrusted, host: str, stages: Stages, limits: Limits, tls: Tls) -> None:
    """Read the certificate that was not trusted, by a connection of its own that ends with the handshake."""
    with suppress(Stopped, OSError):
        async with stages.limited(limits.tls):
            sock = await connect_address(untrusted.family, socket.SOCK_STREAM, 0, untrusted.address, stages, limits)
            transport: Any = await handshake(sock, asyncio.Protocol(), unchecked(), host, stages, limits)
            tls.take(transport)
            transport.abort()


def facts(certificate: bytes | Mapping[str, Any] | None) -> Facts:
    """Subject, DNS names, issuer and dates of a certificate, as DER or as `ssl` reads it; None where it has none.

    >>> facts(None)["subject"] is None
    True
    """
    try:
        if isinstance(certificate, bytes):
            return facts_of_der(certificate)
        return facts_of_mapping(certificate) if certificate else UNREAD
    except ValueError:  # one that OpenSSL reads and others do not
        return UNREAD


def facts_of_mapping(certificate: Mapping[str, Any]) -> Facts:
    """The facts of a certificate that `ssl` has verified, from its `getpeercert`."""
    times = (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate[key]), UTC) for key in ("notBefore", "notAfter")
    )
    subject, issuer = (
        [pair for part in certificate.get(key, ()) for pair in part] for key in ("subject", "issuer")
    )  # fmt: skip
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    return as_facts(subject, issuer, names, *times)


def facts_of_der(der: bytes) -> Facts:
    """The facts of any certificate; `cryptography` is slow to load, which those who need it not should not wait for."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    held = x509.load_der_x509_certificate(der)
    parts = dict(zip((NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME), NAME_PARTS, strict=True))
    subject, issuer = (
        [(parts[each.oid], str(each.value)) for each in name if each.oid in parts]
        for name in (held.subject, held.issuer)
    )
    try:
        alternatives = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = alternatives.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        names = []
    return as_facts(subject, issuer, names, held.not_valid_before_utc, held.not_valid_after_utc)


def as_facts(
    subject: Iterable[tuple[str, str]], issuer: Iterable[tuple[str, str]], names: Sequence[str], begins: datetime,
    ends: datetime,
) -> Facts:  # fmt: skip
    """Both readers' facts in one form, safe to show: a certificate is written by the other side."""
    shown = [printable(name) for name in names[:NAMES_SHOWN]]
    dates = {"not_before": begins, "not_after": ends}
    return {"subject": name_words(subject), "names": shown, "issuer": name_words(issuer), **dates}


def name_words(pairs: Iterable[tuple[str, str]]) -> str:
    """The common name and the organisation of a distinguished name.

    >>> name_words([("countryName", "US"), ("organizationName", "Google Trust Services"), ("commonName", "WR2")])
    'WR2, Google Trust Services'
    """
    held = dict(pairs)
    return printable(", ".join(held[name] for name in NAME_PARTS if name in held))


def iso(time: datetime) -> str:
    """ISO 8601 in UTC, with Z."""
    return time.isoformat().replace("+00:00", "Z")
