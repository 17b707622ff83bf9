"""Page tokens: where a reader of log entries goes on, sealed so that a token of another query is known for one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Position:
    """How far a reader has come: after the entry of this time and id; `None` before the first."""

    time_ns: int | None = None
    insert_id: str = ""


class ForeignToken(ValueError):
    """The token was given for another query, or by nobody here."""


class PageTokens:
    """Opaque tokens, bound by a keyed hash to the query that they were given for.

    >>> tokens = PageTokens(b"key")
    >>> tokens.read("q", tokens.write("q", Position(5, "a")))
    Position(time_ns=5, insert_id='a')
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def write(self, query: str, position: Position) -> str:
        """The token that goes on from `position`."""
        body = json.dumps([position.time_ns, position.insert_id]).encode()
        return base64.urlsafe_b64encode(self._seal(query, body) + body).decode()

    def read(self, query: str, token: str) -> Position:
        """Where a token goes on; `ForeignToken` for a token of another query, or of nobody's."""
        try:
            data = base64.urlsafe_b64decode(token)
        except (binascii.Error, ValueError):
            data = b""
        if not hmac.compare_digest(data[:32], self._seal(query, data[32:])):
            raise ForeignToken(token)
        return Position(*json.loads(data[32:]))

    def _seal(self, query: str, body: bytes) -> bytes:
        return hmac.digest(self._key, query.encode() + b"\0" + body, hashlib.sha256)
