"""The rules of the handshake, each fed whole, byte by byte and with more bytes after it."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.behaviours.answers import ANSWERS
from tests.sources.behaviours.openings import KEPT, OPENINGS
from tests.sources.behaviours.server import Script
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from incident.handshake import RULES, Handshake, Offer, observed

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
FRESH_KEY = "AAAAAAAAAAAAAAAAAAAAAA=="  # the other one is known to caches
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # of that key, from RFC 6455 section 1.3
OFFER = Offer(KEY)
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


def fed(*pieces: bytes, eof: bool = False, offer: Offer = OFFER, wanted: str | None = None) -> Handshake:
    """A handshake that received these pieces."""
    handshake = Handshake(offer, wanted)
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


SWITCHED = response()
SCRIPTS = {
    each.name: each
    for each in (*ANSWERS, *OPENINGS)
    if isinstance(each.serve, Script) and each.check.get("kind") != "http"
}
A_PIECE = 20_000  # what is fed a byte at a time; of a flood the rest comes at once
each_script = pytest.mark.parametrize("name", SCRIPTS)


def script(name: str, *more: bytes, bytewise: bool = False, ends: bool = True) -> Handshake:
    """A handshake that received all that the server of this name says, more, and the end where it ends."""
    behaviour = SCRIPTS[name]
    assert isinstance(behaviour.serve, Script)
    data = behaviour.serve.answer(FRESH_KEY)
    cut = A_PIECE if bytewise else 0
    single = (bytes([byte]) for byte in data[:cut])
    eof = ends and behaviour.serve.then != "stays"
    return fed(*single, data[cut:], *more, eof=eof, offer=Offer(FRESH_KEY, behaviour.check.get("subprotocols", ())))


@each_script
def test_verdict(name: str) -> None:
    """The bytes alone decide what the probe says of them over a real connection, in the same words."""
    handshake, behaviour = script(name), SCRIPTS[name]
    verdict, rule, stage, status, _ = behaviour.found.split()
    found = (handshake.verdict or "unreachable", handshake.rule or "-", handshake.stage, handshake.head.status or "-")
    assert " ".join(map(str, found)) == f"{verdict} {rule} {stage} {status}"
    if handshake.rule and "***" not in behaviour.because:  # the row's words are masked
        assert behaviour.says(handshake.because)


@each_script
def test_pieces_do_not_matter(name: str) -> None:
    """A network cuts where it likes, so byte by byte says what the whole says, in the same words."""
    assert facts(script(name, bytewise=True)) == facts(script(name))


@each_script
def test_trailing_bytes_change_nothing(name: str) -> None:
    """What is decided stays so, whatever comes after it, and so does its end."""
    before = script(name, ends=False)
    if before.rule or before.close:
        after = script(name, b"HTTP/1.1 200 OK\r\n\r\n", b"\x81\x02hi")
        assert facts(after)[:4] == facts(before)[:4]
    elif SCRIPTS[name] in KEPT:
        assert facts(script(name, b"\x81\x02hi")) == facts(before)


def test_nothing_is_no_answer() -> None:
    """An end before the first byte breaks no rule: nothing was said."""
    assert fed(eof=True).verdict is None
    assert fed(response("100 Continue"), eof=True).verdict is None


def test_every_rule_has_a_case() -> None:
    """A rule of the contract that no case meets could not be relied on."""
    assert {script(name).rule for name in SCRIPTS} - {None} == set(RULES)


def test_close_is_kept() -> None:
    """An application that accepts and then refuses says why in its close, and nowhere else."""
    assert fed(SWITCHED + close(4401, b"no token")).close == Close(4401, "no token")


def answered(*pieces: bytes, wanted: str) -> bool:
    """Whether a wanted text was in a message."""
    frames = fed(*pieces, wanted=wanted).frames
    assert frames
    return frames.answered


def test_messages_are_found() -> None:
    """A message counts whether it came in one frame or in fragments that cut a character."""
    text = "né".encode()
    pieces = frame(Opcode.TEXT, text[:2], fin=False) + frame(Opcode.PING) + frame(Opcode.CONT, text[2:])
    assert answered(SWITCHED + pieces, wanted="né")
    assert not answered(SWITCHED + pieces, wanted="other")
    assert not answered(SWITCHED + frame(Opcode.TEXT, b"n", fin=False), wanted="n")
    assert not answered(SWITCHED + frame(Opcode.BINARY, b"n"), wanted="n")


def test_ping_is_answered() -> None:
    """A server that gets no pong closes the connection, and the probe would report its own fault."""
    handshake = fed(SWITCHED + frame(Opcode.PING, b"x"))
    assert handshake.to_send()[:2] == b"\x8a\x81"


def test_flood_keeps_little() -> None:
    """A server that floods must not fill this side's memory, nor hide an answer that came before the flood."""
    answer, noise = frame(Opcode.TEXT, b"ping 1"), frame(Opcode.TEXT, b"x" * 1000)
    tracemalloc.start()
    try:
        assert answered(SWITCHED, answer, *[noise] * 3000, wanted="ping 1")
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


ANSWERED = [each.serve.answer(KEY)[:A_PIECE] for each in SCRIPTS.values() if isinstance(each.serve, Script)]
PIECES = st.sampled_from([*ANSWERED, b"HTTP/1.1 ", b"101", b"\r\n", b": ", b"\0", b"\x88", b" ", b"\x15"])


@given(st.lists(st.one_of(st.binary(max_size=40), PIECES), max_size=8), st.booleans())
def test_no_bytes_raise(pieces: list[bytes], eof: bool) -> None:
    """Whatever a server sends is an answer to report, never an error of ours; pieces do not change it."""
    handshake, whole = fed(*pieces, eof=eof), fed(b"".join(pieces), eof=eof)
    assert facts(handshake) == facts(whole)
    handshake.to_send()


@given(st.lists(st.binary(max_size=40), max_size=8), st.booleans())
def test_no_bytes_after_the_101_raise(pieces: list[bytes], eof: bool) -> None:
    """Random bytes rarely open a WebSocket, so its frames get theirs."""
    handshake, whole = fed(SWITCHED, *pieces, eof=eof), fed(SWITCHED + b"".join(pieces), eof=eof)
    assert facts(handshake) == facts(whole)
    handshake.to_send()
    handshake.send_text("x")
    handshake.send_close()


@each_script
def test_agrees_with_websockets(name: str) -> None:
    """What we call accepted, the `websockets` client opens: a second reader of the same rules.

    Where it differs it is stricter, in three ways that `http1` names: interim responses, a status without a space, and
    a version of HTTP/1 after 1.1.
    """
    behaviour, ours = SCRIPTS[name], script(name)
    offered: Any = behaviour.check.get("subprotocols")
    other = ClientProtocol(parse_uri("ws://localhost/"), subprotocols=offered)
    other.key = FRESH_KEY
    assert isinstance(behaviour.serve, Script)
    other.receive_data(behaviour.serve.answer(FRESH_KEY))
    lenient = bool(ours.head.interim) or not ours.head.reason or ours.head.version > (1, 1)
    assert (other.state is not State.CONNECTING) == (ours.frames is not None) or lenient


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"verdict": "broken", "rule": "accept-wrong", "http_status": 101}, "broken: accept-wrong"),
        ({"verdict": "unreachable", "stage": "headers", "http_status": 403}, "no answer at headers, after 403"),
        ({"verdict": "unreachable", "stage": "status"}, "no answer at status"),
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
