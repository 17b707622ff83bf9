"""Addresses, stages and limits, on real sockets: what was tried is told, and the one limit for all always holds."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from incident.handshake import Handshake, Offer
from incident.http1 import Answer
from incident.sources.checks import Check, Row
from incident.sources.endpoint import Control, Surroundings, attempt
from incident.sources.stages import Limits, Stages
from incident.sources.target import parse_target
from incident.sources.wire import TURN_BYTES, UNREAD_BYTES, Wire, lay

QUICK = Limits(
    resolve=0.3, connect=0.3, tls=0.3, status=0.3, headers=0.3, total=0.6, message=0.2, close=0.1, control=0.3
)
HERE = Surroundings(limits=QUICK, control=None)
SLACK_S = 0.8
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def resolving(*hosts: str, port: int = 0) -> Callable[[str, int], Awaitable[list[Any]]]:
    """A resolver that knows these addresses for every name, the others at a port of their own."""

    async def resolver(name: str, asked: int) -> list[Any]:
        return [
            found
            for host in hosts
            for found in socket.getaddrinfo(host.rstrip("!"), port if "!" in host else asked, type=socket.SOCK_STREAM)
        ]

    return resolver


async def hanging(name: str, port: int) -> list[Any]:
    """A resolver that never answers."""
    await asyncio.sleep(60)
    return []


def unused_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def dropping() -> Iterator[int]:
    """A port whose queue is full, so that the kernel drops who asks, as a firewall does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        time.sleep(0.05)
        yield int(listener.getsockname()[1])
        for sock in waiting:
            sock.close()


async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers 403."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")


async def accepts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts, and says nothing more."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = accept_key(re.search(r"Sec-WebSocket-Key: (\S+)", head)[1])  # type: ignore[index]
    opening = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(f"{opening}Sec-WebSocket-Accept: {key}\r\n\r\n".encode())


def seen(
    serve: Serve, here: Surroundings = HERE, name: str = "service.test", host: str = "127.0.0.1", **check: Any
) -> Row:
    """The row of one check against a server, whose name `here` resolves."""

    async def both() -> Row:
        server = await asyncio.start_server(serve, host, 0)
        target = parse_target(f"ws://{name}:{server.sockets[0].getsockname()[1]}/ws")
        try:
            return await attempt(target, Check(**{"hold": 0.05, **check}), here, Control(here))
        finally:
            server.close()

    return asyncio.run(both())


def unanswered(name: str, here: Surroundings, port: int = 80) -> tuple[Row, float]:
    """The row of one check that gets no answer, and how long it took."""
    began = time.perf_counter()
    row = asyncio.run(attempt(parse_target(f"ws://{name}:{port}/"), Check(), here, Control(here)))
    return row, time.perf_counter() - began


def test_every_address_is_told() -> None:
    """A name whose IPv6 address is dead works for some clients and not for others; the row shows which address did."""
    row = seen(refuses, replace(HERE, resolve=resolving("::1", "127.0.0.1")))
    assert (row["http_status"], row["verdict"]) == (403, "refused")
    port = int(row["url"].split(":")[2].split("/")[0])
    first, second = row["addresses"]
    assert first.pop("connect_s") < QUICK.connect
    assert first == {"address": "::1", "port": port, "family": "IPv6", "error": "connection refused"}
    assert 0 < second.pop("connect_s") < QUICK.connect
    assert second == {"address": "127.0.0.1", "port": port, "family": "IPv4", "error": None}


def test_ipv6_in_brackets() -> None:
    """The brackets belong to the URL and to Host, and not to the address."""
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    row = seen(serve, name="[::1]", host="::1")
    assert [made["family"] for made in row["addresses"]] == ["IPv6"]
    assert re.search(r"\r\nHost: \[::1\]:\d+\r\n", heads[0])


def test_address_that_drops_packets_costs_its_own_limit() -> None:
    """A client that waits for the kernel to give up waits two minutes; the next address is tried before."""
    with dropping() as port:
        here = replace(HERE, resolve=resolving("127.0.0.1!", "127.0.0.1", port=port))
        row = seen(refuses, replace(here, limits=replace(QUICK, total=2)))
    assert row["http_status"] == 403
    assert row["addresses"][0]["error"] == "no connection within 0.3 s"
    assert row["addresses"][0]["connect_s"] == pytest.approx(0.3, abs=0.25)
    assert row["timings"]["connect_s"] >= row["addresses"][0]["connect_s"]


