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
import pyarrow as pa

from incident import frames
from incident.findings import Gap, UsageError
from incident.redact import Redactor
from incident.scope import Parameters, rfc3339, scope
from incident.sources import cloud
from incident.sources.bypass import bypass_facts
from incident.sources.calls import Calls, Pace
from incident.sources.clients import Clients
from incident.sources.columns import PAGE, logs_frame
from incident.sources.gather import utc_now, with_bypass
from incident.sources.limits import Allowance, Limits
from incident.sources.log_pages import Reader
from incident.sources.pull_parts import Plan, PullFolder
from incident.sources.pull_reading import SCHEMAS, Reading, Stopped, sleeper
from incident.sources.pull_windows import Snapshot, is_whole, of_frame, windows_of
from incident.sources.pulled import WHAT, audit_of, of_another

GIVEN = ("project", "region", "service", "start", "end")
PATIENCE = 600.0
"""Seconds that a pull spends on failing calls: nobody waits for it as for a run's answer."""

UNRECOGNISED = "; values of its environment variables in the log could not be recognised as secrets"

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
    with folder.alone(), closing(Clients.of(environ)) as clients:
        plan = _plan(folder, parameters, what, now())
        if is_whole(folder, plan):
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
    began = now()
    found, builds = _asked(reading.redactor, asked, what, began)
    _read(reading)
    revisions = cloud.joined_revisions(asked, builds, audit_of(reading.folder, reading.plan))
    kept = with_bypass(reading.redactor.frame(revisions), bypass_facts(revisions))
    found["revisions"] = kept if "revisions" in what else frames.frame("revisions")
    for name, data in found.items():
        reading.folder.write_frame(name, frames.table(name, reading.redactor.frame(data)))
    result = _result(reading, asked, what) | {"asked": rfc3339(began), "finished": rfc3339(now())}
    plan = replace(reading.plan, result=result)
    reading.folder.save(plan)
    if not plan.result["gaps"]:  # the same command mends gaps, and its tags must be those of the first sitting
        reading.folder.forget_key()
    return plan


def _asked(
    redactor: Redactor, asked: cloud.Pull, what: Sequence[str], now: pd.Timestamp
) -> tuple[dict[str, pd.DataFrame], list[cloud.Row]]:
    """What is not the log, and the builds' rows, learned from; revisions are asked for with the log, to learn from."""
    if set(what) & set(cloud.RESOURCES):
        cloud.ask_service(asked)
    found, builds = cloud.ask_resources(asked, now, {*what, "revisions"} if "logs" in what else what)
    for data in (*found.values(), cloud.joined_revisions(asked, builds, frames.frame("audit"))):
        redactor.learn_frame(data)
    return found, builds


def _read(reading: Reading) -> None:
    """Read the log; whatever ends that early, nothing that is known to be secret stays in a part."""
    try:
        reading.read()
    except Stopped as error:
        raise KeyboardInterrupt from error
    finally:
        reading.redact_again()


def _result(reading: Reading, asked: cloud.Pull, what: Sequence[str]) -> dict[str, Any]:
    of_windows, of_splits = reading.gaps(), _split_gaps(reading)
    gaps = [*(_of_log(gap) if "logs" in what else gap for gap in asked.gaps), *of_windows.values(), *of_splits]
    gaps = [replace(gap, reason=reading.redactor.text(gap.reason)) for gap in dict.fromkeys(gaps)]
    lacking = {gap.frame for gap in gaps} | {frame for name in WHAT if name not in what for frame in WHAT[name]}
    queries = [*asked.queries, *reading.queries(of_windows)]
    return {
        "gaps": [gap.as_json() for gap in gaps],
        "complete": sorted((asked.complete | {"logs", "audit"}) - lacking),
        "entries": _entries(reading),
        "queries": [asdict(query) for query in queries],
        "ready": {name: rfc3339(since) for name, since in cloud.ready_times(asked).items()},
    }


def _of_log(gap: Gap) -> Gap:
    """A gap with what it means for the log's secrets."""
    return replace(gap, reason=gap.reason + UNRECOGNISED) if gap.frame == "revisions" else gap


def _split_gaps(reading: Reading) -> list[Gap]:
    """The gap of split entries that lack a part."""
    tables = (table for _, table in reading.folder.tables(of_frame(reading.plan, "logs"), PAGE))
    _, gaps = logs_frame(b for table in tables for b in table.filter(table["split_uid"].is_valid()).to_batches())
    return list(map(of_another, gaps))


def _entries(reading: Reading) -> int:
    """How many entries came: each once, though a window may begin with the last one of another, or it was split."""
    logs, audit = (_identities(reading, frame) for frame in ("logs", "audit"))
    is_whole = logs["split_uid"].isna()
    return len(logs[is_whole].drop_duplicates()) + int(logs["split_uid"].nunique()) + len(audit.drop_duplicates())


def _identities(reading: Reading, frame: str) -> pd.DataFrame:
    """What each row of a frame's parts is known by."""
    schema = SCHEMAS[frame]
    names = [name for name in (*frames.FRAMES[frame].key, "split_uid") if name in schema.names]
    key = pa.schema([schema.field(name) for name in names])
    tables = [table for _, table in reading.folder.tables(of_frame(reading.plan, frame), key)]
    return pa.concat_tables([key.empty_table(), *tables]).to_pandas()
