"""The head of one HTTP/1.1 response, from its bytes: status, headers, and what breaks the grammar.

Decides: where status line and headers end, and which rule of HTTP they break. Reads: the bytes of one connection, in
whatever pieces they come. Cannot tell: anything of the body; what follows the head is kept in `rest`, unread.

It reads leniently, as RFC 9112 allows: bare line feeds (2.2), folded headers (5.2), HTTP/1.0, no space before an empty
reason. What was read leniently is in `irregular` and `version`, for those who may not let it pass.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

Mask = Callable[[str], str]  # takes what we sent out of the other side's text, before that is cut or quoted
LINE_BYTES: Final = 8192  # the usual limit of HTTP servers, and websockets' own
HEADER_COUNT: Final = 128  # lines, so that folded ones count too
INTERIM_COUNT: Final = 8
TAP_BYTES: Final = 64
BODY_BYTES: Final = 65536
CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[^\n]*\n")  # the line before one


class Fault(Exception):
    """A rule that decided, with what was seen."""

    def __init__(self, rule: str, detail: str = "") -> None:
        """Keep the rule's name and the detail of its words."""
        super().__init__(rule, detail)
        self.rule, self.detail = rule, detail


def printable(text: str, limit: int = 120) -> str:
    """The other side's text made safe for one line of a terminal: nothing that moves a cursor or turns the text around.

    >>> printable("no\\x1b[2J\\u202eway")
    'no\ufffd[2J\ufffdway'
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cut)


class ResponseHead:
    """The status line and headers of one final HTTP response; interim responses (100, 103) are read past."""

    def __init__(self, mask: Mask = str) -> None:
        """Begin before the first byte; what it says of itself in words goes through `mask`."""
        self.mask = mask
        self.version = (0, 0)
        self._code: int | None = None
        self.reason = ""
        self.headers: list[tuple[str, str]] = []
        self._lines = 0
        self.interim: list[int] = []
        self.irregular = ""  # what was read leniently, and would stop a 101
        self.complete = False
        self.fault: Fault | None = None
        self.tap = b""
        self.rest = bytearray()  # what is unread: after the head, the body or the first frames

    @property
    def stage(self) -> str:
        """`status` until the final status line is read, then `headers`."""
        return "status" if self.status is None else "headers"

    @property
    def status(self) -> int | None:
        """The final status; None while there is only an interim one."""
        return None if self._code is None or is_interim(self._code) else self._code

    @property
    def beginning(self) -> str:
        """The first bytes in words, for an answer that is no HTTP at all."""
        return f"it begins with {quoted(self.tap, self.mask)}"

    def get_all(self, name: str) -> list[str]:
        """Every value of a header, in order; names in any case."""
        return [value for key, value in self.headers if key == name.lower()]

    def receive(self, data: bytes) -> None:
        """Take the next bytes."""
        self.tap = (self.tap + data[:TAP_BYTES])[:TAP_BYTES]
        self.rest += data
        try:
            while not self.complete and not self.fault and (line := self._line()) is not None:
                self._take(line)
        except Fault as fault:
            self.fault = fault

    def receive_eof(self) -> None:
        """The other side ended: a head that was begun and not finished is malformed."""
        if not (self.complete or self.fault) and (self.rest or self._code is not None):
            self.fault = Fault("http-malformed", f"it ends in the {self.stage}")

    def _line(self) -> bytes | None:
        if self._code is None and not begins_like_http(self.rest):
            return None
        end = self.rest.find(b"\n") + 1
        if (end or len(self.rest)) > LINE_BYTES:
            raise Fault("limit", f"a line of more than {LINE_BYTES} bytes")
        if not end:
            return None
        line = bytes(self.rest[:end])
        del self.rest[:end]
        if not line.endswith(b"\r\n"):
            self.irregular = "a line ends without a carriage return"
        return line.removesuffix(b"\n").removesuffix(b"\r")

    def _take(self, line: bytes) -> None:
        if self._code is None:
            self.version, self._code, self.reason = parse_status_line(line, self.mask)
            if self.version[0] != 1:
                raise Fault("http-version", f"it says HTTP/{self.version[0]}")
        elif line:
            self._lines += 1
            if self._lines > HEADER_COUNT:
                raise Fault("limit", f"more than {HEADER_COUNT} header lines")
            self._take_header(line)
        elif is_interim(self._code):
            self._pass_interim(self._code)
        else:
            self.complete = True

    def _take_header(self, line: bytes) -> None:
        if line[:1] in (b" ", b"\t") and self.headers:  # RFC 9112 5.2: a client reads it as one line
            name, value = self.headers.pop()
            line = f"{name}: {value} ".encode("latin-1") + line.lstrip(b" \t")
            self.irregular = f"the header {printable(self.mask(name))!r} goes on in a second line"
        self.headers.append(parse_header(line, self.mask))

    def _pass_interim(self, status: int) -> None:
        self.interim.append(status)
        self._code, self.headers, self._lines, self.irregular = None, [], 0, ""
        if len(self.interim) > INTERIM_COUNT:
            raise Fault("limit", f"more than {INTERIM_COUNT} interim responses")


def is_interim(status: int) -> bool:
    """100 to 199 but 101, which is final (RFC 9110 15.2)."""
    return 100 <= status < 200 and status != 101


SIGN_BYTES: Final = {0: 9, 0x15: 2, 0x16: 2}  # how much tells HTTP/2 frames or TLS records, by the first byte
HTTP2_FRAME: Final = re.compile(rb"\0..[\4\7].\0{4}", re.DOTALL)  # SETTINGS or GOAWAY, of the whole connection


def begins_like_http(data: bytes | bytearray) -> bool:
    """Whether a line may be read; raises where no further byte could make it HTTP, so that no silence is waited for."""
    if data[:5] == b"HTTP/"[: len(data)]:
        return True
    if len(data) < SIGN_BYTES.get(data[0], 0):
        return False
    if HTTP2_FRAME.match(data):
        raise Fault("http-version", "it is HTTP/2 frames")
    is_tls = data[0] in (0x15, 0x16) and data[1] == 3
    raise Fault("http-malformed", "it is TLS, so this port wants wss:// or https://" if is_tls else "")


STATUS_LINE: Final = re.compile(rb"HTTP/(\d)(?:\.(\d))? ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?")
HEADER_NAME: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
HEADER: Final = re.compile(rb"(" + HEADER_NAME + rb"):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")


def parse_status_line(line: bytes, mask: Mask = str) -> tuple[tuple[int, int], int, str]:
    """Version, status and reason phrase; the space before an empty reason may be missing, as many servers leave it out.

    >>> parse_status_line(b"HTTP/1.1 403")
    ((1, 1), 403, '')
    """
    if not (match := STATUS_LINE.fullmatch(line)):
        raise Fault("http-malformed", f"its status line is {quoted(line, mask)}")
    major, minor, status, reason = match.groups()
    return (int(major), int(minor or 0)), int(status), (reason or b"").decode("latin-1")


def parse_header(line: bytes, mask: Mask = str) -> tuple[str, str]:
    """A header's name in lower case, and its value.

    >>> parse_header(b"Upgrade:  websocket ")
    ('upgrade', 'websocket')
    """
    if not (match := HEADER.fullmatch(line)):
        raise Fault("http-malformed", header_fault(line, mask))
    return match[1].decode("ascii").lower(), match[2].decode("latin-1")


def header_fault(line: bytes, mask: Mask) -> str:
    """What is wrong with a header's line, without its value."""
    name, colon, _ = line.partition(b":")
    if not colon:
        return f"the header line {quoted(line, mask)} has no colon"
    if not re.fullmatch(HEADER_NAME, name):
        return f"the header name {quoted(name, mask)} has a character that no name may have"
    return f"the header {quoted(name, mask)} has a control character in its value"