def test_total_holds_over_many_addresses() -> None:
    """Sixteen dead addresses within their own limits are too long together."""
    with dropping() as port:
        row, took = unanswered("service.test", replace(HERE, resolve=resolving(*["127.0.0.1"] * 16)), port)
    assert (row["verdict"], row["stage"], row["because"]) == ("unreachable", "connect", "no connection within 0.6 s")
    assert [made["error"] for made in row["addresses"]] == [
        "no connection within 0.3 s",
        "not connected when the time for all was over",
    ]
    assert took < QUICK.total + SLACK_S


def test_all_addresses_refuse() -> None:
    """Each says why; all of them are this machine, so the fault is not on the way."""
    port = unused_port()
    row, _ = unanswered("service.test", replace(HERE, resolve=resolving("::1", "127.0.0.1")), port)
    assert row["because"] == f"::1 port {port}: connection refused; 127.0.0.1 port {port}: connection refused"
    assert row["status"] == "failed"


async def nothing(name: str, port: int) -> list[Any]:
    """A resolver that finds nothing and says so with an empty list."""
    return []


async def fails_for_now(name: str, port: int) -> list[Any]:
    """A resolver whose own server does not answer."""
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.mark.parametrize(
    ("resolver", "stage", "because"),
    [
        (hanging, "resolve", "the name did not resolve within 0.3 s"),
        (nothing, "connect", "the name service.test has no address"),
        (
            fails_for_now,
            "resolve",
            "the name service.test does not resolve: Temporary failure in name resolution",
        ),
    ],
)
def test_resolver(resolver: Any, stage: str, because: str) -> None:
    """A name that does not resolve may be this side's fault: without a control name it is not decided."""
    row, took = unanswered("service.test", replace(HERE, resolve=resolver))
    assert (row["stage"], row["status"], row["addresses"]) == (stage, "uncertain", [])
    assert row["because"] == f"{because}; no control name was asked, so the fault may be on this side"
    assert took < QUICK.resolve + SLACK_S


def test_control_has_its_own_limit() -> None:
    """Where nothing answers the control name does not either, and may not take the time of all its addresses."""
    with dropping() as port:

        async def resolver(name: str, asked: int) -> list[Any]:
            if name == "service.test":
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return await resolving(*["127.0.0.1!"] * 9, port=port)(name, asked)

        row, took = unanswered("service.test", replace(HERE, resolve=resolver, control="control.test:443"))
    assert row["because"].endswith(
        "the control name control.test is not reachable either, so the fault may be on this side"
    )
    assert took < QUICK.control + SLACK_S


def test_control_is_asked_once() -> None:
    """Sixty checks at the same time that get no answer are one question to the control name."""
    asked: list[str] = []

    async def resolver(name: str, port: int) -> list[Any]:
        asked.append(name)
        await asyncio.sleep(0.02)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def all_of_them() -> list[Row]:
        here = replace(HERE, resolve=resolver, control="control.test:443")
        control = Control(here)
        target = parse_target("ws://service.test/")
        return await asyncio.gather(*(attempt(target, Check(), here, control) for _ in range(60)))

    rows = asyncio.run(all_of_them())
    assert (asked.count("service.test"), asked.count("control.test")) == (60, 1)
    assert {row["status"] for row in rows} == {"uncertain"}


