"""Real servers on loopback that misbehave, one a row, and what the probe says of each, in time."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from incident.findings import UsageError
from incident.handshake import Handshake, Offer
from incident.sources.checks import Check, Row
from incident.sources.endpoint import Control, Surroundings, attempt, probe
from incident.sources.target import parse_target
from incident.sources.wire import Limits

QUICK = Limits(resolve=1, connect=1, tls=0.5, status=0.4, headers=0.4, total=0.7, message=0.3, close=0.1)
HERE = Surroundings(limits=QUICK, control=None)
HOLD = 0.15


class Peer:
    """The server's side of one connection: bytes out, the request's head in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin before the request is read."""
        self.reader, self.writer, self.head = reader, writer, b""

    async def request(self) -> str:
        """The request's head."""
        self.head = await self.reader.readuntil(b"\r\n\r\n")
        return self.head.decode("latin-1")

    async def say(self, *pieces: bytes, wait: float = 0) -> None:
        """Send pieces, with a pause between them."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(wait)

    async def accept(self, *frames: bytes, key: str | None = None) -> None:
        """A good 101, and frames in the same packet."""
        asked = re.search(r"Sec-WebSocket-Key: (\S+)", await self.request())
        accepted = key or accept_key(asked[1] if asked else "")
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        await self.say(f"{head}Sec-WebSocket-Accept: {accepted}\r\n\r\n".encode() + b"".join(frames))

    def reset(self) -> None:
        """End with a TCP reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Behaviour = Callable[[Peer], Awaitable[None]]


def says(*pieces: bytes, wait: float = 0, then: float = 0) -> Behaviour:
    """Reads the request, answers with these bytes, and stays for a while."""

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(*pieces, wait=wait)
        await asyncio.sleep(then)

    return behave


def accepts(*frames: bytes, after: float = 0.0, late: bytes = b"", then: float = 0.0, reset: bool = False) -> Behaviour:
    """Accepts with these frames, waits, sends more, and ends in order or by a reset."""

    async def behave(peer: Peer) -> None:
        await peer.accept(*frames)
        await asyncio.sleep(after)
        await peer.say(late)
        await asyncio.sleep(then)
        if reset:
            peer.reset()

    return behave


async def silent(peer: Peer) -> None:
    """Takes the connection and says nothing."""
    await asyncio.sleep(5)


async def closes_unread(peer: Peer) -> None:
    """Ends before it has read."""


async def resets_at_once(peer: Peer) -> None:
    """Resets before it answers."""
    await peer.request()
    peer.reset()


