"""The rules of the handshake, each fed whole, byte by byte and with more bytes after it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from incident.handshake import RULES, Handshake, Offer, observed

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # of that key, from RFC 6455 section 1.3
OFFER = Offer(KEY, ("chat", "superchat"))
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": ACCEPT}


def response(status: str = "101 Switching Protocols", version: str = "HTTP/1.1", **changes: str | None) -> bytes:
    """A response head: that of a good 101, with headers changed (`_` for `-`), added, or left out by None."""
    headers: dict[str, str | None] = UPGRADE if status.startswith("101") else {}
    headers = headers | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{version} {status}", *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def frame(opcode: Opcode, data: bytes = b"", **changes: Any) -> bytes:
    """A frame as a server sends it."""
    return Frame(opcode, data, **changes).serialize(mask=False)


def close(code: int, reason: bytes = b"") -> bytes:
    """A close frame, of any code."""
    return frame(Opcode.CLOSE, code.to_bytes(2, "big") + reason)


def fed(*pieces: bytes, eof: bool = False, offer: Offer = OFFER) -> Handshake:
    """A handshake that received these pieces."""
    handshake = Handshake(offer)
    for piece in pieces:
        handshake.receive(piece)
    if eof:
        handshake.receive_eof()
    return handshake


def facts(handshake: Handshake) -> tuple[Any, ...]:
    """Everything that a handshake says."""
    ending = handshake.close
    return (
        handshake.verdict,
        handshake.stage,
        handshake.rule,
        handshake.head.status,
        handshake.because,
        handshake.subprotocol,
        ending and (ending.code, ending.reason),
    )


BAD = b"\x81\x02\xc3\x28"  # a text frame that is not UTF-8
SWITCHED = response()

CASES: dict[str, tuple[bytes, str, str, str | None, int | None]] = {
    "accepted": (SWITCHED, "accepted", "open", None, 101),
    "names-in-other-case": (
        SWITCHED.replace(b"Upgrade: websocket", b"UPGRADE: WebSocket"),
        "accepted",
        "open",
        None,
        101,
    ),
    "connection-list": (response(Connection="keep-alive, upgrade"), "accepted", "open", None, 101),
    "subprotocol-chosen": (response(Sec_WebSocket_Protocol="chat"), "accepted", "open", None, 101),
    "spaces-around-values": (response(Upgrade="  websocket  "), "accepted", "open", None, 101),
    "no-reason": (response("101 "), "accepted", "open", None, 101),
    "bare-status": (response("101"), "accepted", "open", None, 101),
    "interim-100": (response("100 Continue") + SWITCHED, "accepted", "open", None, 101),
    "interim-103": (response("103 Early Hints", Link="</a>") + SWITCHED, "accepted", "open", None, 101),
    "refused": (response("403 Forbidden", Content_Length="0"), "refused", "status", "status-101", 403),
    "refused-bare": (b"HTTP/1.1 403\r\n\r\n", "refused", "status", "status-101", 403),
    "refused-body-cut": (
        response("403 Forbidden", Content_Length="50") + b"5byte",
        "refused",
        "status",
        "status-101",
        403,
    ),
    "refused-http-1.0": (response("403 Forbidden", "HTTP/1.0"), "refused", "status", "status-101", 403),
    "refused-after-103": (response("103 Early Hints") + response("503 Busy"), "refused", "status", "status-101", 503),
    "refused-bare-lf": (b"HTTP/1.1 403 Forbidden\nServer: x\n\n", "refused", "status", "status-101", 403),
    "refused-odd-status": (response("999 Request denied"), "refused", "status", "status-101", 999),
    "redirect": (response("302 Found", Location="/login"), "refused", "status", "status-101", 302),
    "ok-is-a-refusal": (response("200 OK"), "refused", "status", "status-101", 200),
    "101-bare-lf": (SWITCHED.replace(b"\r\n", b"\n"), "broken", "headers", "http-malformed", 101),
    "101-in-http-1.0": (response(version="HTTP/1.0"), "broken", "status", "http-version", 101),
    "http-2-in-words": (response("101 ", "HTTP/2"), "broken", "status", "http-version", 101),
    "http-2-frames": (bytes.fromhex("000012040000000000") + bytes(18), "broken", "status", "http-version", None),
    "no-upgrade": (response(Upgrade=None), "broken", "headers", "upgrade", 101),
    "other-upgrade": (response(Upgrade="h2c"), "broken", "headers", "upgrade", 101),
    "two-upgrades": (response(Upgrade="websocket, h2c"), "broken", "headers", "upgrade", 101),
    "no-connection": (response(Connection=None), "broken", "headers", "connection", 101),
    "connection-close": (response(Connection="close"), "broken", "headers", "connection", 101),
    "connection-quoted": (response(Connection='"Upgrade"'), "broken", "headers", "connection", 101),
    "no-accept": (response(Sec_WebSocket_Accept=None), "broken", "headers", "accept-missing", 101),
    "accept-of-other-key": (response(Sec_WebSocket_Accept="AAAA"), "broken", "headers", "accept-wrong", 101),
    "accept-other-case": (response(Sec_WebSocket_Accept=ACCEPT.upper()), "broken", "headers", "accept-wrong", 101),
    "accept-twice": (response(sec_websocket_accept=ACCEPT), "broken", "headers", "accept-wrong", 101),
    "extension": (response(Sec_WebSocket_Extensions="permessage-deflate"), "broken", "headers", "extension", 101),
    "subprotocol-other": (response(Sec_WebSocket_Protocol="mqtt"), "broken", "headers", "subprotocol", 101),
    "subprotocol-case": (response(Sec_WebSocket_Protocol="Chat"), "broken", "headers", "subprotocol", 101),
    "subprotocol-two": (response(Sec_WebSocket_Protocol="chat, superchat"), "broken", "headers", "subprotocol", 101),
    "not-http": (b"SSH-2.0-OpenSSH_9.6\r\n", "broken", "status", "http-malformed", None),
    "tls-alert": (b"\x15\x03\x01\x00\x02\x02\x16", "broken", "status", "http-malformed", None),
    "status-not-a-number": (b"HTTP/1.1 OK\r\n\r\n", "broken", "status", "http-malformed", None),
    "status-too-long": (b"HTTP/1.1 1010 No\r\n\r\n", "broken", "status", "http-malformed", None),
    "header-without-colon": (b"HTTP/1.1 403 No\r\nServer\r\n\r\n", "broken", "headers", "http-malformed", 403),
    "header-space-in-name": (b"HTTP/1.1 403 No\r\nA b: c\r\n\r\n", "broken", "headers", "http-malformed", 403),
    "header-folded": (b"HTTP/1.1 403 No\r\nA: b\r\n c\r\n\r\n", "broken", "headers", "http-malformed", 403),
    "header-nul": (b"HTTP/1.1 403 No\r\nA: b\0c\r\n\r\n", "broken", "headers", "http-malformed", 403),
    "long-status-line": (b"HTTP/1.1 403 " + b"x" * 9000, "broken", "status", "limit", None),
    "long-header": (b"HTTP/1.1 403 No\r\nA: " + b"x" * 9000, "broken", "headers", "limit", 403),
    "many-headers": (b"HTTP/1.1 403 No\r\n" + b"A: b\r\n" * 200, "broken", "headers", "limit", 403),
    "many-interims": (response("100 Continue") * 20, "broken", "status", "limit", None),
    "close-4401": (SWITCHED + close(4401, b"no token"), "accepted", "open", None, 101),
    "close-without-code": (SWITCHED + frame(Opcode.CLOSE), "accepted", "open", None, 101),
    "close-in-a-fragment": (
        SWITCHED + frame(Opcode.TEXT, b"a", fin=False) + close(1001),
        "accepted",
        "open",
        None,
        101,
    ),
    "close-1005": (SWITCHED + close(1005), "broken", "open", "close-code", 101),
    "close-1006": (SWITCHED + close(1006), "broken", "open", "close-code", 101),
    "close-999": (SWITCHED + close(999), "broken", "open", "close-code", 101),
    "close-5000": (SWITCHED + close(5000), "broken", "open", "close-code", 101),
    "close-one-byte": (SWITCHED + frame(Opcode.CLOSE, b"\x03"), "broken", "open", "close-code", 101),
    "close-reason-not-utf-8": (SWITCHED + close(1000, b"\xff"), "broken", "open", "utf-8", 101),
    "text-not-utf-8": (SWITCHED + BAD, "broken", "open", "utf-8", 101),
    "masked": (SWITCHED + Frame(Opcode.TEXT, b"a").serialize(mask=True), "broken", "open", "frame", 101),
    "reserved-bit": (SWITCHED + b"\xc1\x01a", "broken", "open", "frame", 101),
    "unknown-opcode": (SWITCHED + b"\x83\x01a", "broken", "open", "frame", 101),
    "long-ping": (SWITCHED + b"\x89\x7e\x00\x7e" + bytes(126), "broken", "open", "frame", 101),
    "stray-continuation": (SWITCHED + frame(Opcode.CONT, b"a"), "broken", "open", "frame", 101),
    "huge-frame": (SWITCHED + b"\x82\x7f" + (2**40).to_bytes(8, "big"), "broken", "open", "limit", 101),
    "html-after-101": (SWITCHED + b"<html>", "broken", "open", "frame", 101),
}


@pytest.mark.parametrize(("data", "verdict", "stage", "rule", "status"), CASES.values(), ids=CASES)
def test_rule(data: bytes, verdict: str, stage: str, rule: str | None, status: int | None) -> None:
    """The rule that decides is named, with the stage where it did and the status, however the answer goes on."""
    handshake = fed(data)
    assert (handshake.verdict, handshake.stage, handshake.rule, handshake.head.status) == (verdict, stage, rule, status)


@pytest.mark.parametrize("data", [case[0] for case in CASES.values()], ids=CASES)
def test_pieces_do_not_matter(data: bytes) -> None:
    """A network cuts where it likes, so byte by byte says what the whole says, in the same words."""
    assert facts(fed(*(bytes([byte]) for byte in data))) == facts(fed(data))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[3] or name.startswith("close")])
def test_trailing_bytes_change_nothing(name: str) -> None:
    """What is decided stays so, whatever comes after it, an end among it."""
    data = CASES[name][0]
    assert facts(fed(data, b"HTTP/1.1 200 OK\r\n\r\n", b"\x81\x02hi", eof=True))[:4] == facts(fed(data))[:4]


@pytest.mark.parametrize(
    ("data", "stage", "status"),
    [
        (b"HTT", "status", None),
        (b"HTTP/1.1 403 Forb", "status", None),
        (b"HTTP/1.1 403 No\r\nServer: x", "headers", 403),
    ],
)
def test_cut_head(data: bytes, stage: str, status: int | None) -> None:
    """A head that ends too early is malformed, and the status that came with it is kept."""
    handshake = fed(data, eof=True)
    assert (handshake.rule, handshake.stage, handshake.head.status) == ("http-malformed", stage, status)


def test_nothing_is_no_answer() -> None:
    """An end before the first byte breaks no rule: nothing was said."""
    assert fed(eof=True).verdict is None
    assert fed(response("100 Continue"), eof=True).verdict is None


def test_every_rule_has_a_case() -> None:
    """A rule of the contract that no case meets could not be relied on."""
    assert {case[3] for case in CASES.values()} - {None} == set(RULES)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("refused", "answered 403 Forbidden; only 101 opens a WebSocket"),
        ("redirect", "answered 302 Found (location: /login); only 101 opens a WebSocket"),
        ("101-bare-lf", "the answer is not HTTP: a line ends without a carriage return"),
        ("101-in-http-1.0", "the answer is not HTTP/1.1: it says HTTP/1.0"),
        ("http-2-frames", "the answer is not HTTP/1.1: it is HTTP/2 frames"),
        ("no-upgrade", "101 needs 'Upgrade: websocket', but there is none"),
        ("other-upgrade", "101 needs 'Upgrade: websocket', but it is 'h2c'"),
        ("connection-close", "101 needs 'Connection: Upgrade', but it is 'close'"),
        ("no-accept", "101 needs Sec-WebSocket-Accept, but there is none"),
        ("accept-of-other-key", "Sec-WebSocket-Accept does not fit: it is 'AAAA'"),
        ("extension", "an extension that was not offered: it is 'permessage-deflate'"),
        ("subprotocol-other", "a subprotocol that was not offered: it is 'mqtt'"),
        ("not-http", "the answer is not HTTP: it begins with 'SSH-2.0-OpenSSH_9.6\\r\\n'"),
        ("long-header", "the answer is too long to read: a line of more than 8192 bytes"),
        ("many-headers", "the answer is too long to read: more than 128 headers"),
        ("masked", "accepted, then a bad frame: incorrect masking"),
        ("close-1005", "accepted, then a close that is not valid: 1005 may not be sent"),
    ],
)
def test_words(name: str, words: str) -> None:
    """A rule's words give what was seen, so that nobody has to capture the bytes again."""
    assert fed(CASES[name][0]).because == words