def quoted(data: bytes, mask: Mask) -> str:
    """The first bytes of something that is not what it should be."""
    return repr(mask(data.decode("latin-1"))[:40])


def tokens(values: Sequence[str]) -> list[str]:
    """The members of a comma-separated list header (RFC 9110 5.6.1), as written."""
    return [token.strip() for value in values for token in value.split(",") if token.strip()]


def shown(values: Sequence[str]) -> str:
    """A header's values in words."""
    return f"it is {printable(', '.join(values), 60)!r}" if values else "there is none"


REFUSAL_HEADERS: Final = {
    **dict.fromkeys((200, 404), "content-type"),  # text/html: a page of the site answered, and no WebSocket
    **dict.fromkeys(range(300, 309), "location"),
    **dict.fromkeys((502, 504), "server"),  # a gateway says so of what lies behind it
    **dict.fromkeys((429, 503), "retry-after"),
    401: "www-authenticate",
    405: "allow",
    407: "proxy-authenticate",
    426: "sec-websocket-version",
}
"""The header of a refusal that says what is wanted instead, or who speaks."""


def refusal_words(head: ResponseHead) -> str:
    """Status and reason, and the one header that says more; a location without user or query."""
    name = REFUSAL_HEADERS.get(head.status or 0, "")
    said = next(iter(head.get_all(name)), "")
    said = re.sub(r"(?<=//)[^/@]*@|[?#].*", "", said) if name == "location" else said
    more = f" ({name}: {printable(head.mask(said), 80)})" if said else ""
    return f"{head.status} {printable(head.mask(head.reason), 60)}".rstrip() + more


