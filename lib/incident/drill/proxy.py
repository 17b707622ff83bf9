"""Something in front of the service: a proxy, or a load balancer, that everybody goes through.

It forwards bytes, and does one thing wrong: it drops headers of the request, ends a socket on which nothing was said
for a while, or shows a certificate that has expired. One connection carries one request, as at the front end. It cannot
imitate caching, HTTP/2 or a proxy that answers for itself.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from incident.drill.http1 import Head, MalformedHead, parse_head
from incident.drill.steps import Proxy

HEAD_LIMIT = 1 << 16
HOST = "127.0.0.1"


class ProxyServer:
    """The proxy of a step, in front of a port of loopback; `url` is where it listens once it has started."""

    def __init__(self, step: Proxy, port: int, folder: Path) -> None:
        self.step, self._port, self._folder = step, port, folder
        self.url = ""
        self.authority: Path | None = None
        """The certificate of the authority that signed its own, in PEM; None where it speaks in the clear."""
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen on a free port."""
        context = self._expired() if self.step.host_tls == "expired" else None
        self._server = await asyncio.start_server(self._connected, HOST, 0, limit=HEAD_LIMIT, ssl=context)
        scheme = "https" if context else "http"
        self.url = f"{scheme}://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening and end what is open."""
        if self._server:
            self._server.close()
        for connection in self._connections.copy():
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        connection = asyncio.create_task(self._forward(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _forward(self, reader: StreamReader, writer: StreamWriter) -> None:
        """One connection: the head without what is dropped, then bytes both ways until one side ends or all is idle."""
        try:
            head = without(parse_head(await reader.readuntil(b"\r\n\r\n")), self.step.drops)
            upstream, to_upstream = await asyncio.open_connection(HOST, self._port)
            to_upstream.write(head.encode())
            await self._relay([(reader, to_upstream), (upstream, writer)])
            to_upstream.close()
        except (MalformedHead, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass
        finally:
            writer.close()
            with suppress(OSError, ssl.SSLError):
                await writer.wait_closed()

    async def _relay(self, ways: Sequence[tuple[StreamReader, StreamWriter]]) -> None:
        idle = self.step.idle or None
        heard = asyncio.Event()
        pumps = [asyncio.create_task(_pump(source, target, heard)) for source, target in ways]
        try:
            while not any(pump.done() for pump in pumps):
                heard.clear()
                said = asyncio.create_task(heard.wait())
                done, _ = await asyncio.wait([said, *pumps], timeout=idle, return_when=asyncio.FIRST_COMPLETED)
                said.cancel()
                if not done:
                    return
            await asyncio.wait(pumps, timeout=1.0)
        finally:
            for pump in pumps:
                pump.cancel()

    def _expired(self) -> ssl.SSLContext:
        """A context whose certificate expired yesterday, signed by an authority that is written beside it."""
        self.authority = self._folder / "authority.pem"
        chain = self._folder / "proxy.pem"
        authority, own = expired_certificates()
        self.authority.write_bytes(authority)
        chain.write_bytes(own)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context


def without(head: Head, names: Sequence[str]) -> Head:
    """A head without some headers.

    >>> without(Head(b"GET / HTTP/1.1", [(b"Upgrade", b"websocket"), (b"Host", b"a")]), ["upgrade"]).headers
    [(b'Host', b'a')]
    """
    dropped = {name.lower().encode() for name in names}
    return Head(head.start, [(name, value) for name, value in head.headers if name.lower() not in dropped])


def expired_certificates() -> tuple[bytes, bytes]:
    """An authority's certificate, and a certificate for loopback that expired yesterday with its key; both in PEM."""
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    key, own_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Drill Authority")])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    authority = (
        _certificate(issuer, issuer, key, now - 400 * day, now + 400 * day)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    own = (
        _certificate(subject, issuer, own_key, now - 91 * day, now - day)
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = own_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return authority.public_bytes(pem), own.public_bytes(pem) + private


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, start: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:  # fmt: skip
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)


async def _pump(source: StreamReader, target: StreamWriter, heard: asyncio.Event) -> None:
    with suppress(OSError):
        while data := await source.read(1 << 16):
            heard.set()
            target.write(data)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
