"""Clients that hold sockets open: busy ones, which say something all the time, and idle ones, which say nothing."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from incident.drill.steps import Ending, RequestKind, Sockets

LIMIT = 30.0
"""Seconds that a client gives its handshake."""

STAGGER = 0.02
"""Seconds between two clients' beginnings, so that their ends can be told apart."""


@dataclass(frozen=True)
class Held:
    """What became of one socket: `client` or `server` ended it, or the status that refused it; and its seconds."""

    ended_by: str
    seconds: float


async def hold_sockets(url: str, kind: RequestKind, step: Sockets) -> list[Held]:
    """Hold the sockets of a step, and tell what became of each."""

    async def one(number: int) -> Held:
        await asyncio.sleep(number * STAGGER)
        began = time.monotonic()
        return Held(await _held(url, kind, step), time.monotonic() - began)

    return await asyncio.gather(*(one(number) for number in range(step.count)))


def unexpected_endings(step: Sockets, held: Sequence[Held]) -> list[str]:
    """Where sockets did not end as the step expects.

    >>> step = Sockets("user", 2, 1.0, expect={"ended_by": "server", "after": [0.5, 0.9]})
    >>> unexpected_endings(step, [Held("server", 0.6), Held("client", 1.0)])
    ['sockets user: expected all ended by server, found client 1 times, server 1 times', \
'sockets user: expected all after 0.5 to 0.9 s, found 0.60 to 1.00 s']
    """
    ending, told = Ending(**step.expect), f"sockets {step.kind}: expected all"
    sides, seconds = Counter(one.ended_by for one in held), sorted(one.seconds for one in held)
    wrong = []
    if ending.ended_by and set(sides) != {ending.ended_by}:
        found = ", ".join(f"{side} {times} times" for side, times in sorted(sides.items()))
        wrong.append(f"{told} ended by {ending.ended_by}, found {found}")
    if ending.after and held and not (ending.after[0] <= seconds[0] and seconds[-1] <= ending.after[1]):
        least, most = ending.after
        wrong.append(f"{told} after {least} to {most} s, found {seconds[0]:.2f} to {seconds[-1]:.2f} s")
    return wrong


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
