"""The server's side of a connection, and the form of a row: what a server does, and what the probe has to say of it.

A row is a `Behaviour`. Most servers are a `Script`: bytes, and an end; `<accept>` in them becomes the value that fits the
request's key, `<echo>` everything secret that the request held. A server that has to think is a function of a `Peer`.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

SECRET = "CANARY-0123456789"  # in a header of every request
TOKEN = "CANARY-abcdefgh"  # in the query of every request
HOLD = 0.35
LATE = 0.06
SILENCE = 1.0  # the limit of each stage that waits for bytes

AT_ONCE = 0.2
HELD = HOLD + 0.1  # and the wait for the other side's close
ONE_STAGE = SILENCE
TWO_STAGES = 1.6  # the limit for all of it comes first


class Peer:
    """The server's side of one connection: bytes out, the request's head in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin before the request is read."""
        self.reader, self.writer, self.head = reader, writer, b""

    async def request(self) -> None:
        """Read the request's head, so that nothing unread turns an end into a reset."""
        self.head = await self.reader.readuntil(b"\r\n\r\n")

    async def say(self, data: bytes) -> None:
        """Send bytes, filled in from the request."""
        self.writer.write(filled(data, self.head))
        await self.writer.drain()

    async def accept(self, *frames: bytes) -> None:
        """Read the request and open, with these frames in the same packet."""
        await self.request()
        await self.say(GOOD + END + b"".join(frames))

    async def stay(self) -> None:
        """Until the other side ends."""
        while await self.reader.read(65536):
            pass

    def reset(self) -> None:
        """End with a TCP reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def filled(data: bytes, head: bytes) -> bytes:
    """An answer with the value that fits the key, and with what was secret in the request."""
    key = re.search(rb"Sec-WebSocket-Key: (\S+)", head)
    secret = f"{SECRET} {TOKEN}" if SECRET.encode() in head else ""
    return data.replace(b"<accept>", accept_key(key[1].decode() if key else "").encode()).replace(
        b"<echo>", secret.encode()
    )


@dataclass(frozen=True)
class Script:
    """Reads the request, says each piece and pauses after it; then it stays, ends, resets, cuts (no TLS farewell) or half-closes."""

    pieces: tuple[bytes, ...]
    pause: float = 0
    then: str = "stays"
    reads: bool = True

    async def __call__(self, peer: Peer) -> None:
        """Serve one connection."""
        if self.reads:
            await peer.request()
        for piece in self.pieces:
            await peer.say(piece)
            await asyncio.sleep(self.pause)
        if self.then == "half-closes":
            peer.writer.write_eof()
        if self.then in ("stays", "half-closes"):
            await peer.stay()
        elif self.then == "resets":
            peer.reset()
        elif self.then == "cuts":
            peer.writer.transport.abort()

    def answer(self, key: str) -> bytes:
        """All that it says to a request with this key and our secrets."""
        return filled(b"".join(self.pieces), f"Sec-WebSocket-Key: {key}\r\nX-Token: {SECRET}\r\n".encode())


Serve = Callable[[Peer], Awaitable[None]]


@dataclass(frozen=True)
class Place:
    """Where a server is and how it is asked: the name in the URL, the server's TLS (`certificates.py`), and what differs
    in the surroundings of the check. `secure` asks by wss://, also where the server speaks no TLS; `alerts` has the server
    say why it ends a handshake, which asyncio's TLS does not."""

    host: str = ""
    tls: str = ""
    secure: bool = False
    alerts: bool = False
    listens: str = "127.0.0.1"
    here: Mapping[str, Any] = field(default_factory=dict)


PLAIN = Place()


@dataclass(frozen=True)
class Behaviour:
    """One row: its name, what the server does, what the probe finds, its words, and the seconds that it may take.

    `found` is verdict, rule, stage, HTTP status and status; a dash stands for null. In `because`, `<t>` is a duration,
    `<key>` a value that fits a key, `<port>` the server's, `<any>` what differs from one machine to the next, and `<closed>`
    is `closed` or `reset` where the two race. `place` is where the server is and how it is asked; `check` has fields of the
    check, `facts` what the row's `tls` has to hold. `alone` is for a server that leaves the machine little for others.
    """

    name: str
    serve: Serve
    found: str
    because: str
    within: float = AT_ONCE
    place: Place = PLAIN
    check: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    alone: bool = False

    def says(self, because: str) -> bool:
        """Whether these are the row's words."""
        pattern = re.escape(self.because).replace("<t>", r"(\d+ ms|\d+\.\d s)").replace("<port>", r"\d+")
        pattern = pattern.replace("<closed>", "(closed|reset)").replace("<key>", r"\S{28}").replace("<any>", ".+")
        return re.fullmatch(pattern, because) is not None


def says(*pieces: bytes, pause: float = 0, then: str = "stays") -> Script:
    """Answers so; and stays, because a prober that waits for the end would be late."""
    return Script(pieces, pause, then)


def drips(before: bytes, data: bytes, pause: float = 0.1) -> Script:
    """Answers with some bytes at once and with the others one at a time."""
    return Script((before, *(bytes([byte]) for byte in data)), pause)


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n"
UPGRADE = b"Upgrade: websocket\r\n"
CONNECTION = b"Connection: Upgrade\r\n"
ACCEPT = b"Sec-WebSocket-Accept: <accept>\r\n"
GOOD = SWITCH + UPGRADE + CONNECTION + ACCEPT
END = b"\r\n"
FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\n"


def accepts(*frames: bytes, then: str = "stays", pause: float = 0) -> Script:
    """A good 101 with these frames in the same packet."""
    return Script((GOOD + END + b"".join(frames),), pause, then)


def accepts_then(*pieces: bytes, then: str = "stays") -> Script:
    """A good 101, and these pieces each after a while."""
    return Script((GOOD + END, *pieces), LATE, then)


def frame(opcode: Opcode, data: bytes = b"", **changes: Any) -> bytes:
    """A frame as a server sends it."""
    return Frame(opcode, data, **changes).serialize(mask=False)


def text(data: bytes) -> bytes:
    """A text message."""
    return frame(Opcode.TEXT, data)


def close(code: int, reason: bytes = b"") -> bytes:
    """A close frame, of any code."""
    return frame(Opcode.CLOSE, code.to_bytes(2, "big") + reason)


def refused(status: int) -> str:
    """What the probe finds of an answer in HTTP that is no 101."""
    return f"refused status-101 status {status} failed"


def broken(rule: str, stage: str, status: int | None = 101) -> str:
    """What the probe finds of bytes that break a rule."""
    return f"broken {rule} {stage} {status or '-'} failed"


def unreachable(stage: str, status: int | None = None) -> str:
    """What the probe finds where no answer came."""
    return f"unreachable - {stage} {status or '-'} failed"


OPEN = "accepted - open 101 ok"
ENDED = "accepted - open 101 failed"
STILL_OPEN = "accepted, still open after <t>"
