"""An accepted connection while it is held: a message there and back, whether it stays, and a close in order.

Decides: how a connection ended, if it did. Reads: the wires that are open. Cannot tell: why the other side ended it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from incident.handshake import Handshake
from incident.http1 import printable
from incident.sources.checks import Check, Sighting
from incident.sources.stages import Limits
from incident.sources.wire import Wire


async def hold(wires: list[Wire], check: Check, limits: Limits, clock: Callable[[], float], seen: Sighting) -> None:
    """Keep the connections open for the hold, exchange the check's message on the last, and see what comes."""
    wire, reader = wires[-1], wires[-1].reader
    assert isinstance(reader, Handshake)
    opened = wire.opened_at or clock()
    if check.send is not None:
        reader.send_text(check.send)
        wire.flush()
    if check.expect_message is not None:
        wanted = check.expect_message
        await wire.wait(lambda: reader.got(wanted) or wire.over, limits.message)
        seen.answered = reader.got(wanted)
    await wire.wait(lambda: wire.over, opened + check.hold - clock())
    seen.held_s = round((wire.ended_at or clock()) - opened, 6)
    seen.verdict, seen.rule, seen.because = reader.verdict, reader.rule, reader.because
    read_ending(wires, seen)
    await farewell(wires, limits)


def read_ending(wires: list[Wire], seen: Sighting) -> None:
    """How the last connection ended, if it did, with the code of RFC 6455 7.1.5: 1005 and 1006 where none was sent."""
    wire, reader = wires[-1], wires[-1].reader
    assert isinstance(reader, Handshake)
    if reader.close:
        seen.ended, seen.close_code, seen.close_reason = "close", int(reader.close.code), printable(reader.close.reason)
    elif wire.over and not reader.fault:
        seen.ended, seen.close_code = ("reset" if wire.reset else "eof"), 1006
    elif any(other.over for other in wires):
        seen.ended = "other"


async def farewell(wires: list[Wire], limits: Limits) -> None:
    """Close what is open in order, so that the application sees a normal closure and logs no error of our making."""
    for wire in wires:
        if isinstance(wire.reader, Handshake):
            wire.reader.send_close()
            wire.flush()
    with suppress(TimeoutError):
        async with asyncio.timeout(limits.close):
            for wire in wires:
                await wire.until(lambda: wire.over)  # noqa: B023
