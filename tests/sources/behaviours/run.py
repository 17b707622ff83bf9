"""Every behaviour tried against the probe, many at a time in one event loop: a row, and the seconds that it took."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from incident.sources.checks import Check, Row
from incident.sources.endpoint import Control, Surroundings, attempt
from incident.sources.stages import Limits
from incident.sources.target import parse_target

from .names import DEAD
from .server import HOLD, SECRET, SILENCE, TOKEN, TWO_STAGES, Behaviour, Peer

LIMITS = Limits(
    resolve=SILENCE, connect=0.5, tls=SILENCE, status=SILENCE, headers=SILENCE, total=TWO_STAGES, message=0.3, close=0.1
)
AT_A_TIME = 24
TICK = 0.01
HELD_UP = 0.2  # seconds; a row that lost more to the machine says nothing about the probe


@dataclass(frozen=True)
class Outcome:
    """What the probe said, and how long that took it."""

    row: Row
    seconds: float


class Lag:
    """How long the loop was kept from running: by a busy machine, or by something that does not let go of it."""

    def __init__(self) -> None:
        """Begin without any."""
        self.total = 0.0

    async def watch(self) -> None:
        """Add up what comes too late."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            self.total += max(time.perf_counter() - before - 2 * TICK, 0)


async def outcomes(behaviours: Sequence[Behaviour], contexts: Mapping[str, ssl.SSLContext]) -> dict[str, Outcome]:
    """The outcome of each by its name; one that the machine held up is tried again with few beside it, whatever it was."""
    crowd, few, lag = asyncio.Semaphore(AT_A_TIME), asyncio.Semaphore(4), Lag()

    async def one(behaviour: Behaviour) -> Outcome:
        for room in (crowd, few, few, few):
            async with room:
                before = lag.total
                found = await outcome(behaviour, contexts)
            if lag.total - before < HELD_UP:
                break
        return found

    watch = asyncio.create_task(lag.watch())
    together, alone = ([each for each in behaviours if each.alone is apart] for apart in (False, True))
    found = await asyncio.gather(*map(one, together))
    watch.cancel()
    found += [await outcome(behaviour, contexts) for behaviour in alone]
    return {behaviour.name: each for behaviour, each in zip((*together, *alone), found, strict=True)}


async def outcome(behaviour: Behaviour, contexts: Mapping[str, ssl.SSLContext]) -> Outcome:
    """One check of a server that behaves so, with a secret in a header and one in the query."""
    place, check = behaviour.place, Check(**{"hold": HOLD, "headers": {"X-Token": SECRET}, **behaviour.check})
    async with served(behaviour, contexts.get(place.tls)) as port:
        here: dict[str, Any] = {"connect_to": f"127.0.0.1:{port}"} if place.secure else dict(place.here)
        surroundings = Surroundings(limits=LIMITS, control=None, **{**here, **place.here})
        url = f"{'wss' if place.secure else 'ws'}://{place.host or '127.0.0.1'}:{port}/ws?token={TOKEN}"
        began = time.perf_counter()
        row = await attempt(parse_target(url, "", check.kind), check, surroundings, Control(surroundings))
        return Outcome(row, time.perf_counter() - began)


@asynccontextmanager
async def served(behaviour: Behaviour, context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """The port of a server that behaves so; it is there while this lasts."""
    listens = behaviour.place.listens
    async with AsyncExitStack() as stack:
        if listens == "nowhere":
            yield unused_port()
        elif listens == "full":
            yield stack.enter_context(full("127.0.0.1")).getsockname()[1]
        else:
            address = "::1" if listens == "::1" else "127.0.0.1"
            alerts = context if behaviour.place.alerts else None

            async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await serve(behaviour, reader, writer, alerts)

            server = await asyncio.start_server(answer, address, 0, ssl=None if alerts else context)
            stack.callback(server.close)
            port = server.sockets[0].getsockname()[1]
            if listens == "full-first":
                stack.enter_context(full(DEAD, port))
            yield port


async def serve(
    behaviour: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, alerts: ssl.SSLContext | None
) -> None:
    """One connection; that the probe goes away is how most of them end."""
    try:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await (refuse(alerts, reader, writer) if alerts else behaviour.serve(Peer(reader, writer)))
    finally:
        writer.close()


async def refuse(context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A handshake that fails on the server's side, and sends its alert."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while data := await reader.read(65536):
        incoming.write(data)
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        finally:
            writer.write(outgoing.read())


def unused_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Full(socket.socket):
    """A socket that listens and takes no more: Linux then drops the packets that ask for a connection."""

    def fill(self) -> Full:
        """Fill the queue of connections that nobody takes."""
        self.waiting = [socket.socket() for _ in range(4)]
        for each in self.waiting:
            each.setblocking(False)
            with suppress(BlockingIOError):
                each.connect(self.getsockname())
        return self

    def close(self) -> None:
        """End, and let those go that waited."""
        for each in self.waiting:
            each.close()
        super().close()


def full(address: str, port: int = 0) -> Full:
    """An address and port whose queue is full."""
    sock = Full()
    sock.bind((address, port))
    sock.listen(0)
    return sock.fill()