def test_each_try_has_its_own_limit() -> None:
    """A retry that had only what the first try left would be none."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    began = time.perf_counter()
    row = seen(silent, replace(HERE, retries=1), name="127.0.0.1")
    assert row["attempts"] == 2
    late = "no status line within 0.3 s"
    assert re.fullmatch(rf"{late}; try 1: {late}, after 3\d\d ms", row["because"])
    assert time.perf_counter() - began < 0.3 + 0.5 + 0.3 + SLACK_S


def test_trickle_while_held() -> None:
    """A frame that never ends keeps nobody beyond the hold."""

    async def trickles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accepts(reader, writer)
        writer.write(b"\x81\x7e\xff\xff")
        for _ in range(200):
            writer.write(b"x")
            await asyncio.sleep(0.01)

    began = time.perf_counter()
    row = seen(trickles, name="127.0.0.1", hold=0.2)
    assert (row["status"], row["held_s"]) == ("ok", pytest.approx(0.2, abs=0.1))
    assert time.perf_counter() - began < 0.2 + QUICK.close + SLACK_S


def test_one_farewell_for_all_connections() -> None:
    """Eight connections whose server answers no close are left together, not one after the other."""

    async def keeps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accepts(reader, writer)
        await asyncio.sleep(5)

    began = time.perf_counter()
    row = seen(keeps, replace(HERE, limits=replace(QUICK, close=0.3)), name="127.0.0.1", connections=8)
    assert row["status"] == "ok"
    assert time.perf_counter() - began < 0.05 + 0.3 + SLACK_S


def test_flood_of_pings_does_not_fill_the_memory() -> None:
    """RFC 6455 5.5.3 lets us answer the latest ping alone; a server that pings and never reads gets no more stored."""

    async def flooded() -> int:
        ours, theirs = socket.socketpair()
        with closing(theirs):
            reader = Handshake(Offer("dGhlIHNhbXBsZSBub25jZQ=="))
            wire = Wire(reader, Stages(time.perf_counter))
            await lay(ours, wire)
            accepted = accept_key("dGhlIHNhbXBsZSBub25jZQ==")
            opening = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            wire.data_received(f"{opening}Sec-WebSocket-Accept: {accepted}\r\n\r\n".encode())
            pings = Frame(Opcode.PING, b"x" * 125).serialize(mask=False) * 500
            for _ in range(30):
                wire.data_received(pings)
                for _ in range(len(pings) // TURN_BYTES + 1):
                    await asyncio.sleep(0)
            waiting = int(wire.transport.get_write_buffer_size())
            wire.transport.abort()
            return waiting

    assert UNREAD_BYTES / 2 < asyncio.run(flooded()) < UNREAD_BYTES * 1.2


@contextmanager
def flooding(tiny: bytes) -> Iterator[int]:
    """The port of a server in a thread that accepts and sends these frames for as long as somebody takes them."""

    def serve() -> None:
        sock, _ = listener.accept()
        with sock, suppress(OSError):
            key = re.search(rb"Sec-WebSocket-Key: (\S+)", sock.recv(4096))[1]  # type: ignore[index]
            opening = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            sock.sendall(f"{opening}Sec-WebSocket-Accept: {accept_key(key.decode())}\r\n\r\n".encode())
            while True:
                sock.sendall(tiny * 2**15)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(5)


@pytest.mark.parametrize("tiny", [b"\x81\x01x", b"\x89\x00"], ids=["texts", "pings"])
def test_limits_hold_in_a_flood(tiny: bytes) -> None:
    """A quarter of a megabyte of tiny frames takes more than a second to read, and no limit may wait for that."""
    check = Check(hold=0.2, send="hello", expect_message="hello")
    with flooding(tiny) as port:
        began = time.perf_counter()
        row = asyncio.run(attempt(parse_target(f"ws://127.0.0.1:{port}/"), check, HERE, Control(HERE)))
        took = time.perf_counter() - began
    assert (
        row["because"] == f"accepted, still open after {row['held_s'] * 1000:.0f} ms; the message 'hello' did not come"
    )
    assert row["held_s"] == pytest.approx(0.2, abs=0.3)
    assert took < 0.2 + QUICK.close + 0.5


def test_what_comes_is_read_in_turns() -> None:
    """Between two turns whatever else is due has its own; an end counts after all that came before it."""

    async def lost_behind_a_flood() -> list[int]:
        ours, theirs = socket.socketpair()
        with closing(theirs):
            wire = Wire(Answer("ready"), Stages(time.perf_counter))
            await lay(ours, wire)
            wire.data_received(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 3 * TURN_BYTES + b"ready")
            wire.connection_lost(None)
            read = []
            while not wire.lost:
                read.append(len(wire.reader.head.rest))
                await asyncio.sleep(0)
            assert wire.reader.body.endswith("xready")
            wire.transport.abort()
            return read

    read = asyncio.run(lost_behind_a_flood())
    assert len(read) >= 3
    assert max(after - before for before, after in pairwise(read)) <= TURN_BYTES


def test_stages_sum_to_the_total() -> None:
    """Every second is on one stage; sending the request counts with the wait for its answer."""
    ticks = iter([0.0, 1.0, 3.0, 3.5, 7.0, 7.25])
    stages = Stages(lambda: next(ticks))
    for stage in ("connect", "request", "status", "headers", "done"):
        stages.enter(stage)
    assert stages.timings == {
        "resolve_s": 1.0, "connect_s": 2.0, "tls_s": None, "status_s": 4.0, "headers_s": 0.25, "open_s": None,
    }  # fmt: skip
