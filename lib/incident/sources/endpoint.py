"""The live endpoint: one check, made over a real connection, as a row of the probe.

Decides: what an endpoint answers now, where it stops, whether an accepted connection holds. Reads: the network, and
nothing else: no proxy of the environment, no redirect followed, HTTP/1.1 alone. Trusts the certificates that OpenSSL's
defaults do, `SSL_CERT_FILE` among them. Cannot tell: what happened behind the endpoint; each request carries a probe id
and a trace of its own, by which the service's log can say.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final, TypeVar

from incident.handshake import Handshake, Offer, fault_words
from incident.http1 import Answer, printable
from incident.sources.checks import Check, Row, Sighting, duration, judge, masked
from incident.sources.target import Target, parse_address, parse_target
from incident.sources.wire import LIMITS, Limits, Stages, Stopped, Wire, connect, is_loopback, secure, tls_context

T = TypeVar("T")
VERSION: Final = version("incident")
RETRIED: Final = frozenset({429, 500, 502, 503, 504})  # what a front end says while an instance starts


@dataclass(frozen=True)
class Surroundings:
    """What an attempt depends on beside its URL: limits, clocks, randomness, and where to connect instead.

    `connect_to` and `control` are HOST:PORT. `control` is a name that is up: it tells a fault of the endpoint from one
    of this side, and is asked only where the endpoint gave no answer; None asks nothing. `now` is in UTC.
    """

    connect_to: str | None = None
    control: str | None = "www.googleapis.com:443"
    retries: int = 0
    limits: Limits = LIMITS
    randbytes: Callable[[int], bytes] = secrets.token_bytes
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock: Callable[[], float] = time.perf_counter


HERE: Final = Surroundings()


class Control:
    """Whether a name that is up can be reached from here; asked once."""

    def __init__(self, here: Surroundings) -> None:
        """Ask nothing yet."""
        self.here = here
        self.answer: bool | None = None

    async def reachable(self) -> bool | None:
        """True where the control name resolves and connects; None where there is none to ask."""
        if self.answer is None and self.here.control:
            host, port = parse_address(self.here.control, "control")
            try:
                (await connect(host, port, Stages(self.here.clock), self.here.limits)).close()
                self.answer = True
            except Stopped:
                self.answer = False
        return self.answer


def probe(url: str, check: Check = Check(), here: Surroundings = HERE) -> Row:  # noqa: B008
    """One check of one URL, as a row with the fields of a probe: a plain dict that JSON can hold.

    `url` in the row has no values of its query; durations are in seconds, `time` is ISO 8601 in UTC. Raises
    `UsageError` for a URL or a check that cannot be probed; whatever the other side does is in the row.
    """
    return run(attempt(parse_target(url, "", check.kind), check, here, Control(here)))


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end, also where a loop is running already, as in a notebook's kernel."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


async def attempt(target: Target, check: Check, here: Surroundings, control: Control) -> Row:
    """One check with its retries, judged."""
    probe_id, started, before = here.randbytes(8).hex(), here.now(), []
    for number in range(1, here.retries + 2):
        began, trace_id = here.clock(), here.randbytes(16).hex()
        seen = await sight(target, check, here, probe_id, trace_id)
        asked = None if seen.reachable or seen.loopback else await control.reachable()
        status, because = judge(check, seen, asked)
        if status == "ok" or number > here.retries or not (seen.http_status in RETRIED or not seen.reachable):
            break
        before.append(f"try {number}: {because}, after {duration(here.clock() - began)}")
        await asyncio.sleep(min(0.5 * 2 ** (number - 1), 8))
    made = row(target, check, seen, started, number, probe_id, trace_id)
    made |= {"because": "; ".join([because, *before]), "status": status}
    sent = [*check.headers.values(), *target.query_values]
    return made | {name: masked(made[name], sent) for name in ("because", "close_reason", "subprotocol") if made[name]}


def row(
    target: Target, check: Check, seen: Sighting, started: datetime, attempts: int, probe_id: str, trace_id: str
) -> Row:
    """The fields of a probe, in the order they are printed; `because` and `status` follow from judging."""
    return {
        "name": check.name,
        "kind": check.kind,
        "time": started.isoformat().replace("+00:00", "Z"),
        "url": target.shown,
        "verdict": None if check.kind == "http" else seen.verdict,
        "stage": seen.stage,
        "http_status": seen.http_status,
        "rule": seen.rule,
        "because": "",
        "subprotocol": seen.subprotocol,
        "close_code": seen.close_code,
        "close_reason": seen.close_reason,
        "held_s": seen.held_s,
        "attempts": attempts,
        "probe_id": probe_id,
        "trace_id": trace_id,
        "revision_name": None,
        "timings": seen.timings,
        "expected": check.expected,
        "status": "",
    }


async def sight(target: Target, check: Check, here: Surroundings, probe_id: str, trace_id: str) -> Sighting:
    """Open the check's connections one after the other (RFC 6455 4.1: one may be connecting), and hold them."""
    wires: list[Wire] = []
    try:
        for _ in range(check.connections):
            seen = await open_one(target, check, here, probe_id, trace_id, wires)
            if seen.verdict != "accepted":
                break
        else:
            await hold(wires, check, here, seen)
        return seen
    finally:
        for wire in wires:
            wire.transport.abort()


