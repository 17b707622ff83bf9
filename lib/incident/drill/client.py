"""The traffic of a scenario: real clients that open sockets and ask for pages, each of a kind with its own user agent.

What a client saw is a status: 101 where the socket opened and its message came back, what was answered otherwise, and
0 where nothing was. It cannot tell why.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain, zip_longest
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from incident.drill.steps import RequestKind, Requests

NO_ANSWER = 0
LIMIT = 30.0
"""Seconds that a client waits for all of one request."""

Seen = dict[str, Counter[int]]
"""How often each kind of request got each status."""


async def make_requests(url: str, kinds: Mapping[str, RequestKind], step: Requests) -> Seen:
    """Make the requests of a step, the kinds in turn, `step.clients` at a time."""
    seen: Seen = {name: Counter() for name in step.counts}
    names = in_turn(step.counts)

    async def client() -> None:
        for name in names:
            seen[name][await attempt(url, kinds[name])] += 1

    await asyncio.gather(*(client() for _ in range(step.clients)))
    return seen


def in_turn(counts: Mapping[str, int]) -> Iterator[str]:
    """Each name as often as its count says, the names taking turns.

    >>> list(in_turn({"a": 1, "b": 2}))
    ['a', 'b', 'b']
    """
    rows = zip_longest(*([name] * count for name, count in counts.items()))
    return (name for name in chain.from_iterable(rows) if name is not None)


async def attempt(url: str, kind: RequestKind) -> int:
    """One request; the status that it got."""
    try:
        async with asyncio.timeout(LIMIT):
            return await (_open_socket(url, kind) if kind.kind == "websocket" else _get(url, kind))
    except InvalidStatus as refused:
        return refused.response.status_code
    except (OSError, TimeoutError, EOFError, WebSocketException, ValueError):
        return NO_ANSWER


async def _open_socket(url: str, kind: RequestKind) -> int:
    async with connect(
        url.replace("http", "ws", 1) + kind.path,
        additional_headers=dict(kind.headers),
        user_agent_header=kind.user_agent,
        compression=None,
        proxy=None,
    ) as socket:
        await socket.send(kind.message)
        return 101 if await socket.recv() == kind.message else NO_ANSWER


async def _get(url: str, kind: RequestKind) -> int:
    host = urlsplit(url)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    headers = {"Host": host.netloc, "User-Agent": kind.user_agent, **kind.headers}
    lines = [f"GET {kind.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    try:
        writer.write("\r\n".join(lines).encode("latin-1"))
        return int((await reader.read()).split(b" ", 2)[1])
    except IndexError:
        return NO_ANSWER
    finally:
        writer.close()
