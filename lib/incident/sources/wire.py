"""One connection: its name resolved, its addresses tried, and a pure reader fed with what comes.

Decides: which address is used, what the others said, when a connection is over. Reads: the network, by no proxy.
Cannot tell: what the bytes mean; `handshake` and `http1` do.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from incident.handshake import Handshake
from incident.http1 import Answer, printable
from incident.sources.stages import Limits, Stages, Stopped

Resolve = Callable[[str, int], Awaitable[list[Any]]]
"""Host and port to what `socket.getaddrinfo` gives; an `OSError` where there is nothing."""

UNREAD_BYTES: Final = 2**20
"""What may wait for the other side to read it: a flood of pings must not fill the memory with our answers."""

TURN_BYTES: Final = 4096
"""What is read at a time: in tiny frames it takes tens of milliseconds, and no limit can have its turn before."""


class Wire(asyncio.Protocol):
    """Feeds a reader with what comes, sends what it answers, and stamps the stages as their bytes arrive.

    A stream reader would lose what came before a reset; here it is read already. What comes in a flood is read in
    turns, between which the limits can have theirs; until it is read, the other side is not.
    """

    def __init__(self, reader: Handshake | Answer, stages: Stages) -> None:
        """Begin before the connection is made."""
        self.reader, self.stages = reader, stages
        self.lost = False
        self.reset = False
        self.ending = "closed"
        self.opened_at: float | None = None
        self.ended_at: float | None = None
        self._changed = asyncio.Event()
        self._unread = bytearray()
        self._next: asyncio.Handle | None = None
        self._lost_at: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Read a turn's worth now, and the rest in the loop's next turns."""
        self._unread += data
        if self._next is None:
            self._read()

    def _read(self) -> None:
        """Read, answer, and tell whoever waits."""
        turn = bytes(self._unread[:TURN_BYTES])
        del self._unread[:TURN_BYTES]
        if turn and not self.over:
            self.reader.receive(turn)
            self._stamp()
            self.flush()
            self._changed.set()
        self._go_on()

    def _go_on(self) -> None:
        """Have the rest read, or take more; an end counts once all that came before it is read."""
        if self.over:
            self._unread.clear()
        if self._unread:
            self.transport.pause_reading()
            self._next = asyncio.get_running_loop().call_soon(self._read)
            return
        if self._next is not None:
            self._next = None
            self.transport.resume_reading()
        if self._lost_at is not None:
            self._end(self._lost_at)

    def drop(self) -> None:
        """End it now, and read no more of it."""
        self._unread.clear()
        self.transport.abort()

    def eof_received(self) -> bool:
        """A half-closed connection is of no use here."""
        self._lose()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The end: in order, by a reset, or by an alert of TLS, such as for a client certificate that is wanted."""
        if isinstance(error, ConnectionError):
            self.reset, self.ending = True, "reset"
        elif isinstance(error, ssl.SSLError):
            self.ending = f"ended by TLS ({reason_words(error)})"
        self._lose()

    def _stamp(self) -> None:
        head = self.reader.head
        if self.opened_at is None and head.stage != self.stages.stage:
            self.stages.enter(head.stage)
        if self.opened_at is None and isinstance(self.reader, Handshake) and self.reader.frames:
            self.stages.enter("open")
            self.opened_at = self.stages.since
        if isinstance(self.reader, Handshake) and self.reader.frames and (self.reader.close or self.reader.fault):
            self.ended_at = self.stages.clock()

    def _lose(self) -> None:
        self._lost_at = self.stages.clock() if self._lost_at is None else self._lost_at
        if self._next is None:
            self._end(self._lost_at)

    def _end(self, at: float) -> None:
        if not self.lost:
            self.lost = True
            self.reader.receive_eof()
            self.ended_at = self.ended_at or at
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
        if data and not self.lost and self.transport.get_write_buffer_size() < UNREAD_BYTES:
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
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.until(condition)


def reason_words(error: ssl.SSLError) -> str:
    """OpenSSL's reason as words; one that Python has no name for is taken from the message.

    >>> reason_words(ssl.SSLError(1, "[SSL] tlsv1 alert no application protocol (_ssl.c:1006)"))
    'tlsv1 alert no application protocol'
    """
    named = getattr(error, "reason", None) or re.sub(r"^\[.*?\] ?| ?\(_ssl\.c:\d+\)$", "", str(error.strerror))
    return printable(named).replace("_", " ").lower()


async def resolve(host: str, port: int) -> list[Any]:
    """The addresses of a name, by a daemon thread: an executor's would hold up our end for a dead resolver."""
    with suppress(socket.gaierror):
        return numeric(host, port)
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


@lru_cache(maxsize=64)
def numeric(host: str, port: int) -> list[Any]:
    """The address of a host that is written as one; the host goes as bytes, as text loads the codec of other names."""
    return socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)


async def connect(
    host: str,
    port: int,
    stages: Stages,
    limits: Limits,
    resolver: Resolve = resolve,
    tried: list[dict[str, Any]] | None = None,
) -> socket.socket:
    """A connected socket to the first address that takes it; raises `Stopped` with what each address said.

    Each address goes to `tried` as it is tried: address, port, family (IPv4, IPv6), connect_s (seconds until it took or
    failed) and error (None for the one that is used).
    """
    tried = [] if tried is None else tried
    try:
        async with stages.limited(limits.resolve):
            addresses = await resolver(host, port)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "not a name"
        raise Stopped(f"the name {printable(host)} does not resolve: {why}") from None
    stages.enter("connect")
    for family, kind, proto, _, address in addresses:
        tried.append(record(family, address))
        if sock := await try_address(family, kind, proto, address, stages, limits, tried[-1]):
            return sock
    said = [f"{made['address']} port {made['port']}: {made['error']}" for made in tried]
    raise Stopped("; ".join(said) or f"the name {printable(host)} has no address")


def record(family: int, address: Any) -> dict[str, Any]:
    """What is kept of an address; until it took the connection, its error is that it has not."""
    name = "IPv6" if family == socket.AF_INET6 else "IPv4"
    words = "not connected when the time for all was over"
    return {"address": address[0], "port": address[1], "family": name, "connect_s": None, "error": words}


async def try_address(
    family: int, kind: int, proto: int, address: Any, stages: Stages, limits: Limits, made: dict[str, Any]
) -> socket.socket | None:
    """A socket, or None with the error in its record."""
    began = stages.clock()
    try:
        sock = await connect_address(family, kind, proto, address, stages, limits)
        made["error"] = None
        return sock
    except (OSError, Stopped) as error:
        made["error"] = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error)
        return None
    finally:
        made["connect_s"] = round(stages.clock() - began, 6)


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


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own.

    >>> is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("fe80::1%lo")
    (True, True, False)
    """
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


async def lay(sock: socket.socket, wire: asyncio.Protocol) -> None:
    """Lay a wire over a socket, without TLS."""
    await asyncio.get_running_loop().create_connection(lambda: wire, sock=sock)
