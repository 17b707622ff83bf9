"""Clients that hold sockets open: busy ones, which say something all the time, and idle ones, which say nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from incident.drill.steps import RequestKind, Sockets

LIMIT = 30.0
"""Seconds that a client gives its handshake."""

STAGGER = 0.02
"""Seconds between two clients' beginnings, so that their ends can be told apart."""


async def hold_sockets(url: str, kind: RequestKind, step: Sockets) -> Counter[str]:
    """Hold the sockets of a step; how many ended in which way: `client`, `server`, or the status that refused one."""

    async def one(number: int) -> str:
        await asyncio.sleep(number * STAGGER)
        return await _held(url, kind, step)

    return Counter(await asyncio.gather(*(one(number) for number in range(step.count))))


async def _held(url: str, kind: RequestKind, step: Sockets) -> str:
    opening = connect(
        url.replace("http", "ws", 1) + kind.path, additional_headers=dict(kind.headers), open_timeout=LIMIT,
        user_agent_header=kind.user_agent, compression=None, proxy=None, ping_interval=None,
    )  # fmt: skip
    try:
        async with opening as socket:
            with suppress(TimeoutError):
                async with asyncio.timeout(step.hold):
                    await _talk(socket, kind.message, step.every)
                    return "server"
            return "client"
    except InvalidStatus as refused:
        return str(refused.response.status_code)
    except (OSError, EOFError, WebSocketException):
        return "server"


async def _talk(socket: ClientConnection, message: str, every: float) -> None:
    """Say something each `every` seconds, or nothing at all, until the other side ends the socket."""
    if not every:
        await socket.wait_closed()
    while True:
        await socket.send(message)
        await socket.recv()
        await asyncio.sleep(every)
