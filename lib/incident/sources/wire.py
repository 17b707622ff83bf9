"""One connection: resolved, connected, secured and fed to a pure reader, each stage timed and limited.

Decides: at which stage a connection stops, and the words for it. Reads: the network, by no proxy. Cannot tell: what
the bytes mean; `handshake` and `http1` do.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from incident.handshake import Handshake
from incident.http1 import Answer, printable

TIMED: Final = ("resolve_s", "connect_s", "tls_s", "status_s", "headers_s", "open_s")
LATE: Final = {
    "resolve": "the name did not resolve",
    "connect": "no connection",
    "tls": "the TLS handshake did not end",
    "request": "the request was not taken",
    "status": "no status line",
    "headers": "the headers did not end",
}


@dataclass(frozen=True)
class Limits:
    """Seconds that each stage may take; `total` holds for a whole handshake, whatever its stages do."""

    resolve: float = 5
    connect: float = 5
    tls: float = 5
    status: float = 15  # a cold start of Cloud Run takes seconds, and is no outage
    headers: float = 5
    total: float = 30
    message: float = 5
    close: float = 0.5


LIMITS: Final = Limits()


class Stopped(Exception):
    """A connection that ended before an answer, in words."""


class Stages:
    """The stage under way, and the seconds that each took; sending the request counts with the wait for its answer."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with the resolution of the name."""
        self.clock = clock
        self.stage = "resolve"
        self.since = clock()
        self.timings: dict[str, float | None] = dict.fromkeys(TIMED)

    def enter(self, stage: str) -> None:
        """Book the time so far on the stage under way, and begin another; `done` is none."""
        now = self.clock()
        key = "status_s" if self.stage == "request" else f"{self.stage}_s"
        if key in self.timings:
            self.timings[key] = round((self.timings[key] or 0.0) + now - self.since, 6)
        self.since = now
        self.stage = stage

    @asynccontextmanager
    async def limited(self, seconds: float) -> AsyncIterator[None]:
        """Stop what takes longer, in the words of the stage under way."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise Stopped(f"{LATE.get(self.stage, 'no end')} within {seconds:g} s") from None


class Wire(asyncio.Protocol):
    """Feeds a reader with what comes, sends what it answers, and stamps the stages as their bytes arrive.

    A stream reader would lose what came before a reset; here it is read already.
    """

    def __init__(self, reader: Handshake | Answer, stages: Stages) -> None:
        """Begin before the connection is made."""
        self.reader, self.stages = reader, stages
        self.lost = False
        self.reset = False
        self.opened_at: float | None = None
        self.ended_at: float | None = None
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Read, answer, and tell whoever waits."""
        if self.over:
            return
        self.reader.receive(data)
        self._stamp()
        self.flush()
        self._changed.set()

    def eof_received(self) -> bool:
        """A half-closed connection is of no use here."""
        self._end()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The end, in order or by a reset."""
        self.reset = self.reset or isinstance(error, ConnectionError)
        self._end()

    def _stamp(self) -> None:
        head = self.reader.head
        if self.opened_at is None and head.stage != self.stages.stage:
            self.stages.enter(head.stage)
        if self.opened_at is None and isinstance(self.reader, Handshake) and self.reader.frames:
            self.stages.enter("open")
            self.opened_at = self.stages.since
        if isinstance(self.reader, Handshake) and self.reader.frames and (self.reader.close or self.reader.fault):
            self.ended_at = self.stages.clock()

    def _end(self) -> None:
        if not self.lost:
            self.lost = True
            self.reader.receive_eof()
            self.ended_at = self.ended_at or self.stages.clock()
        self._changed.set()

    @property
    def over(self) -> bool:
        """Whether nothing more of it counts: it is lost, was closed, or broke a rule after it opened."""
        return self.ended_at is not None

    @property
    def settled(self) -> bool:
        """Whether the answer is decided, or no more of it can come."""
        decided = self.reader.verdict is not None if isinstance(self.reader, Handshake) else self.reader.done
        return decided or self.lost

    def send(self, data: bytes) -> None:
        """Write, where there is still somebody to read."""
        if data and not self.lost:
            self.transport.write(data)

    def flush(self) -> None:
        """Send what the reader answers."""
        self.send(self.reader.to_send())

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that bytes or their end bring about."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def wait(self, condition: Callable[[], bool], seconds: float) -> None:
        """The same, for a time; whether it came is for the caller to look at."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0)):
                await self.until(condition)


async def resolve(host: str, port: int) -> list[Any]:
    """The addresses of a name, by a daemon thread: an executor's would hold up our end for a dead resolver."""
    with suppress(socket.gaierror):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[Any]] = loop.create_future()

    def settle(result: list[Any] | Exception) -> None:
        if not future.done():
            future.set_exception(result) if isinstance(result, Exception) else future.set_result(result)

    def look_up() -> None:
        try:
            result: list[Any] | Exception = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            result = error
        with suppress(RuntimeError):  # the loop has ended without waiting
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=look_up, daemon=True).start()
    return await future


async def connect(host: str, port: int, stages: Stages, limits: Limits) -> socket.socket:
    """A connected socket to the first address that takes it; raises `Stopped` with what each address said."""
    try:
        async with stages.limited(limits.resolve):
            addresses = await resolve(host, port)
    except (OSError, UnicodeError) as error:
        raise Stopped(f"the name {host} does not resolve: {getattr(error, 'strerror', None) or 'not a name'}") from None
    stages.enter("connect")
    said = []
    for family, kind, proto, _, address in addresses:
        try:
            return await connect_address(family, kind, proto, address, stages, limits)
        except (OSError, Stopped) as error:
            why = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error)
            said.append(f"{address[0]} port {address[1]}: {why}")
    raise Stopped("; ".join(said))


async def connect_address(
    family: int, kind: int, proto: int, address: Any, stages: Stages, limits: Limits
) -> socket.socket:
    """One address, within its limit; the socket is closed where that fails."""
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        async with stages.limited(limits.connect):
            await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def is_loopback(sock: socket.socket) -> bool:
    """Whether the other end is this machine."""
    return ipaddress.ip_address(sock.getpeername()[0].partition("%")[0]).is_loopback


def tls_context() -> ssl.SSLContext:
    """OpenSSL's defaults, `SSL_CERT_FILE` among them, and ALPN for HTTP/1.1 alone: over h2 there is no 101.

    Kept for the paths that it was made from: reading the certificates takes longer than most handshakes.
    """
    return _tls_context(ssl.get_default_verify_paths())


@lru_cache(maxsize=4)
def _tls_context(paths: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def secure(sock: socket.socket, wire: Wire, context: ssl.SSLContext | None, host: str, limits: Limits) -> None:
    """Lay the wire over a socket, with TLS where there is a context for it."""
    loop = asyncio.get_running_loop()
    if context is None:
        await loop.create_connection(lambda: wire, sock=sock)
        return
    wire.stages.enter("tls")
    try:
        async with wire.stages.limited(limits.tls):
            await loop.create_connection(lambda: wire, sock=sock, ssl=context, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise Stopped(f"the certificate is not trusted: {printable(error.verify_message)}") from None
    except ssl.SSLError as error:
        raise Stopped(f"the TLS handshake failed: {printable(str(error.reason or error))}") from None
    except OSError:
        raise Stopped("the connection ended in the TLS handshake") from None
