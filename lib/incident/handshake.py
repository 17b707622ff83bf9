"""What an endpoint's bytes say about its WebSocket handshake: bytes in, the RFC 6455 rule that decided out.

Decides: accepted, refused or broken, by which rule, and what came after the 101 (a close and its code, text messages,
a frame that breaks a rule). Reads: the bytes of one connection, in whatever pieces they come; no socket and no clock,
so the same bytes always give the same answer. Cannot tell: who refused (a front end, a proxy or the application), nor
how long it took.

Theory of operation. `http1.ResponseHead` reads status line and headers, because a client that waits for the body loses
the status of a refusal whose body is cut or never ends. It reads leniently, as RFC 9112 allows: a refusal in HTTP/1.0
or with bare line feeds is still a refusal. A 101 has to keep every rule of `RULES`, in their order.
After that the frames are read by `websockets`' sans-I/O `Protocol`, which answers pings and closes too.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol
from websockets.utils import accept_key

from incident.http1 import Fault, Mask, ResponseHead, printable, refusal_words, shown, tokens

MESSAGE_BYTES: Final = 2**20


@dataclass(frozen=True)
class Offer:
    """What our request asked for, which the answer is checked against."""

    key: str
    subprotocols: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A rule of the handshake: its name, where it is written, the verdict when it decides, and the words for it."""

    name: str
    section: str
    verdict: str
    words: str
    stage: str = ""  # empty: the stage that was being read


RULES: Final = {
    rule.name: rule
    for rule in (
        Rule("status-101", "RFC 6455 4.1, 1", "refused", "answered {detail}; only 101 opens a WebSocket", "status"),
        Rule("http-version", "RFC 6455 4.1", "broken", "the answer is not HTTP/1.1: {detail}", "status"),
        Rule("http-malformed", "RFC 9112 2, 4, 5", "broken", "the answer is not valid HTTP: {detail}"),
        Rule("upgrade", "RFC 6455 4.1, 2", "broken", "101 needs 'Upgrade: websocket', but {detail}", "headers"),
        Rule("connection", "RFC 6455 4.1, 3", "broken", "101 needs 'Connection: Upgrade', but {detail}", "headers"),
        Rule("accept-missing", "RFC 6455 4.1, 4", "broken", "101 needs Sec-WebSocket-Accept, but {detail}", "headers"),
        Rule("accept-wrong", "RFC 6455 4.1, 4", "broken", "Sec-WebSocket-Accept does not fit: {detail}", "headers"),
        Rule("extension", "RFC 6455 4.1, 5", "broken", "an extension that was not offered: {detail}", "headers"),
        Rule("subprotocol", "RFC 6455 4.1, 6", "broken", "a subprotocol that was not offered: {detail}", "headers"),
        Rule("limit", "RFC 6455 10.4", "broken", "the answer is too long to read: {detail}"),
        Rule("frame", "RFC 6455 5", "broken", "accepted, then a bad frame: {detail}", "open"),
        Rule("utf-8", "RFC 6455 8.1", "broken", "accepted, then text that is not UTF-8: {detail}", "open"),
        Rule("close-code", "RFC 6455 7.4", "broken", "accepted, then a close that is not valid: {detail}", "open"),
    )
}
"""Every rule that can decide against an endpoint, in the order in which they are looked at."""

OPENING_HEADERS: Final[tuple[tuple[str, str, Callable[[list[str], Offer], bool]], ...]] = (
    ("upgrade", "upgrade", lambda values, offer: [value.lower() for value in values] == ["websocket"]),
    ("connection", "connection", lambda values, offer: "upgrade" in (token.lower() for token in tokens(values))),
    ("accept-missing", "sec-websocket-accept", lambda values, offer: bool(values)),
    ("accept-wrong", "sec-websocket-accept", lambda values, offer: values == [accept_key(offer.key)]),
    ("extension", "sec-websocket-extensions", lambda values, offer: not values),  # none is ever offered
    ("subprotocol", "sec-websocket-protocol", lambda values, offer: all_offered(values, offer.subprotocols)),
)
"""Of a rule that one header keeps or breaks: the header, and whether all its values together keep it."""


def all_offered(values: Sequence[str], subprotocols: Sequence[str]) -> bool:
    """At most one subprotocol, and one of those offered, in the same case."""
    return not values or (len(values) == 1 and values[0] in subprotocols)


