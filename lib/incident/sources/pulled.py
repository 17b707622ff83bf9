"""What `incident pull` wrote, as evidence.

Decides: that only a finished pull is read, one with gaps too. Reads a folder of parts: split entries are joined, and
each entry is there once, though a window that was read on without its token may hold one that another part holds too.
Cannot tell: what a secret was, since the tags' key is gone.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from incident import frames
from incident.evidence import Evidence, Query
from incident.findings import Gap, UsageError
from incident.frames import FRAMES
from incident.http1 import printable
from incident.sources.columns import PAGE, logs_frame
from incident.sources.entries import one_of_each, probes_marked
from incident.sources.pull_parts import Plan, PullFolder
from incident.sources.pull_windows import of_frame
from incident.sources.serving import traffic_times

WHAT = {
    "logs": ("logs", "audit"), "service": ("service", "traffic"), "revisions": ("revisions",), "builds": ("builds",),
    "iam": ("iam",),
}  # fmt: skip
"""What may be pulled, and the frames that it is."""

PROBE = "give --endpoint URL to probe the live service"
NO_HANDSHAKES = Gap("handshakes", "a pull makes no handshakes", PROBE, "absent")


def pulled(path: Path) -> Evidence:
    """The evidence of a pull's folder; one that is no finished pull is a `UsageError`."""
    folder = PullFolder(path)
    plan = finished(folder)
    found = {name: _frame(folder, name) for name in ("service", "traffic", "revisions", "builds", "iam")}
    logs, cut = logs_frame(b for _, t in folder.tables(of_frame(plan, "logs"), PAGE) for b in t.to_batches())
    found["logs"], found["audit"] = probes_marked(logs, {}), audit_of(folder, plan)
    ready = {name: pd.Timestamp(since) for name, since in plan.result["ready"].items()}
    found["revisions"] = traffic_times(found["revisions"], found["traffic"], found["logs"], found["audit"], ready)
    gaps = (*(Gap(**gap) for gap in plan.result["gaps"]), *cut, *left_out(plan), NO_HANDSHAKES)
    complete = set(plan.result["complete"]) - {gap.frame for gap in gaps} - ({"logs"} if logs.empty else set())
    queries = tuple(Query(**{**query, "gaps": tuple(query["gaps"])}) for query in plan.result["queries"])
    return Evidence(plan.scope, plan.pulled, found, gaps, frozenset(complete), queries)


def left_out(plan: Plan) -> list[Gap]:
    """A gap for each frame that was not to be pulled."""
    names = [name for name in WHAT if name not in plan.given["what"].split(",")]
    return [
        Gap(frame, f"{frame} was not pulled: --what left it out", f"pull --what {name} to another folder", "absent")
        for name in names
        for frame in WHAT[name]
    ]


def finished(folder: PullFolder) -> Plan:
    """The plan of a pull that is finished."""
    plan, shown = folder.plan(), printable(str(folder.path), 200)
    if plan is None:
        raise UsageError(f"{shown!r} holds no pull: incident pull --to {shown} makes one")
    if not plan.result:
        raise UsageError(f"the pull in {shown!r} is not finished: give its incident pull command again, which goes on")
    return plan


def audit_of(folder: PullFolder, plan: Plan) -> pd.DataFrame:
    """The frame `audit` of a pull, each entry once."""
    tables = folder.tables(of_frame(plan, "audit"), FRAMES["audit"].schema)
    return one_of_each(frames.frame("audit", (batch for _, table in tables for batch in table.to_batches())), "audit")


def _frame(folder: PullFolder, name: str) -> pd.DataFrame:
    return frames.frame(name, pq.read_table(folder.path / f"{name}.parquet", schema=FRAMES[name].schema).to_batches())
