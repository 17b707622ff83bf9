"""One check over a real connection: what is asked, how the answer is judged, and what is kept of it."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.sources.behaviours.run import unused_port
from tests.sources.behaviours.server import END, FORBIDDEN, GOOD, Peer, Serve, accepts, close, says, text

from incident.findings import UsageError
from incident.sources.checks import Check, Row
from incident.sources.endpoint import Control, Surroundings, attempt, probe
from incident.sources.stages import Limits
from incident.sources.target import parse_target

QUICK = Limits(resolve=1, connect=1, tls=0.5, status=0.4, headers=0.4, total=0.7, message=0.3, close=0.1)
HERE = Surroundings(limits=QUICK, control=None)
HOLD = 0.15
REFUSES = says(FORBIDDEN + END)


async def against(behaviour: Serve, check: Check, here: Surroundings = HERE, path: str = "/ws") -> Row:
    """The row of one check against a server that behaves so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behaviour(Peer(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        target = parse_target(f"http://127.0.0.1:{port}{path}", "", check.kind)
        return await attempt(target, check, here, Control(here))
    finally:
        server.close()


def seen(behaviour: Serve, here: Surroundings = HERE, path: str = "/ws", **check: Any) -> Row:
    """The same, run to its end."""
    return asyncio.run(against(behaviour, Check(**{"hold": HOLD, **check}), here, path))


def test_row_has_the_fields_of_the_contract() -> None:
    """Scripts read these names; durations sum to the total and null says that a stage was not reached."""
    row = seen(REFUSES)
    assert list(row) == [
        "name", "kind", "time", "url", "verdict", "stage", "http_status", "rule", "because", "subprotocol",
        "close_code", "close_reason", "held_s", "attempts", "probe_id", "trace_id", "place", "addresses", "tls", "sent",
        "revision_name", "timings", "expected", "status",
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
        await peer.request()
        heads.append(peer.head.decode())

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


def test_names_of_what_was_sent_are_kept() -> None:
    """A table can say what a check sent of its own; the values are nobody's."""
    check = {"headers": {"X-Test-Type": "CANARY"}, "origin": "https://canary.example", "subprotocols": ("chat",)}
    row = seen(REFUSES, **check)
    assert sorted(row["sent"]) == ["Origin", "Sec-WebSocket-Protocol", "X-Test-Type"]
    assert "canary" not in json.dumps(row).lower()
    assert "CANARY" not in repr(Check(headers=check["headers"]))


@pytest.mark.parametrize(
    ("behaviour", "expect", "status"),
    [
        (REFUSES, "403", "ok"),
        (REFUSES, "refused", "ok"),
        (says(b"HTTP/1.1 503 Busy\r\n\r\n"), "403", "failed"),
        (accepts(close(4401)), "4401", "ok"),
        (accepts(close(4401)), "accepted", "failed"),
        (accepts(), "101", "ok"),
        (accepts(), "403", "failed"),
        (says(b"SSH-2.0-x\r\n"), "broken", "ok"),
        (says(), "unreachable", "ok"),
    ],
)
def test_expected(behaviour: Serve, expect: str, status: str) -> None:
    """A refusal that is expected is fine, and exactly that one: a 503 is no 403."""
    row = seen(behaviour, expect=expect)
    assert (row["expected"], row["status"]) == (expect, status)


TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJDQU5BUlkifQ."


@pytest.mark.parametrize(
    ("behaviour", "path", "check", "because"),
    [
        (accepts(close(4401, b"no")), "/?room=closed", {}, "accepted, then closed with 4401 (no) after <t>"),
        (accepts(close(4401, b"s3cr3t-CANARY-77 is no token")), "/", {"send": "s3cr3t-CANARY-77"}, "accepted, then closed with 4401 (*** is no token) after <t>"),
        (accepts(), "/", {"expect_message": "s3cr3t-CANARY-77"}, "accepted, still open after <t>; the message '***' did not come"),
        (says(b"HTTP/1.1 401 Unauthorized\r\n\r\n"), "/?mode=Unauthorized", {}, "answered 401 Unauthorized; only 101 opens a WebSocket"),
        (says(b"HTTP/1.1 503 only status\r\n\r\n"), "/", {"headers": {"X-Mode": "answered; WebSocket"}}, "answered 503 only status; only 101 opens a WebSocket"),
        (says(b"HTTP/1.1 403 no pin 1234\r\n\r\n"), "/?pin=1234", {}, "answered 403 no pin ***; only 101 opens a WebSocket"),
        (says(b"HTTP/1.1 403 no CANARY0123456789\r\n\r\n"), "/?CANARY0123456789", {}, "answered 403 no ***; only 101 opens a WebSocket"),
        (says(b"HTTP/1.1 403 no pw12!\r\n\r\n"), "/", {"headers": {"Authorization": "pw12!"}}, "answered 403 no ***; only 101 opens a WebSocket"),
        (says(b"HTTP/1.1 403 not " + TOKEN.encode() + END * 2), "/", {"subprotocols": ("chat", TOKEN)}, "answered 403 not ***; only 101 opens a WebSocket"),
        (says(b"no \\CANARY\\ here"), "/", {"headers": {"X-Key": "\\CANARY\\"}}, "the answer is not valid HTTP: it begins with 'no *** here'"),
        (says(GOOD.replace(b"websocket", b"\\CANARY\\") + END), "/", {"headers": {"X-Key": "\\CANARY\\"}}, "101 needs 'Upgrade: websocket', but it is '***'"),
    ],
)  # fmt: skip
def test_only_the_other_sides_words_are_masked(
    behaviour: Serve, path: str, check: dict[str, Any], because: str
) -> None:
    """What was sent may be a secret and comes back in strange places; our own words never are."""
    row = seen(behaviour, path=path, **check)
    assert re.fullmatch(re.escape(because).replace("<t>", r"\d+ ms"), row["because"]), row["because"]
    assert "CANARY" not in json.dumps(row)


@pytest.mark.parametrize(("name", "chosen"), [("chat.v2", "chat.v2"), (TOKEN, "***")])
def test_subprotocol_that_is_a_token(name: str, chosen: str) -> None:
    """A browser can set no header, so tokens are offered as a subprotocol, and some servers choose them."""
    row = seen(says(GOOD + f"Sec-WebSocket-Protocol: {name}".encode() + END * 2), subprotocols=("chat", name))
    assert (row["status"], row["subprotocol"]) == ("ok", chosen)


def test_which_connection_was_refused() -> None:
    """A limit of one connection a user shows at the second, and the row has to say so."""
    answers = iter([accepts(), REFUSES])

    async def behave(peer: Peer) -> None:
        await next(answers)(peer)

    row = seen(behave, connections=3)
    assert row["because"] == "connection 2 of 3: answered 403 Forbidden; only 101 opens a WebSocket"


def test_earlier_connection_that_ends_after_the_hold() -> None:
    """Held long enough: what ends while a message is awaited was not cut short."""
    peers: list[Peer] = []

    async def behave(peer: Peer) -> None:
        await peer.accept()
        peers.append(peer)
        await asyncio.sleep(0.1)
        if peer is peers[0]:
            await peer.say(close(1001))
        else:
            await asyncio.sleep(0.1)
            await peer.say(text(b"pong"))
        await peer.stay()

    row = seen(behave, connections=2, hold=0.02, expect_message="pong")
    assert row["status"] == "ok", row["because"]


def test_second_connection() -> None:
    """Both are open at the same time: a server with room for one, which ends the older, fails."""
    peers: list[Peer] = []

    async def room_for_one(peer: Peer) -> None:
        await peer.accept()
        for older in peers:
            older.writer.close()
        peers.append(peer)
        await peer.stay()

    assert seen(accepts(), connections=2)["status"] == "ok"
    row = seen(room_for_one, connections=2)
    assert row["status"] == "failed"
    assert "an earlier connection ended" in row["because"]


def test_retries_are_said() -> None:
    """A cold start is no outage, and is not hidden either: the first try and its time are in the words."""
    answers = iter([b"HTTP/1.1 503 Busy\r\n\r\n", FORBIDDEN + b"\r\n"])

    async def behave(peer: Peer) -> None:
        await peer.request()
        await peer.say(next(answers))

    row = seen(behave, Surroundings(limits=QUICK, retries=2), expect="403")
    assert (row["status"], row["attempts"]) == ("ok", 2)
    assert re.fullmatch(r"answered 403 .*; try 1: answered 503 Busy; .*, after \d+ ms", row["because"])


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
        (
            "refuses",
            "uncertain",
            "the control name 127.0.0.1 is not reachable either, so the fault may be on this side",
        ),
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
    assert seen(REFUSES)["http_status"] == 403


def test_probe_runs_inside_a_loop() -> None:
    """A notebook's kernel runs a loop already."""

    async def notebook() -> Row:
        return probe(f"ws://127.0.0.1:{unused_port()}/ws", here=HERE)

    assert asyncio.run(notebook())["stage"] == "connect"


def test_bad_connect_to_is_ours() -> None:
    """A wrong option is refused before anything is sent."""
    message = "connect-to is '127.0.0.1': give HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080"
    with pytest.raises(UsageError, match=re.escape(message)):
        probe("ws://127.0.0.1/ws", here=Surroundings(connect_to="127.0.0.1"))