class Answer:
    """A plain HTTP response: its head, and of its body the first 64 KiB, read no further than `wanted` is found.

    >>> answer = Answer("ready")
    >>> answer.receive(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n2\\r\\nre\\r\\n3\\r\\nady\\r\\n")
    >>> answer.head.status, answer.body, answer.done
    (200, 'ready', True)
    """

    def __init__(self, wanted: str | None = None, mask: Mask = str) -> None:
        """Begin with the request sent; without `wanted` the body is not read."""
        self.head = ResponseHead(mask)
        self.wanted, self.ended = wanted, False

    def receive(self, data: bytes) -> None:
        """Take the next bytes."""
        if len(self.head.rest) < BODY_BYTES:
            self.head.receive(data)

    def receive_eof(self) -> None:
        """The other side ended."""
        self.ended = True
        self.head.receive_eof()

    def to_send(self) -> bytes:
        """HTTP answers nothing by itself."""
        return b""

    @property
    def body(self) -> str:
        """The body as far as it was read, without the marks of its chunks, and unpacked."""
        return unpacked(self._body()[0], self.head).decode("utf-8", "replace") if self.head.complete else ""

    @property
    def done(self) -> bool:
        """Whether nothing more has to be read."""
        if self.head.fault or (self.head.complete and self.wanted is None):
            return True
        return self.ended or (self.head.complete and ((self.wanted or "") in self.body or self._body()[1]))

    def _body(self) -> tuple[bytes, bool]:
        body = bytes(self.head.rest[:BODY_BYTES])
        if "chunked" in (coding.lower() for coding in tokens(self.head.get_all("transfer-encoding"))):
            return dechunked(body)
        length = re.fullmatch(r"[0-9]{1,9}", next(iter(self.head.get_all("content-length")), ""))
        size = int(length[0]) if length else BODY_BYTES
        return body[:size], len(body) >= min(size, BODY_BYTES)


def dechunked(data: bytes) -> tuple[bytes, bool]:
    """The content of chunks as far as they came (RFC 9112 7.1), and whether the last one did or no more will fit."""
    body, at = bytearray(), 0
    while (match := CHUNK.match(data, at)) and (size := int(match[1], 16)):
        at = match.end() + size + 2
        body += data[match.end() : at - 2]
    return bytes(body), match is not None or len(data) >= BODY_BYTES


def unpacked(body: bytes, head: ResponseHead) -> bytes:
    """A body without its gzip or deflate, which a server may use unasked (RFC 9110 12.5.3); else as it is."""
    if {"gzip", "x-gzip", "deflate"} & {coding.lower() for coding in tokens(head.get_all("content-encoding"))}:
        with suppress(zlib.error):
            return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, BODY_BYTES)
    return body
