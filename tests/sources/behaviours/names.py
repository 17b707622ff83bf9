"""Names that do not resolve, addresses that do not answer, and IPv6: what stops a connection before there is one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from .server import AT_ONCE, HELD, OPEN, SILENCE, STILL_OPEN, Behaviour, Place, accepts, unreachable

Resolve = Callable[[str, int], Awaitable[list[Any]]]
NAME = "chat.example"
PORT = "<port>"


def finds(*addresses: str) -> Resolve:
    """A resolver that knows these addresses."""

    async def resolve(host: str, port: int) -> list[Any]:
        found = [socket.getaddrinfo(address, port, type=socket.SOCK_STREAM) for address in addresses]
        return [each for several in found for each in several]

    return resolve


def fails(error: Exception) -> Resolve:
    """A resolver that fails."""

    async def resolve(host: str, port: int) -> list[Any]:
        raise error

    return resolve


async def hangs(host: str, port: int) -> list[Any]:
    """A resolver that never answers."""
    await asyncio.sleep(60)
    return []


def named(resolve: Resolve, listens: str = "127.0.0.1", host: str = NAME) -> Place:
    """A server that is found through this resolver."""
    return Place(host, listens=listens, here={"resolve": resolve})


UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
AGAIN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
NO_ADDRESS = socket.gaierror(socket.EAI_NODATA, "No address associated with hostname")
DEAD = "127.0.0.2"  # this machine too, where nothing listens

# fmt: off
NAMES = (
    Behaviour("name-unknown", accepts(), "unreachable - resolve - uncertain", "the name chat.example does not resolve: Name or service not known; no control name was asked, so the fault may be on this side", AT_ONCE, named(fails(UNKNOWN))),
    Behaviour("name-without-an-address", accepts(), "unreachable - resolve - uncertain", "the name chat.example does not resolve: No address associated with hostname; no control name was asked, so the fault may be on this side", AT_ONCE, named(fails(NO_ADDRESS))),
    Behaviour("name-fails-for-now", accepts(), "unreachable - resolve - uncertain", "the name chat.example does not resolve: Temporary failure in name resolution; no control name was asked, so the fault may be on this side", AT_ONCE, named(fails(AGAIN))),
    Behaviour("name-hangs", accepts(), "unreachable - resolve - uncertain", "the name did not resolve within 1 s; no control name was asked, so the fault may be on this side", SILENCE, named(hangs)),
    Behaviour("name-of-invalid", accepts(), "unreachable - resolve - uncertain", "the name name.invalid does not resolve: <any>; no control name was asked, so the fault may be on this side", 2 * SILENCE, Place("name.invalid")),
    Behaviour("name-with-a-long-label", accepts(), "unreachable - resolve - uncertain", f"the name {'a' * 64}.example does not resolve: not a name; no control name was asked, so the fault may be on this side", AT_ONCE, Place("a" * 64 + ".example")),
    Behaviour("name-with-an-empty-label", accepts(), "unreachable - resolve - uncertain", "the name chat..example does not resolve: not a name; no control name was asked, so the fault may be on this side", AT_ONCE, Place("chat..example")),
    Behaviour("first-address-dead", accepts(), OPEN, STILL_OPEN, HELD, named(finds(DEAD, "127.0.0.1"))),
    Behaviour("ipv6-first-and-dead", accepts(), OPEN, STILL_OPEN, HELD, named(finds("::1", "127.0.0.1"))),
    Behaviour("ipv4-first-and-dead", accepts(), OPEN, STILL_OPEN, HELD, named(finds("127.0.0.1", "::1"), "::1")),
    Behaviour("ipv6-alone", accepts(), OPEN, STILL_OPEN, HELD, Place("[::1]", listens="::1")),
    Behaviour("all-addresses-dead", accepts(), unreachable("connect"), "127.0.0.2 port <port>: connection refused; 127.0.0.3 port <port>: connection refused", AT_ONCE, named(finds(DEAD, "127.0.0.3"))),
    Behaviour("port-closed", accepts(), unreachable("connect"), "127.0.0.1 port <port>: connection refused", AT_ONCE, Place(listens="nowhere")),
    Behaviour("port-that-drops-packets", accepts(), unreachable("connect"), "127.0.0.1 port <port>: no connection within 0.5 s", 0.5, Place(listens="full")),
    Behaviour("first-address-drops-packets", accepts(), OPEN, STILL_OPEN, 0.5 + HELD, named(finds(DEAD, "127.0.0.1"), "full-first")),
)
# fmt: on
