"""The live endpoint: one check, made over a real connection, as a row of the probe.

Decides: what an endpoint answers now, where it stops, whether an accepted connection holds. Reads: the network, and
nothing else: no proxy of the environment (`target.proxies` says which were passed by), no redirect followed, HTTP/1.1
alone. Cannot tell: what happened behind the endpoint; each request carries a probe id and a trace of its own, by which
the service's log can say.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from incident.handshake import RULES, Handshake, Offer, fault_words
from incident.http1 import Answer, refusal_words
from incident.sources.checks import Check, Row, Sighting, duration, judge, passed_over
from incident.sources.holding import hold
from incident.sources.request_bytes import identity, mask, own_headers, request_bytes
from incident.sources.stages import LIMITS, Limits, Stages, Stopped
from incident.sources.target import Target, parse_address, parse_target
from incident.sources.tls import Tls, Untrusted, checking, iso, look, secure
from incident.sources.wire import Resolve, Wire, connect, is_loopback, lay, resolve

T = TypeVar("T")
RETRIED: Final = frozenset({429, 500, 502, 503, 504})  # what a front end says while an instance starts


@dataclass(frozen=True)
class Surroundings:
    """What an attempt depends on beside its URL: limits, clocks, randomness, names, and where to connect instead.

    `connect_to` and `control` are HOST:PORT. `control` is a name that is up: it tells a fault of the endpoint from one
    of this side, and is asked only where the endpoint gave no answer; None asks nothing. `insecure` goes on where the
    certificate is not trusted, and the row says so. `now` is in UTC.
    """

    connect_to: str | None = None
    control: str | None = "www.googleapis.com:443"
    retries: int = 0
    insecure: bool = False
    limits: Limits = LIMITS
    resolve: Resolve = resolve
    randbytes: Callable[[int], bytes] = secrets.token_bytes
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock: Callable[[], float] = time.perf_counter


HERE: Final = Surroundings()


class Control:
    """Whether a name that is up can be reached from here; asked once, however many ask at the same time."""

    def __init__(self, here: Surroundings) -> None:
        """Ask nothing yet."""
        self.here = here
        self.answer: bool | None = None
        self._one = asyncio.Lock()

    async def reachable(self) -> bool | None:
        """True where the control name resolves and connects; None where there is none to ask."""
        async with self._one:
            if self.answer is None and self.here.control:
                self.answer = await self._connects(*parse_address(self.here.control, "control"))
        return self.answer

    async def _connects(self, host: str, port: int) -> bool:
        stages, limits = Stages(self.here.clock), self.here.limits
        try:
            async with stages.limited(limits.control):
                (await connect(host, port, stages, limits, self.here.resolve)).close()
        except Stopped:
            return False
        return True


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
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


async def attempt(target: Target, check: Check, here: Surroundings, control: Control) -> Row:
    """One check with its retries, judged."""
    probe_id, started, before = here.randbytes(8).hex(), here.now(), []
    for number in range(1, here.retries + 2):
        began, trace_id = here.clock(), here.randbytes(16).hex()
        seen = await sight(target, check, here, probe_id, trace_id)
        asked = None if seen.reachable or seen.loopback else await control.reachable()
        status, because = judge(check, seen, asked, str(here.control).rpartition(":")[0])
        if status == "ok" or number > here.retries or not (seen.http_status in RETRIED or not seen.reachable):
            break
        before.append(f"try {number}: {because}, after {duration(here.clock() - began)}")
        await asyncio.sleep(min(0.5 * 2 ** (number - 1), 8))
    made = row(target, check, seen, started, number, probe_id, trace_id)
    return made | {"because": "; ".join([because, *before, *passed_over(seen)]), "status": status}


def row(
    target: Target, check: Check, seen: Sighting, started: datetime, attempts: int, probe_id: str, trace_id: str
) -> Row:
    """The fields of a probe, in the order they are printed; `because` and `status` follow from judging."""
    return {
        "name": check.name,
        "kind": check.kind,
        "time": iso(started),
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
        "place": "endpoint",
        "addresses": seen.addresses,
        "tls": seen.tls,
        "sent": [name for name, _ in own_headers(check)],
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
            await hold(wires, check, here.limits, here.clock, seen)
        if len(wires) > 1 and seen.verdict and seen.because:
            seen.because = f"connection {len(wires)} of {check.connections}: {seen.because}"
        return seen
    finally:
        for wire in wires:
            wire.drop()


async def open_one(
    target: Target, check: Check, here: Surroundings, probe_id: str, trace_id: str, wires: list[Wire]
) -> Sighting:
    """One connection up to its answer; the wire is added to `wires` as soon as there is one."""
    seen, tls = Sighting(), Tls(checking()) if target.secure else None
    key = base64.b64encode(here.randbytes(16)).decode()
    reader = reader_of(target, check, key)
    request = request_bytes(target, check, key, identity(probe_id, trace_id, here.randbytes(8).hex()))
    wire, untrusted = Wire(reader, Stages(here.clock)), None
    try:
        async with wire.stages.limited(here.limits.total):
            await join(target, here, wire, seen, tls)
            wires.append(wire)
            await exchange(wire, request, here.limits)
    except Stopped as stopped:
        if not reader.head.complete:  # else only a body is late, and what of it has come is judged
            not_reached(seen, stopped, reader)
        untrusted = stopped if isinstance(stopped, Untrusted) else None
    stages_end(wire.stages, seen)
    if tls and seen.timings["tls_s"] is not None:
        seen.unchecked = tls.because if tls.version else ""  # it went on, and nothing was looked at yet
        if untrusted:
            await look(untrusted, target.host, Stages(here.clock), here.limits, tls)
        seen.tls = tls.row(here.now())
    read_answer(reader, seen)
    return seen


def reader_of(target: Target, check: Check, key: str) -> Handshake | Answer:
    """What reads the answer to a check."""
    hidden = mask(target, check)
    if check.kind == "http":
        return Answer(check.body_contains, hidden)
    return Handshake(Offer(key, check.subprotocols), check.expect_message, hidden)


def not_reached(seen: Sighting, stopped: Stopped, reader: Handshake | Answer) -> None:
    """Say why there is no whole answer, what of one came, and whether there was any network to go through."""
    head = reader.head
    after = refusal_words(head) if head.status else ", ".join(map(str, head.interim))
    seen.verdict, seen.reachable, seen.because = "unreachable", False, str(stopped) + (after and f", after {after}")
    seen.loopback = bool(seen.addresses) and all(is_loopback(made["address"]) for made in seen.addresses)


async def join(target: Target, here: Surroundings, wire: Wire, seen: Sighting, tls: Tls | None) -> None:
    """Resolve, connect, and lay the wire, over TLS where the URL says so."""
    host, port = parse_address(here.connect_to) if here.connect_to else (target.host, target.port)
    sock = await connect(host, port, wire.stages, here.limits, here.resolve, seen.addresses)
    if tls:
        await secure(sock, wire, target.host, wire.stages, here.limits, here.insecure, tls)
    else:
        await lay(sock, wire)


def stages_end(stages: Stages, seen: Sighting) -> None:
    """Keep where it is, and what each stage took."""
    seen.stage = stages.stage
    stages.enter("done")
    seen.timings = stages.timings


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
        raise Stopped(f"the connection was {wire.ending} without an answer")


def read_answer(reader: Handshake | Answer, seen: Sighting) -> None:
    """What the bytes say, also those of an answer that never ended.

    An HTTP answer that was decided stops at `status`, as a handshake that was refused does: its status decides, and
    text that its body lacks is in the words.
    """
    seen.http_status = reader.head.status
    if isinstance(reader, Handshake):
        if reader.verdict:
            seen.verdict, seen.rule, seen.stage = reader.verdict, reader.rule, reader.stage
            seen.because, seen.subprotocol = reader.because, reader.subprotocol
        return
    fault = reader.head.fault
    seen.body = reader.body
    if fault:
        seen.rule, seen.stage = fault.rule, RULES[fault.rule].stage or reader.head.stage
        seen.because = fault_words(fault, reader.head)
    elif seen.reachable:
        seen.stage, seen.because = "status", f"answered {seen.http_status}"