def opening_fault(head: ResponseHead, offer: Offer) -> Fault | None:
    """The first rule that a whole response head breaks, or None where it opens the WebSocket."""
    if head.status != 101:
        return Fault("status-101", refusal_words(head))
    if head.version < (1, 1):
        return Fault("http-version", f"it says HTTP/{head.version[0]}.{head.version[1]}")
    if head.irregular:  # a lenient reader passes over it, and many clients do not
        return Fault("http-malformed", head.irregular)
    seen = ((rule, head.get_all(header), kept_by) for rule, header, kept_by in OPENING_HEADERS)
    broken = ((rule, [*map(head.mask, values)]) for rule, values, kept_by in seen if not kept_by(values, offer))
    return next((Fault(rule, shown(values) + remedy(rule, values)) for rule, values in broken), None)


def remedy(rule: str, values: Sequence[str]) -> str:
    """The option that offers the one subprotocol which the server insists on; people copy it, so only a plain name."""
    name = values[0] if rule == "subprotocol" and len(values) == 1 else ""
    return f"; offer it with --subprotocol {name}" if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,59}", name) else ""


def fault_words(fault: Fault, head: ResponseHead) -> str:
    """The words of the rule that decided, with what was seen, and the status where the answer got that far."""
    if fault.rule == "limit" and head.complete:
        return f"accepted, then a message that is too long to read: {fault.detail}"
    words = RULES[fault.rule].words.format(detail=fault.detail or head.beginning)
    cut_short = fault.rule in ("http-malformed", "limit") and head.status not in (None, 101)
    return f"{words}, after {refusal_words(head)}" if cut_short else words


class CloseCodeError(ProtocolError):
    """A close frame whose code may not be sent."""


FRAME_RULES: Final = (
    (CloseCodeError, "close-code"),
    (ProtocolError, "frame"),
    (UnicodeDecodeError, "utf-8"),
    (PayloadTooBig, "limit"),
)


class Frames(Protocol):
    """The frames after the 101; adds to `websockets` that text is UTF-8 and that a close code's fault is told apart."""

    def __init__(self, wanted: str | None = None) -> None:
        """Begin right after the 101; look for `wanted` in each text message as it comes, and keep none."""
        super().__init__(CLIENT, state=OPEN, max_size=MESSAGE_BYTES)
        self.wanted = wanted
        self.answered = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._parts: list[str] = []

    def recv_frame(self, frame: Frame) -> None:
        """Take one frame whose head is valid."""
        if frame.opcode is Opcode.CLOSE:
            check_close(bytes(frame.data))
        super().recv_frame(frame)
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._decoder = codecs.getincrementaldecoder("utf-8")() if frame.opcode is Opcode.TEXT else None
        if frame.opcode in (Opcode.TEXT, Opcode.CONT) and self._decoder:
            self._take_text(self._decoder, bytes(frame.data), frame.fin)

    def _take_text(self, decoder: codecs.IncrementalDecoder, data: bytes, fin: bool) -> None:
        self._parts.append(decoder.decode(data, fin))
        if fin:
            self.answered = self.answered or (self.wanted is not None and self.wanted in "".join(self._parts))
            self._parts.clear()

    def fault(self) -> Fault | None:
        """The rule that the frames broke; a close that was read whole is never a fault."""
        found = (rule for kind, rule in FRAME_RULES if isinstance(self.parser_exc, kind))
        rule = None if self.close_rcvd else next(found, None)
        return Fault(rule, frame_words(self.parser_exc)) if rule else None


def frame_words(error: Exception | None) -> str:
    """What is wrong with a frame, in few words."""
    if isinstance(error, UnicodeDecodeError):
        return f"{error.reason} (position {error.start})"
    if isinstance(error, PayloadTooBig):
        return f"more than {MESSAGE_BYTES} bytes"
    return printable(str(error))


def check_close(data: bytes) -> None:
    """A close frame's payload is empty, or a code that may be sent and a reason in UTF-8."""
    data[2:].decode()
    try:
        Close.parse(data[:2])
    except ProtocolError as error:
        raise CloseCodeError(close_words(data)) from error


def close_words(data: bytes) -> str:
    """What is wrong with a close frame's code."""
    return "a code is two bytes" if len(data) < 2 else f"{int.from_bytes(data[:2], 'big')} may not be sent"


