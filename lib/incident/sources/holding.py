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
    assert reader.frames
    opened, frames = wire.opened_at or clock(), reader.frames
    if check.send is not None:
        reader.send_text(check.send)
        wire.flush()
    if check.expect_message is not None:
        await wire.wait(lambda: frames.answered or wire.over, limits.message)
        seen.answered = frames.answered
    await wire.wait(lambda: wire.over, opened + check.hold - clock())
    seen.held_s = round((wire.ended_at or clock()) - opened, 6)
    seen.verdict, seen.rule, seen.because = reader.verdict, reader.rule, reader.because
    read_ending(wires, opened + check.hold, seen)
    await farewell(wires, limits)


def read_ending(wires: list[Wire], held_until: float, seen: Sighting) -> None:
    """How the last connection ended, if it did, with the code of RFC 6455 7.1.5: 1005 and 1006 where none was sent.

    Of the others only an end before the last was held long enough counts.
    """
    wire, reader = wires[-1], wires[-1].reader
    assert isinstance(reader, Handshake)
    if reader.close:
        seen.ended, seen.close_code = "close", int(reader.close.code)
        seen.close_reason = printable(reader.head.mask(reader.close.reason))
    elif wire.over and not reader.fault:
        seen.ended, seen.close_code = ("reset" if wire.reset else "eof"), 1006
    elif any(other.ended_at is not None and other.ended_at < held_until for other in wires):
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
