"""What can be reached from here: Google's APIs, the service's endpoint; and whether this machine's clock is right.

Decides: from one GET of the health path and one of the host of an API, each over a connection of its own, as a probe
makes them. The clock is compared with the Date header (RFC 9110 6.6.1, whole seconds) of Google's API, or of the
endpoint where a stand-in takes Google's place. Cannot tell: whether a proxy would reach what a direct connection does
not; a Date that something between here and there made up.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from incident.http1 import Answer
from incident.sources.checks import Check, Row, Sighting
from incident.sources.doctor_line import Line, Need
from incident.sources.endpoint import Surroundings, exchange, join, probe, run
from incident.sources.request_bytes import identity, request_bytes
from incident.sources.stages import Limits, Stages, Stopped
from incident.sources.target import Target, parse_target, proxies
from incident.sources.tls import Tls, checking
from incident.sources.wire import Wire

GOOGLE: Final = "https://logging.googleapis.com/"
LIMITS: Final = Limits(resolve=4, connect=4, tls=4, status=10, headers=4, total=15, control=4)
"""Shorter than a probe's, but for the status, which waits for a cold start."""

GOOGLE_LIMITS: Final = replace(LIMITS, status=4, total=6)
AGO: Final = 10.0
"""Seconds that a clock may be wrong by: whole seconds in the Date, the way there and back, and some to spare."""

NETWORK: Final = Need("network", "Google's APIs can be reached", "no API of Google's is reached from here")
CLOCK: Final = Need(
    "clock",
    "a window such as -2h is the one meant",
    "windows such as -2h lie elsewhere; what is late passes for absent",
)
DNS: Final = Need("endpoint DNS", "the endpoint can be probed", "no handshake can be tried")
TLS: Final = Need("endpoint TLS", "clients trust whom they reach", "clients refuse to connect")
HEALTH: Final = Need("endpoint health", "a probe has a fair chance", "a handshake is likely to fail as well")


@dataclass(frozen=True)
class Dated:
    """What a host's answer said: its Date and when that came by this machine's clock, or why there is none."""

    date: datetime | None
    here: datetime
    because: str = ""


def dated(url: str, here: Surroundings) -> Dated:
    """The Date that a host answers with, whatever its status."""
    return run(_dated(parse_target(url, "", "http"), here))


async def _dated(target: Target, here: Surroundings) -> Dated:
    reader = Answer(None)
    wire, tls = Wire(reader, Stages(here.clock)), Tls(checking()) if target.secure else None
    named = identity(here.randbytes(8).hex(), here.randbytes(16).hex(), here.randbytes(8).hex())
    try:
        async with wire.stages.limited(here.limits.total):
            await join(target, here, wire, Sighting(), tls)
            await exchange(wire, request_bytes(target, Check(kind="http"), "", named), here.limits)
    except Stopped as stopped:
        return Dated(None, here.now(), str(stopped))
    finally:
        if transport := getattr(wire, "transport", None):
            transport.abort()
    return Dated(_date(reader.head.get_all("date")), here.now(), f"{target.host} gave no Date")


def _date(values: list[str]) -> datetime | None:
    """The Date header as a time in UTC; None where it is none."""
    with suppress(ValueError, IndexError, TypeError):
        return parsedate_to_datetime(values[0]).astimezone(UTC)
    return None


def network_line(said: Dated, environ: Mapping[str, str]) -> Line:
    """Whether the host of an API is reached from here."""
    target = parse_target(GOOGLE)
    passed_by = proxies(environ, target).partition(" ")[0]
    if said.date:
        return NETWORK.line("ok", f"{target.host} answers")
    if passed_by:
        because = f"{said.because}; {passed_by} is set, and only the official clients go by it"
        return NETWORK.line("uncertain", because)
    return NETWORK.line("missing", said.because, f"curl -sI {GOOGLE}", "mend the way there, or the name servers")


def clock_line(said: Dated, host: str) -> Line:
    """How far this machine's clock is from a server's."""
    if said.date is None:
        return CLOCK.line(
            "uncertain", f"beside no other: {said.because}", advice="mend the network, or give --endpoint"
        )
    off = (said.here - said.date).total_seconds()
    if abs(off) <= AGO:
        return CLOCK.line("ok", f"within {AGO:g} s of {host}'s")
    way = "ahead of" if off > 0 else "behind"
    return CLOCK.line("missing", f"{abs(off):.0f} s {way} {host}'s", "sudo timedatectl set-ntp true")


def endpoint_lines(url: str, here: Surroundings) -> list[Line]:
    """DNS, TLS and health of an endpoint, from one GET of the URL of its health path."""
    row, target = probe(url, Check("health", "http"), here), parse_target(url)
    return [dns_line(row, target.host), tls_line(row, target), health_line(row, target.path)]


def dns_line(row: Row, host: str) -> Line:
    """Whether the name has an address."""
    if row["stage"] == "resolve":
        return DNS.line(_lacking(row), row["because"], f"getent hosts {host}")
    found = [each["address"] for each in row["addresses"]]
    return DNS.line("ok", f"{host} is an address" if host in found else f"{host} has {', '.join(found[:3])}")


def tls_line(row: Row, target: Target) -> Line:
    """Whether the certificate is trusted, and how long it lasts."""
    held = row["tls"]
    if not target.secure:
        return replace(TLS.line("skipped", "the endpoint is plain http"), needed=False)
    if held is None:
        return TLS.line("uncertain", "it was not reached")
    if not held["trusted"]:
        look = f"openssl s_client -connect {target.host}:{target.port} -servername {target.host}"
        distrust = "not trusted: " if held["trusted"] is False else ""
        return TLS.line("missing", f"{distrust}{held['because']}{_names(held)}", look)
    return TLS.line("ok", f"{held['version']}, the certificate has {held['days_left']:.0f} days left")


def _names(held: Mapping[str, Any]) -> str:
    return f"; the certificate is for {', '.join(held['names'][:3])}" if held["names"] else ""


def health_line(row: Row, path: str) -> Line:
    """Whether the health path answers 200; what its refusal means is for a run to find out."""
    if row["status"] == "ok":
        return HEALTH.line("ok", f"GET {path} answers {row['http_status']}")
    return HEALTH.line(_lacking(row), f"GET {path}: {row['because']}", shlex.join(["curl", "-si", row["url"]]))


def _lacking(row: Row) -> Any:
    """A fault that may be on this side is none of the endpoint's."""
    return "missing" if row["status"] == "failed" else "uncertain"