def test_close_is_kept() -> None:
    """An application that accepts and then refuses says why in its close, and nowhere else."""
    assert fed(SWITCHED + close(4401, b"no token")).close == Close(4401, "no token")


def test_messages_are_found() -> None:
    """A message counts whether it came in one frame or in fragments that cut a character."""
    text = "né".encode()
    pieces = frame(Opcode.TEXT, text[:2], fin=False) + frame(Opcode.PING) + frame(Opcode.CONT, text[2:])
    handshake = fed(SWITCHED + pieces)
    assert handshake.got("né")
    assert not handshake.got("other")


def test_ping_is_answered() -> None:
    """A server that gets no pong closes the connection, and the probe would report its own fault."""
    handshake = fed(SWITCHED + frame(Opcode.PING, b"x"))
    assert handshake.to_send()[:2] == b"\x8a\x81"


def test_flood_keeps_little() -> None:
    """A server that floods must not fill this side's memory."""
    handshake = fed(SWITCHED, *[frame(Opcode.TEXT, b"x" * 1000)] * 1000)
    assert handshake.frames
    assert len(handshake.frames.texts) == 64


PIECES = st.sampled_from([*[case[0] for case in CASES.values()], b"HTTP/1.1 ", b"101", b"\r\n", b": ", b"\0", b"\x88"])