class Handshake:
    """One connection's handshake and what follows it, fed with bytes in any pieces.

    >>> handshake = Handshake(Offer("dGhlIHNhbXBsZSBub25jZQ=="))
    >>> handshake.receive(b"HTTP/1.1 403 Forbidden\\r\\nContent-Length: 50\\r\\n\\r\\ncut")
    >>> handshake.verdict, handshake.stage, handshake.rule, handshake.because
    ('refused', 'status', 'status-101', 'answered 403 Forbidden; only 101 opens a WebSocket')
    """

    def __init__(self, offer: Offer, wanted: str | None = None, mask: Mask = str) -> None:
        """Begin with the request sent; `wanted` is to be in a text message, `mask` is for the other side's words."""
        self.offer, self.wanted = offer, wanted
        self.head = ResponseHead(mask)
        self.frames: Frames | None = None
        self.fault: Fault | None = None

    def receive(self, data: bytes) -> None:
        """Take the next bytes; none make it raise."""
        if self.frames:
            self._receive_frames(self.frames, data)
        else:
            self.head.receive(data)
            self._decide()
            if self.fault:
                self.head.rest.clear()  # a body that never ends must not fill the memory

    def receive_eof(self) -> None:
        """The other side ended its stream, or reset it; nothing may be received after it."""
        if self.frames:
            self.frames.receive_eof()
        else:
            self.head.receive_eof()
            self._decide()

    def _decide(self) -> None:
        if self.fault or not (self.head.fault or self.head.complete):
            return
        self.fault = self.head.fault or opening_fault(self.head, self.offer)
        if not self.fault:
            self.frames = Frames(self.wanted)
            self._receive_frames(self.frames, bytes(self.head.rest))

    def _receive_frames(self, frames: Frames, data: bytes) -> None:
        frames.receive_data(data)
        frames.events_received()  # taken one by one in recv_frame; here only let go of
        self.fault = frames.fault()

    def to_send(self) -> bytes:
        """What the protocol answers: pongs, the echo of a close, a close that says which rule was broken."""
        return b"".join(self.frames.data_to_send()) if self.frames else b""

    def send_text(self, text: str) -> None:
        """Send a text message, where the connection is still open."""
        if self.frames and self.frames.state is OPEN:
            self.frames.send_text(text.encode())

    def send_close(self) -> None:
        """Begin the closing handshake with 1000, where the connection is still open."""
        if self.frames and self.frames.state is OPEN:
            self.frames.send_close(1000)

    @property
    def verdict(self) -> str | None:
        """`accepted`, `refused` or `broken`; None while nothing is decided."""
        if self.fault:
            return RULES[self.fault.rule].verdict
        return "accepted" if self.frames else None

    @property
    def rule(self) -> str | None:
        """The name of the rule that decided against the endpoint."""
        return self.fault.rule if self.fault else None

    @property
    def stage(self) -> str:
        """`status`, `headers` or `open`: where it stopped, or is."""
        at = "open" if self.frames else self.head.stage
        return (RULES[self.fault.rule].stage or at) if self.fault else at

    @property
    def because(self) -> str:
        """The rule's words, or nothing while no rule decided."""
        if not self.fault:
            return ""
        return fault_words(self.fault, self.head)

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was chosen, of a handshake that was accepted; masked, as some offer a token as one."""
        chosen = self.head.get_all("sec-websocket-protocol") if self.frames else []
        return self.head.mask(chosen[0]) if chosen else None

    @property
    def close(self) -> Close | None:
        """The close that was received: its code (1005 where the frame had none) and its reason."""
        return self.frames.close_rcvd if self.frames else None


def observed(row: Mapping[str, Any]) -> str:
    """What a probe saw, in few words: the status, the rule that was broken, the code of a close, or where it stopped.

    >>> observed({"kind": "websocket", "verdict": "accepted", "http_status": 101, "close_code": 4401})
    'accepted, closed 4401'
    >>> observed({"kind": "websocket", "verdict": "refused", "http_status": 503})
    'refused 503'
    >>> observed({"kind": "websocket", "verdict": "unreachable", "stage": "headers", "http_status": 403})
    'no answer at headers, after 403'
    """
    status, rule = row.get("http_status"), row.get("rule")
    if row.get("status") == "skipped":
        return "not tried"
    if row.get("verdict") == "unreachable" or not (status or rule):
        return f"no answer at {row.get('stage')}" + (f", after {status}" if status else "")
    if row["kind"] == "http":
        return str(rule or status)
    if row["verdict"] == "accepted":
        return f"accepted, closed {row['close_code']}" if row.get("close_code") else "accepted"
    return f"broken: {row['rule']}" if row["verdict"] == "broken" else f"{row['verdict']} {row['http_status']}"
