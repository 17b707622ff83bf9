"""A server that instances depend on, such as a database: it is up, refuses, or takes connections and never answers.

It speaks the smallest protocol there is: whatever it gets, it answers `+PONG` to. Its port stays the same, so that it
can refuse at the very address at which it answered. It cannot imitate a database's own errors, or one that is slow.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Literal

from incident.drill.ports import free_port

State = Literal["up", "refusing", "silent"]


class DependencyServer:
    """One dependency; `close` when it is no longer needed."""

    def __init__(self, name: str) -> None:
        self.name, self.port, self.state = name, free_port(), "refusing"
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    def variables(self) -> dict[str, str]:
        """The variables by which an instance finds it.

        >>> sorted(DependencyServer("user-database").variables())
        ['USER_DATABASE_HOST', 'USER_DATABASE_PORT']
        """
        prefix = self.name.upper().replace("-", "_")
        return {f"{prefix}_HOST": "127.0.0.1", f"{prefix}_PORT": str(self.port)}

    async def become(self, state: State) -> None:
        """From now on be in this state; connections that are open end."""
        await self.close()
        self.state = state
        if state != "refusing":
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Stop listening, and end what is open."""
        if self._server:
            self._server.close()
        for writer in self._open.copy():
            writer.close()
        self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(OSError):
            while await reader.read(1 << 12):
                if self.state == "up":
                    writer.write(b"+PONG\r\n")
        self._open.discard(writer)
        writer.close()
