"""What is there for a run on a project, and what is missing: a line for each, in the order to mend them in.

Decides: the order of the lines and the status of all: `missing` where a line that is needed is, else `uncertain` where
one could not be looked at, else `ok`. Reads: this machine, the network, Google's APIs; every look has a limit, and what
does not depend on another is looked at in the same time. No call writes. Cannot tell: whether an incident can be
explained; that takes a run.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from incident.scope import Parameters, Scope
from incident.sources.clients import Clients
from incident.sources.doctor_access import access_lines, ask, unanswered
from incident.sources.doctor_credentials import Caller, caller
from incident.sources.doctor_endpoint import (
    GOOGLE,
    GOOGLE_LIMITS,
    LIMITS,
    Dated,
    clock_line,
    dated,
    endpoint_lines,
    network_line,
)
from incident.sources.doctor_here import kernel_lines, outputs_line, packages_line
from incident.sources.doctor_line import Line, Need, begun, result
from incident.sources.doctor_service import service_line
from incident.sources.endpoint import HERE, Surroundings
from incident.sources.target import parse_target

PROJECT: Final = Need("project", "its APIs and permissions can be looked at", "no API and no permission was looked at")
SERVICE: Final = Need("service", "its endpoint and its revisions can be looked at", "no service was looked at")
ENDPOINT: Final = Need("endpoint", "DNS, TLS and health can be looked at", "no endpoint was looked at")
"""What may not have been named."""

SAME_CLOCK: Final = Line("clock", "skipped", "a stand-in on this machine has this machine's clock", needed=False)


@dataclass(frozen=True)
class Examination:
    """What is examined, from where: `here` holds the clock and the limits, `outputs` is where runs would be kept."""

    parameters: Parameters
    scope: Scope
    outputs: Path
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    here: Surroundings = HERE


def examine(examination: Examination) -> list[Line]:
    """All lines. `UsageError` for a stand-in's address that is not on this machine."""
    clients = Clients.of(examination.environ)
    local = begun(lambda: [*kernel_lines(), packages_line(), outputs_line(examination.outputs)])
    google = replace(examination.here, limits=GOOGLE_LIMITS)
    network = None if clients.endpoint else begun(lambda: dated(GOOGLE, google))
    try:
        asks = caller(clients, examination.environ)
        lines, service = google_lines(examination, clients, asks)
    finally:
        clients.close()
    url = examination.parameters.endpoint or getattr(service, "uri", "")
    return [
        asks.line, *reached(examination, network, url), *lines, *endpoint(examination, url), *local.result(),
    ]  # fmt: skip


def reached(examination: Examination, network: Future[Dated] | None, url: str) -> list[Line]:
    """The network, where Google is the one to reach, and the clock."""
    if network is None:
        by_stand_in = clock_by(examination, url)
        return [by_stand_in if by_stand_in.status != "uncertain" else SAME_CLOCK]
    said = result(network, GOOGLE_LIMITS.total + 2)
    if isinstance(said, Exception):
        said = Dated(None, examination.here.now(), str(said))
    lines = [network_line(said, examination.environ)]
    if said.date or not url:
        return [*lines, clock_line(said, parse_target(GOOGLE).host)]
    return [*lines, clock_by(examination, url)]


def clock_by(examination: Examination, url: str) -> Line:
    """The clock beside the endpoint's; where there is no endpoint, nobody's."""
    if not url:
        return clock_line(Dated(None, examination.here.now(), "no endpoint was named"), "")
    return clock_line(dated(health(examination, url), limited(examination)), parse_target(url).host)


def health(examination: Examination, url: str) -> str:
    """The URL of an endpoint's health path."""
    return url.rstrip("/") + examination.scope.health_path


def google_lines(examination: Examination, clients: Clients, asks: Caller) -> tuple[list[Line], Any]:
    """The lines of APIs, permissions and the service, and what came of the call for the service."""
    scope = examination.scope
    if not scope.project:
        return [PROJECT.line("skipped", "none was named", advice="give --project, --region and --service")], None
    if not asks.there:
        return [PROJECT.line("uncertain", f"{scope.project} was not asked for: no credentials hold")], None
    answers = ask(clients, scope)
    if why := unanswered(answers):
        return [PROJECT.line("uncertain", f"none of the APIs answered for {scope.project}: {why}")], None
    lines, service = access_lines(answers, scope, asks.member), answers.tried.get("run.services.get")
    if service is None:
        return [*lines, SERVICE.line("skipped", "none was named", advice="give --region and --service")], None
    return [*lines, service_line(clients, scope, service)], service


def endpoint(examination: Examination, url: str) -> list[Line]:
    """The lines of the endpoint: the one that was named, or the service's own."""
    if not url:
        return [ENDPOINT.line("skipped", "none was named, and no service said its own", advice="give --endpoint URL")]
    return endpoint_lines(health(examination, url), limited(examination))


def limited(examination: Examination) -> Surroundings:
    """The surroundings with a doctor's limits."""
    return replace(examination.here, limits=LIMITS)


def status_of(lines: Iterable[Line]) -> str:
    """The status of all lines that are needed.

    >>> status_of([Line("a", "ok", ""), Line("b", "skipped", "", needed=False)])
    'ok'
    >>> status_of([Line("a", "skipped", ""), Line("b", "ok", "")])
    'uncertain'
    """
    held = {line.status for line in lines if line.needed}
    return "missing" if "missing" in held else "uncertain" if held & {"uncertain", "skipped"} else "ok"
