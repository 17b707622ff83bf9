"""Ports of loopback that nobody listens on."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

PORTS = range(15_000, 32_000)
"""Ports to give away: below every system's ephemeral range, so no client's own port is ever one."""


def free_port(draw: random.Random | None = None) -> int:
    """A port of `PORTS` that nobody listens on."""
    pick = draw or random.SystemRandom()
    while True:
        port = pick.choice(PORTS)
        with socket.socket() as trial, suppress(OSError):
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("127.0.0.1", port))
            return port