async def refuses_and_resets(peer: Peer) -> None:
    """Answers, and resets in the same breath, as a server does that has not read the whole request."""
    await peer.request()
    await peer.say(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n", wait=0.05)
    peer.reset()


async def wrong_key(peer: Peer) -> None:
    """A 101 from a cache: the answer to somebody else's key."""
    await peer.accept(key=accept_key("dGhlIHNhbXBsZSBub25jZQ=="))


async def echoes(peer: Peer) -> None:
    """A good server: sends every text back."""
    await peer.accept()
    while data := await peer.reader.read(4096):
        size = data[1] & 127
        text = bytes(byte ^ data[2 + i % 4] for i, byte in enumerate(data[6 : 6 + size]))
        if data[0] != 0x81:
            return
        await peer.say(text_frame(text))


async def pings(peer: Peer) -> None:
    """Closes unless its ping is answered."""
    await peer.accept(Frame(Opcode.PING, b"are you there").serialize(mask=False))
    pong = await peer.reader.read(100)
    await (asyncio.sleep(5) if pong[0] == 0x8A else asyncio.sleep(0))


def text_frame(data: bytes) -> bytes:
    """A text frame of a server."""
    return Frame(Opcode.TEXT, data).serialize(mask=False)


def close(code: int, reason: bytes = b"") -> bytes:
    """A close frame of a server."""
    return Frame(Opcode.CLOSE, code.to_bytes(2, "big") + reason).serialize(mask=False)


def at_a_byte_a_tenth(data: bytes) -> Behaviour:
    """Answers one byte at a time, slower than any limit."""
    return says(*(bytes([byte]) for byte in data), wait=0.1)


GOOD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\n"
READY = b"HTTP/1.1 200 OK\r\n"
LONG = 10.0

# name: behaviour; verdict, rule, stage, http_status and status (a dash for null); a part of because
BEHAVIOURS: dict[str, tuple[Behaviour, str, str]] = {
    "echoes": (echoes, "accepted - open 101 ok", "still open"),
    "needs-pongs": (pings, "accepted - open 101 ok", "still open"),
    "sends-text": (accepts(text_frame(b"hi"), then=LONG), "accepted - open 101 ok", "still open"),
    "closes-4401": (
        accepts(close(4401, b"no token"), then=LONG),
        "accepted - open 101 failed",
        "accepted, then closed with 4401 (no token) after",
    ),
    "closes-1000": (accepts(close(1000), then=LONG), "accepted - open 101 failed", "then closed with 1000 after"),
    "closes-without-code": (
        accepts(b"\x88\x00", then=LONG),
        "accepted - open 101 failed",
        "then closed with 1005 after",
    ),
    "closes-late": (
        accepts(after=0.08, late=close(1011), then=LONG),
        "accepted - open 101 failed",
        "then closed with 1011 after",
    ),
    "ends-after-101": (accepts(), "accepted - open 101 failed", "then ended without a close after"),
    "ends-late": (accepts(after=0.08), "accepted - open 101 failed", "then ended without a close after"),
    "resets-after-101": (accepts(then=0.05, reset=True), "accepted - open 101 failed", "accepted, then reset after"),
    "ends-in-a-frame": (accepts(b"\x81\x05he"), "accepted - open 101 failed", "then ended without a close"),
    "floods": (accepts(*[text_frame(b"x" * 60_000)] * 50, then=LONG), "accepted - open 101 ok", "still open"),
    "bad-frame": (accepts(b"\x83\x00", then=LONG), "broken frame open 101 failed", "a bad frame: invalid opcode"),
    "bad-frame-late": (
        accepts(after=0.08, late=b"\xc1\x00", then=LONG),
        "broken frame open 101 failed",
        "a bad frame: reserved bits",
    ),
    "masked-frame": (
        accepts(Frame(Opcode.TEXT, b"x").serialize(mask=True), then=LONG),
        "broken frame open 101 failed",
        "masking",
    ),
    "bad-text": (accepts(b"\x81\x02\xc3\x28", then=LONG), "broken utf-8 open 101 failed", "text that is not UTF-8"),
    "bad-close-code": (accepts(close(1006), then=LONG), "broken close-code open 101 failed", "1006 may not be sent"),
    "html-after-101": (accepts(b"<html>", then=LONG), "broken frame open 101 failed", "a bad frame"),
    "refuses": (
        says(FORBIDDEN + b"Content-Length: 0\r\n\r\n"),
        "refused status-101 status 403 failed",
        "answered 403 Forbidden",
    ),
    "refuses-body-cut": (
        says(FORBIDDEN + b"Content-Length: 50\r\n\r\n5byte"),
        "refused status-101 status 403 failed",
        "answered 403",
    ),
    "refuses-body-never-ends": (
        says(FORBIDDEN + b"\r\n", *[b"x" * 99] * 60, wait=0.1),
        "refused status-101 status 403 failed",
        "answered 403",
    ),
    "refuses-body-never-comes": (
        says(FORBIDDEN + b"Content-Length: 9\r\n\r\n", then=LONG),
        "refused status-101 status 403 failed",
        "answered 403",
    ),
    "refuses-and-resets": (refuses_and_resets, "refused status-101 status 403 failed", "answered 403"),
    "refuses-bare": (says(b"HTTP/1.1 403\r\n\r\n"), "refused status-101 status 403 failed", "answered 403; only"),
    "refuses-in-1.0": (says(b"HTTP/1.0 503 Busy\r\n\r\n"), "refused status-101 status 503 failed", "answered 503 Busy"),
    "refuses-after-103": (
        says(b"HTTP/1.1 103 Early Hints\r\n\r\n", FORBIDDEN + b"\r\n", wait=0.05),
        "refused status-101 status 403 failed",
        "answered 403",
    ),
    "redirects": (
        says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/x?code=CANARY\r\n\r\n"),
        "refused status-101 status 302 failed",
        "302 Found (location: http://127.0.0.1/x)",
    ),
    "wants-other-version": (
        says(b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8\r\n\r\n"),
        "refused status-101 status 426 failed",
        "(sec-websocket-version: 8)",
    ),
    "plain-200": (
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        "refused status-101 status 200 failed",
        "answered 200 OK",
    ),
    "control-characters": (
        says(b"HTTP/1.1 403 \x1b[2J\r\n\r\n"),
        "broken http-malformed status - failed",
        "is not HTTP",
    ),
    "no-upgrade-header": (
        says(GOOD.replace(b"Upgrade: websocket\r\n", b"") + b"\r\n", then=LONG),
        "broken upgrade headers 101 failed",
        "there is none",
    ),
    "no-connection-header": (says(GOOD + b"\r\n", then=LONG), "broken connection headers 101 failed", "there is none"),
    "no-accept-header": (
        says(GOOD + b"Connection: upgrade\r\n\r\n", then=LONG),
        "broken accept-missing headers 101 failed",
        "Sec-WebSocket-Accept",
    ),
    "cached-accept": (wrong_key, "broken accept-wrong headers 101 failed", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    "http-2": (
        says(bytes.fromhex("000012040000000000") + bytes(18), then=LONG),
        "broken http-version status - failed",
        "HTTP/2 frames",
    ),
    "101-in-1.0": (says(b"HTTP/1.0 101 Yes\r\n\r\n", then=LONG), "broken http-version status 101 failed", "HTTP/1.0"),
    "ssh": (says(b"SSH-2.0-OpenSSH_9.6\r\n", then=LONG), "broken http-malformed status - failed", "SSH-2.0"),
    "head-cut": (says(FORBIDDEN + b"Server: x"), "broken http-malformed headers 403 failed", "it ends in the headers"),
    "status-cut": (says(b"HTTP/1.1 4"), "broken http-malformed status - failed", "it ends in the status"),
    "header-of-a-megabyte": (
        says(FORBIDDEN + b"A: " + b"x" * 2**20, then=LONG),
        "broken limit headers 403 failed",
        "more than 8192 bytes",
    ),
    "ten-thousand-headers": (
        says(FORBIDDEN + b"A: b\r\n" * 10_000, then=LONG),
        "broken limit headers 403 failed",
        "more than 128 headers",
    ),
    "silent": (silent, "unreachable - status - failed", "no status line within 0.4 s"),
    "headers-never-end": (
        says(FORBIDDEN, then=LONG),
        "unreachable - headers 403 failed",
        "the headers did not end within 0.4 s",
    ),
    "100-then-silence": (
        says(b"HTTP/1.1 100 Continue\r\n\r\n", then=LONG),
        "unreachable - status - failed",
        "no status line",
    ),
    "100-then-end": (
        says(b"HTTP/1.1 100 Continue\r\n\r\n"),
        "unreachable - status - failed",
        "closed without an answer after 100",
    ),
    "a-byte-a-tenth": (at_a_byte_a_tenth(FORBIDDEN * 9), "unreachable - status - failed", "no status line within"),
    "headers-a-byte-a-tenth": (
        says(FORBIDDEN, *[b"x"] * 90, wait=0.1),
        "unreachable - headers 403 failed",
        "did not end within",
    ),
    "closes-unread": (closes_unread, "unreachable - status - failed", "without an answer"),
    "closes-unanswered": (says(), "unreachable - status - failed", "the connection was closed without an answer"),
    "resets-unanswered": (
        resets_at_once,
        "unreachable - status - failed",
        "the connection was reset without an answer",
    ),
}


async def against(behaviour: Behaviour, check: Check, here: Surroundings = HERE, path: str = "/ws") -> Row:
    """The row of one check against a server that behaves so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behaviour(Peer(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**21)
    port = server.sockets[0].getsockname()[1]
    try:
        target = parse_target(f"http://127.0.0.1:{port}{path}", "", check.kind)
        return await attempt(target, check, here, Control(here))
    finally:
        server.close()


def seen(behaviour: Behaviour, here: Surroundings = HERE, path: str = "/ws", **check: Any) -> Row:
    """The same, run to its end."""
    return asyncio.run(against(behaviour, Check(**{"hold": HOLD, **check}), here, path))


@pytest.mark.parametrize(("behaviour", "expected", "because"), BEHAVIOURS.values(), ids=BEHAVIOURS)
def test_behaviour(behaviour: Behaviour, expected: str, because: str) -> None:
    """Each way to misbehave is told apart, and none takes longer than the limit for all plus the hold."""
    began = time.perf_counter()
    row = seen(behaviour)
    found = (row[key] for key in ("verdict", "rule", "stage", "http_status", "status"))
    assert " ".join(str(each or "-") for each in found) == expected
    assert because in row["because"]
    assert "CANARY" not in json.dumps(row)
    assert time.perf_counter() - began < QUICK.total + HOLD + 1


def test_row_has_the_fields_of_the_contract() -> None:
    """Scripts read these names; durations sum to the total and null says that a stage was not reached."""
    row = seen(says(FORBIDDEN + b"\r\n"))
    assert list(row) == [
        "name", "kind", "time", "url", "verdict", "stage", "http_status", "rule", "because", "subprotocol",
        "close_code", "close_reason", "held_s", "attempts", "probe_id", "trace_id", "revision_name", "timings",
        "expected", "status",
    ]  # fmt: skip
    assert list(row["timings"]) == ["resolve_s", "connect_s", "tls_s", "status_s", "headers_s", "open_s"]
    assert row["timings"]["tls_s"] is None
    assert row["timings"]["open_s"] is None
    assert row["timings"]["status_s"] > 0
    assert json.loads(json.dumps(row)) == row


def test_request_says_who_asks() -> None:
    """The service's own log is joined by probe id and trace, so both are in the request, and again in the row."""
    heads: list[str] = []

    async def behave(peer: Peer) -> None:
        heads.append(await peer.request())

    fixed = Surroundings(
        limits=QUICK, randbytes=lambda size: b"\xab" * size, now=lambda: datetime(2026, 3, 1, tzinfo=UTC)
    )
    row = seen(behave, fixed, "/ws?token=CANARY", origin="https://app.example", subprotocols=("chat", "v2"))
    assert (row["probe_id"], row["trace_id"], row["time"]) == ("ab" * 8, "ab" * 16, "2026-03-01T00:00:00Z")
    port = row["url"].split(":")[2].split("/")[0]
    assert heads[0].splitlines() == [
        "GET /ws?token=CANARY HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "User-Agent: incident/0.1.0 (probe abababababababab)",
        f"traceparent: 00-{'ab' * 16}-{'ab' * 8}-01",
        f"X-Cloud-Trace-Context: {'ab' * 16}/{0xABABABABABABABAB};o=1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: q6urq6urq6urq6urq6urqw==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: chat, v2",
        "Origin: https://app.example",
        "",
    ]
    assert "CANARY" not in json.dumps(row)


def test_header_values_stay_unseen() -> None:
    """A token that is sent must not come back in the row, also where the server echoes it, whole or cut."""
    headers, path = {"Authorization": "Bearer CANARY-0123456789"}, "/ws?token=CANARY-abcdef"
    echo = b"CANARY-0123456789 CANARY-abcdef"
    for behaviour in (
        says(b"HTTP/1.1 403 " + echo + b"\r\n\r\n"),
        says(b"HTTP/1.1 403 " + b"x" * 45 + echo + b"\r\n\r\n"),
        says(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer " + echo + b"\r\n\r\n"),
        says(b"HTTP/1.1 302 No\r\nLocation: http://CANARY-user@h/" + echo + b"\r\n\r\n"),
        says(GOOD + b"Connection: " + echo + b"\r\n\r\n"),
        says(echo),
        accepts(close(4401, echo), then=LONG),
    ):
        row = seen(behaviour, path=path, headers=headers)
        assert row["status"] == "failed"
        assert "CANARY" not in json.dumps(row)
    assert "CANARY" not in repr(Check(headers=headers))


@pytest.mark.parametrize(
    ("behaviour", "expect", "status"),
    [
        (says(FORBIDDEN + b"\r\n"), "403", "ok"),
        (says(FORBIDDEN + b"\r\n"), "refused", "ok"),
        (says(b"HTTP/1.1 503 Busy\r\n\r\n"), "403", "failed"),
        (accepts(close(4401), then=LONG), "4401", "ok"),
        (accepts(close(4401), then=LONG), "accepted", "failed"),
        (accepts(then=LONG), "101", "ok"),
        (accepts(then=LONG), "403", "failed"),
        (says(b"SSH-2.0-x\r\n"), "broken", "ok"),
        (silent, "unreachable", "ok"),
    ],
)
def test_expected(behaviour: Behaviour, expect: str, status: str) -> None:
    """A refusal that is expected is fine, and exactly that one: a 503 is no 403."""
    row = seen(behaviour, expect=expect)
    assert (row["expected"], row["status"]) == (expect, status)


def test_message_comes_back() -> None:
    """A connection that opens and carries nothing is of no use to anybody."""
    assert seen(echoes, send="ping 1", expect_message="ping 1")["status"] == "ok"
    row = seen(accepts(text_frame(b"welcome"), then=LONG), send="ping 1", expect_message="ping 1")
    assert row["status"] == "failed"
    assert row["because"].endswith("; the message 'ping 1' did not come")


def test_subprotocol_not_chosen_is_said() -> None:
    """Legal by the RFC, but a browser closes such a connection."""
    row = seen(accepts(then=LONG), subprotocols=("chat",))
    assert row["because"].endswith("; none of the subprotocols offered was chosen")


def test_second_connection() -> None:
    """Both are open at the same time: a server with room for one, which ends the older, fails."""
    peers: list[Peer] = []

    async def room_for_one(peer: Peer) -> None:
        await peer.accept()
        for older in peers:
            older.writer.close()
        peers.append(peer)
        await asyncio.sleep(LONG)

    assert seen(accepts(then=LONG), connections=2)["status"] == "ok"
    row = seen(room_for_one, connections=2)
    assert row["status"] == "failed"
    assert "an earlier connection ended" in row["because"]


@pytest.mark.parametrize(
    ("answer", "wanted", "status", "because"),
    [
        (READY + b"Content-Length: 5\r\n\r\nready", None, "ok", "answered 200"),
        (READY + b"Content-Length: 5\r\n\r\nready", "ready", "ok", "answered 200"),
        (READY + b"Content-Length: 5\r\n\r\nstale", "ready", "failed", "answered 200; the body lacks 'ready'"),
        (READY + b"Transfer-Encoding: chunked\r\n\r\n2\r\nre\r\n3\r\nady\r\n0\r\n\r\n", "ready", "ok", "answered 200"),
        (b"HTTP/1.1 500 No\r\n\r\n", None, "failed", "answered 500"),
        (b"nonsense", None, "failed", "the answer is not HTTP: it begins with 'nonsense'"),
        (b"", None, "failed", "the connection was closed without an answer"),
    ],
)
def test_http(answer: bytes, wanted: str | None, status: str, because: str) -> None:
    """A health check has no verdict of a handshake; its status and its body decide."""
    row = seen(says(answer), kind="http", body_contains=wanted)
    assert (row["verdict"], row["status"], row["because"]) == (None, status, because)


def test_retries_are_said() -> None:
    """A cold start is no outage, and is not hidden either: the first try and its time are in the words."""
    answers = iter([b"HTTP/1.1 503 Busy\r\n\r\n", FORBIDDEN + b"\r\n"])

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(next(answers))

    row = seen(behave, Surroundings(limits=QUICK, retries=2), expect="403")
    assert (row["status"], row["attempts"]) == ("ok", 2)
    assert re.fullmatch(r"answered 403 .*; try 1: answered 503 Busy; .*, after \d+ ms", row["because"])


def unused_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_refused_on_loopback_is_failed() -> None:
    """Nothing lies between this machine and itself, so no control name is needed."""
    port = unused_port()
    row = probe(f"ws://127.0.0.1:{port}/ws", here=HERE)
    assert (row["verdict"], row["stage"], row["status"]) == ("unreachable", "connect", "failed")
    assert row["because"] == f"127.0.0.1 port {port}: connection refused"
    assert row["timings"]["status_s"] is None


@pytest.mark.parametrize(
    ("control", "status", "ending"),
    [
        ("listens", "failed", "does not resolve: Name or service not known"),
        ("refuses", "uncertain", "the control name is not reachable either, so the fault may be on this side"),
        (None, "uncertain", "no control name was asked, so the fault may be on this side"),
    ],
)
def test_control(control: str | None, status: str, ending: str) -> None:
    """Without a network every service looks down; a control name that answers shows that it is not us."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1] if control == "listens" else unused_port()
        here = Surroundings(limits=QUICK, control=control and f"127.0.0.1:{port}")
        row = probe("wss://name.invalid/ws", here=here)
    assert (row["stage"], row["status"]) == ("resolve", status)
    assert row["because"].endswith(ending)


def test_tls_to_a_plain_server() -> None:
    """The stage names TLS, so that nobody looks for the fault in the application."""

    async def both() -> Row:
        server = await asyncio.start_server(
            lambda reader, writer: writer.write(b"HTTP/1.1 400 No\r\n\r\n"), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        row = await attempt(parse_target(f"wss://127.0.0.1:{port}/"), Check(), HERE, Control(HERE))
        server.close()
        return row

    row = asyncio.run(both())
    assert (row["verdict"], row["stage"], row["status"]) == ("unreachable", "tls", "failed")
    assert row["because"].startswith("the TLS handshake failed: ")


def test_connect_to_keeps_the_name() -> None:
    """One instance or a stand-in can be asked as if it were the service: only the address changes."""
    heads: list[str] = []

    async def both() -> Row:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(FORBIDDEN + b"\r\n")

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        here = Surroundings(limits=QUICK, connect_to=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        row = await attempt(parse_target("ws://service.invalid/ws"), Check(), here, Control(here))
        server.close()
        return row

    assert asyncio.run(both())["http_status"] == 403
    assert "\r\nHost: service.invalid\r\n" in heads[0]


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would answer in the service's place, unsaid."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    assert seen(says(FORBIDDEN + b"\r\n"))["http_status"] == 403


def test_probe_runs_inside_a_loop() -> None:
    """A notebook's kernel runs a loop already."""

    async def notebook() -> Row:
        return probe(f"ws://127.0.0.1:{unused_port()}/ws", here=HERE)

    assert asyncio.run(notebook())["stage"] == "connect"


def test_total_limit_holds_alone() -> None:
    """Every stage within its own limit may still be too long together."""
    pieces = (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 403 No\r\n", *[b"A: b\r\n"] * 50)
    began = time.perf_counter()
    row = seen(says(*pieces, wait=0.3), Surroundings(limits=Limits(status=9, headers=9, total=0.8), control=None))
    assert (row["verdict"], row["because"]) == ("unreachable", "the headers did not end within 0.8 s")
    assert time.perf_counter() - began < 2


def test_bad_connect_to_is_ours() -> None:
    """A wrong option is refused before anything is sent."""
    message = "connect-to is '127.0.0.1': give HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080"
    with pytest.raises(UsageError, match=re.escape(message)):
        probe("ws://127.0.0.1/ws", here=Surroundings(connect_to="127.0.0.1"))


def test_handshake_alone_agrees() -> None:
    """The pure reader and the wire say the same of the same bytes."""
    handshake = Handshake(Offer("dGhlIHNhbXBsZSBub25jZQ=="))
    handshake.receive(FORBIDDEN + b"\r\n")
    assert seen(says(FORBIDDEN + b"\r\n"))["because"] == handshake.because
