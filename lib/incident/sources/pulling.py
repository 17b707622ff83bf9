"""A pull: a service's evidence to a folder, page by page, and on from where it was ended.

Decides: whether a folder's pull is the one that is asked for, and what it lacks in the end. The log's pages are kept as
they come; the rest is a few calls, which each sitting makes anew, since the service's settings say what is secret in
the log. Cannot tell: what changed between two sittings of one pull.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from incident import frames
from incident.findings import UsageError
from incident.redact import Redactor
from incident.scope import Parameters, rfc3339, scope
from incident.sources import cloud
from incident.sources.bypass import bypass_facts
from incident.sources.calls import Calls, Pace
from incident.sources.clients import Clients
from incident.sources.gather import utc_now, with_bypass
from incident.sources.limits import Allowance, Limits
from incident.sources.log_pages import Reader
from incident.sources.pull_parts import Plan, PullFolder
from incident.sources.pull_reading import Reading, Stopped, sleeper
from incident.sources.pull_windows import Snapshot, windows_of
from incident.sources.pulled import WHAT, audit_of

GIVEN = ("project", "region", "service", "start", "end")
PATIENCE = 600.0
"""Seconds that a pull spends on failing calls: nobody waits for it as for a run's answer."""

Tell = Callable[[Snapshot], Any]


def parse_what(text: str) -> tuple[str, ...]:
    """What is to be pulled, in its order; an unknown name is a `UsageError`.

    >>> parse_what("iam,logs")
    ('logs', 'iam')
    """
    named = [name.strip() for name in text.split(",")]
    if unknown := [name for name in named if name not in WHAT]:
        raise UsageError(f"--what holds {unknown[0]!r}: use {', '.join(WHAT)}, with commas between them")
    return tuple(name for name in WHAT if name in named)


def pull_to(
    path: Path, parameters: Parameters, what: Sequence[str] = tuple(WHAT), *, environ: Mapping[str, str] = os.environ,
    now: Callable[[], pd.Timestamp] = utc_now, tell: Tell = lambda snapshot: None, calls: Calls | None = None,
) -> Plan:  # fmt: skip
    """Pull a scope into a folder, or go on with that; the plan, with its result, once nothing more can be had.

    A folder that holds another pull is a `UsageError`. Whatever the other side does is a gap. An interruption leaves a
    folder that the same call goes on with.
    """
    parameters.needed("project", "region", "service")
    folder, stop = PullFolder(path), threading.Event()
    with closing(Clients.of(environ)) as clients:
        plan = _plan(folder, parameters, what, now())
        if plan.result and not plan.result["gaps"]:
            folder.forget_key()
            return plan
        folder.make()
        folder.save(plan := replace(plan, result={}))
        calls = calls or _patient(stop)
        calls.allowance = Allowance(Limits.of(parameters))
        redactor = Redactor(folder.key(os.urandom(32)))
        reading = Reading(folder, plan, Reader(plan.scope, calls, clients), redactor, tell, stop)
        return _pulled(reading, cloud.Pull(plan.scope, clients, calls), what, now)


def _plan(folder: PullFolder, parameters: Parameters, what: Sequence[str], now: pd.Timestamp) -> Plan:
    """The plan of a folder, or a new one; a folder with another pull is a `UsageError`."""
    given = {name: getattr(parameters, name) for name in GIVEN} | {"what": ",".join(what)}
    if plan := folder.plan():
        for name, value in given.items():
            if (held := plan.given.get(name)) != value:
                raise UsageError(
                    f"{str(folder.path)!r} holds a pull with --{name} {held!r}, this one has {value!r}: "
                    "give the same, or --to another folder"
                )
        return plan
    where = scope(parameters, now)
    is_limited = bool(Limits.of(parameters))
    return Plan(given, where, now, windows_of(where, is_limited) if "logs" in what else ())


def _patient(stop: threading.Event) -> Calls:
    sleep = sleeper(stop)
    return Calls(budget=PATIENCE, pace=Pace(sleep=sleep), sleep=sleep)


def _pulled(reading: Reading, asked: cloud.Pull, what: Sequence[str], now: Callable[[], pd.Timestamp]) -> Plan:
    """Ask for everything, write it, and say what is missing."""
    if set(what) & set(cloud.RESOURCES):
        cloud.ask_service(asked)
    found, builds = cloud.ask_resources(asked, reading.plan.pulled, what)
    redactor = reading.redactor
    for data in (*found.values(), cloud.joined_revisions(asked, builds, frames.frame("audit"))):
        redactor.learn_frame(data)
    try:
        reading.read()
    except Stopped as error:
        raise KeyboardInterrupt from error
    reading.redact_again()
    revisions = cloud.joined_revisions(asked, builds, audit_of(reading.folder, reading.plan))
    for name, data in found.items():
        reading.folder.write_frame(name, frames.table(name, redactor.frame(data)))
    kept = with_bypass(redactor.frame(revisions), bypass_facts(revisions))
    reading.folder.write_frame("revisions", frames.table("revisions", kept))
    plan = replace(reading.plan, result=_result(reading, asked) | {"finished": rfc3339(now())})
    reading.folder.save(plan)
    reading.folder.forget_key()
    return plan


def _result(reading: Reading, asked: cloud.Pull) -> dict[str, Any]:
    of_windows = reading.gaps()
    gaps = [*asked.gaps, *of_windows.values()]
    gaps = [replace(gap, reason=reading.redactor.text(gap.reason)) for gap in dict.fromkeys(gaps)]
    lacking = {gap.frame for gap in gaps}
    queries = [*asked.queries, *reading.queries(of_windows)]
    return {
        "gaps": [gap.as_json() for gap in gaps],
        "complete": sorted((asked.complete | {"logs", "audit"}) - lacking),
        "queries": [asdict(query) for query in queries],
        "ready": {name: rfc3339(since) for name, since in cloud.ready_times(asked).items()},
    }