@given(st.lists(st.one_of(st.binary(max_size=40), PIECES), max_size=8), st.booleans())
def test_no_bytes_raise(pieces: list[bytes], eof: bool) -> None:
    """Whatever a server sends is an answer to report, never an error of ours; pieces do not change it."""
    handshake, whole = fed(*pieces, eof=eof), fed(b"".join(pieces), eof=eof)
    assert facts(handshake) == facts(whole)
    handshake.to_send()


@pytest.mark.parametrize("data", [case[0] for case in CASES.values()], ids=CASES)
def test_agrees_with_websockets(data: bytes) -> None:
    """What we call accepted, the `websockets` client opens: a second reader of the same rules.

    Where it differs it is stricter, in three ways that `http1` names: interim responses, and a status without a space.
    """
    other = ClientProtocol(parse_uri("ws://localhost/"), subprotocols=["chat", "superchat"])  # type: ignore[list-item]
    other.key = KEY
    other.receive_data(data)
    ours = fed(data)
    lenient = bool(ours.head.interim) or data.startswith(b"HTTP/1.1 101\r\n")
    assert (other.state is not State.CONNECTING) == (ours.frames is not None) or lenient


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"verdict": "broken", "rule": "accept-wrong", "http_status": 101}, "broken: accept-wrong"),
        ({"verdict": "unreachable", "stage": "headers", "http_status": 403}, "no answer at headers"),
        ({"verdict": "accepted", "http_status": 101}, "accepted"),
        ({"verdict": "accepted", "http_status": 101, "close_code": 1006}, "accepted, closed 1006"),
        ({"kind": "http", "verdict": None, "http_status": 503, "rule": None}, "503"),
        ({"kind": "http", "verdict": None, "http_status": None, "rule": None, "stage": "tls"}, "no answer at tls"),
        ({"kind": "http", "verdict": None, "http_status": None, "rule": "http-malformed"}, "http-malformed"),
    ],
)
def test_observed(fields: dict[str, Any], words: str) -> None:
    """The rule, the status, the code or the stage: whichever says most."""
    assert observed({"kind": "websocket"} | fields) == words
