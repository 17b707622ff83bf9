"""The stages of one connection: which is under way, what each took, and how long each may take.

Decides: when to stop waiting, and the words for it. Reads: a clock. Cannot tell: why the other side is late.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

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
    """Seconds that each stage may take; `connect` is for each address.

    `total` holds for one connection from its name to the end of its headers, whatever its stages do. So one try of a
    check takes at most `connections` times `total`, then the hold or `message`, whichever is longer, then `close` for
    all its connections together. Beside that: `tls` to look at a certificate that is not trusted, and, once for all
    checks of a run, `control` to ask whether anything else answers. A retry is another try, after a pause of at most
    8 s.
    """

    resolve: float = 5
    connect: float = 5
    tls: float = 5
    status: float = 15  # a cold start of Cloud Run takes seconds, and is no outage
    headers: float = 5
    total: float = 30
    message: float = 5
    close: float = 0.5
    control: float = 5


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
        except TimeoutError as error:
            if error.errno:  # the kernel's own: an address that it gave up on
                raise
            raise Stopped(f"{LATE.get(self.stage, 'no end')} within {seconds:g} s") from None
