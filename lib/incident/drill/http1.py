"""HTTP/1.1 heads: parsed as far as a front end must, and otherwise left as they came.

Pure: bytes in, values out. Header names keep their case and their order, values their bytes, so that what is
forwarded is what was received but for the headers that a front end owns. It does not check a WebSocket handshake:
that is for the two ends of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Headers = Sequence[tuple[bytes, bytes]]

_REQUEST = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) (HTTP/1\.[01])")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)(?: .*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.DOTALL)


class MalformedHead(ValueError):
    """The bytes are no HTTP/1.1 head."""


@dataclass(frozen=True)
class Head:
    """A start line and its headers."""

    start: bytes
    headers: Headers

    def get(self, name: str) -> str:
        """The first value of a header, in any case of its name; the empty string where there is none."""
        wanted = name.lower().encode()
        return next((value.decode("latin-1") for key, value in self.headers if key.lower() == wanted), "")

    def with_headers(self, replaced: dict[str, str]) -> Head:
        """The same head with these headers in place of any of their names."""
        names = {name.lower().encode() for name in replaced}
        kept = [(key, value) for key, value in self.headers if key.lower() not in names]
        return Head(self.start, [*kept, *_encoded(replaced.items())])

    def encode(self) -> bytes:
        """The bytes to send."""
        return b"\r\n".join([self.start, *(key + b": " + value for key, value in self.headers), b"", b""])


def parse_head(data: bytes) -> Head:
    """The head whose bytes end with an empty line.

    >>> parse_head(b"GET / HTTP/1.1\\r\\nHost:  a\\r\\n\\r\\n").get("host")
    'a'
    """
    start, *lines = data.removesuffix(b"\r\n\r\n").split(b"\r\n")
    headers = [_FIELD.fullmatch(line) for line in lines]
    if not all(headers):
        raise MalformedHead("a header line is malformed")
    return Head(start, [(match[1], match[2]) for match in headers if match])


def request_line(head: Head) -> tuple[str, str, str]:
    """Method, target and protocol of a request."""
    if not (match := _REQUEST.fullmatch(head.start)):
        raise MalformedHead("the request line is malformed")
    method, target, protocol = (part.decode("ascii") for part in match.groups())
    return method, target, protocol


def response_status(head: Head) -> int:
    """The status of a response."""
    if not (match := _STATUS.fullmatch(head.start)):
        raise MalformedHead("the status line is malformed")
    return int(match[1])


def response(status: int, reason: str, headers: dict[str, str], body: bytes) -> bytes:
    """A whole response that ends its connection."""
    closing = {**headers, "Content-Length": str(len(body)), "Connection": "close"}
    return Head(f"HTTP/1.1 {status} {reason}".encode(), _encoded(closing.items())).encode() + body


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