async def open_one(
    target: Target, check: Check, here: Surroundings, probe_id: str, trace_id: str, wires: list[Wire]
) -> Sighting:
    """One connection up to its answer; the wire is added to `wires` as soon as there is one."""
    context, seen = tls_context() if target.secure else None, Sighting()
    key = base64.b64encode(here.randbytes(16)).decode()
    reader = Handshake(Offer(key, check.subprotocols)) if check.kind == "websocket" else Answer(check.body_contains)
    request = request_bytes(target, check, key, identity(probe_id, trace_id, here.randbytes(8).hex()))
    stages = Stages(here.clock)
    wire = Wire(reader, stages)
    try:
        async with stages.limited(here.limits.total):
            host, port = parse_address(here.connect_to) if here.connect_to else (target.host, target.port)
            seen.loopback = host in ("localhost", "::1") or host.startswith("127.")
            sock = await connect(host, port, stages, here.limits)
            seen.loopback = is_loopback(sock)
            await secure(sock, wire, context, target.host, here.limits)
            wires.append(wire)
            await exchange(wire, request, here.limits)
    except Stopped as stopped:
        seen.verdict, seen.reachable, seen.because = "unreachable", False, str(stopped)
    stages_end(stages, seen)
    read_answer(reader, seen)
    return seen


def stages_end(stages: Stages, seen: Sighting) -> None:
    """Keep where it is, and what each stage took."""
    seen.stage = stages.stage
    stages.enter("done")
    seen.timings = stages.timings


def identity(probe_id: str, trace_id: str, span_id: str) -> list[str]:
    """Headers by which the log can be joined: the probe's id and a trace (W3C Trace Context 3.2, and Google's)."""
    return [
        f"User-Agent: incident/{VERSION} (probe {probe_id})",
        f"traceparent: 00-{trace_id}-{span_id}-01",
        f"X-Cloud-Trace-Context: {trace_id}/{int(span_id, 16)};o=1",
    ]


def request_bytes(target: Target, check: Check, key: str, ours: list[str]) -> bytes:
    """The request of a check (RFC 6455 4.1), or a plain GET."""
    lines = [f"GET {target.path} HTTP/1.1", f"Host: {target.host_header}", *ours]
    if check.kind == "websocket":
        lines += ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
    else:
        lines += ["Accept: */*", "Connection: close"]
    if check.subprotocols:
        lines.append(f"Sec-WebSocket-Protocol: {', '.join(check.subprotocols)}")
    if check.origin is not None:
        lines.append(f"Origin: {check.origin}")
    lines += [f"{name}: {value}" for name, value in check.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def exchange(wire: Wire, request: bytes, limits: Limits) -> None:
    """Send the request and read until the answer is decided; each stage within its limit."""
    head = wire.reader.head
    wire.stages.enter("request")
    wire.send(request)
    wire.stages.enter("status")
    while not wire.settled:
        stage = head.stage
        async with wire.stages.limited(limits.status if stage == "status" else limits.headers):
            await wire.until(lambda: wire.settled or head.stage != stage)  # noqa: B023
    if head.status is None and not head.fault:
        after = f" after {', '.join(map(str, head.interim))}" if head.interim else ""
        raise Stopped(f"the connection was {'reset' if wire.reset else 'closed'} without an answer{after}")


def read_answer(reader: Handshake | Answer, seen: Sighting) -> None:
    """What the bytes say, also those of an answer that never ended."""
    seen.http_status = reader.head.status
    if isinstance(reader, Answer):
        fault = reader.head.fault
        seen.rule, seen.body = (fault.rule if fault else None), reader.body
        seen.because = seen.because or (fault_words(fault, reader.head) if fault else f"answered {seen.http_status}")
    elif reader.verdict:
        seen.verdict, seen.rule, seen.stage = reader.verdict, reader.rule, reader.stage
        seen.because, seen.subprotocol = reader.because, reader.subprotocol


async def hold(wires: list[Wire], check: Check, here: Surroundings, seen: Sighting) -> None:
    """Keep the connections open for the hold, exchange the check's message on the last, and see what comes."""
    wire, reader = wires[-1], wires[-1].reader
    assert isinstance(reader, Handshake)
    opened = wire.opened_at or here.clock()
    if check.send is not None:
        reader.send_text(check.send)
        wire.flush()
    if check.expect_message is not None:
        wanted = check.expect_message
        await wire.wait(lambda: reader.got(wanted) or wire.over, here.limits.message)
        seen.answered = reader.got(wanted)
    await wire.wait(lambda: wire.over, opened + check.hold - here.clock())
    seen.held_s = round((wire.ended_at or here.clock()) - opened, 6)
    read_answer(reader, seen)
    read_ending(wires, seen)
    await farewell(wires, here.limits)


def read_ending(wires: list[Wire], seen: Sighting) -> None:
    """How the last connection ended, if it did, with the code of RFC 6455 7.1.5: 1005 and 1006 where none was sent."""
    wire, reader = wires[-1], wires[-1].reader
    assert isinstance(reader, Handshake)
    if reader.close:
        seen.ended, seen.close_code, seen.close_reason = "close", int(reader.close.code), printable(reader.close.reason)
    elif wire.over and not reader.fault:
        seen.ended, seen.close_code = ("reset" if wire.reset else "eof"), 1006
    elif any(other.over for other in wires):
        seen.ended = "other"


async def farewell(wires: list[Wire], limits: Limits) -> None:
    """Close what is open in order, so that the application sees a normal closure and logs no error of our making."""
    for wire in wires:
        if isinstance(wire.reader, Handshake):
            wire.reader.send_close()
            wire.flush()
    for wire in wires:
        await wire.wait(lambda: wire.over, limits.close)  # noqa: B023
