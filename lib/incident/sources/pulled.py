"""What `incident pull` wrote, as evidence.

Decides: that only a finished pull is read, one with gaps too; of what time the evidence is, where a pull had several
sittings. Reads a folder of parts: split entries are joined and then redacted again, and each entry is there once,
though a window that was read on without its token may hold one that another part holds too. Cannot tell: what a secret
was; entries that arrived after the log was read, though the rest may have been asked for later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa

from incident import frames
from incident.evidence import SETTLE_SECONDS, Evidence, Query
from incident.findings import Gap, UsageError
from incident.frames import FRAMES
from incident.http1 import printable
from incident.redact import Redactor
from incident.scope import rfc3339
from incident.sources.columns import PAGE, logs_frame
from incident.sources.entries import one_of_each, probes_marked
from incident.sources.pull_parts import RESOURCES, Plan, PullFolder
from incident.sources.pull_windows import lost, of_frame
from incident.sources.serving import traffic_times

WHAT = {
    "logs": ("logs", "audit"), "service": ("service", "traffic"), "revisions": ("revisions",), "builds": ("builds",),
    "iam": ("iam",),
}  # fmt: skip
"""What may be pulled, and the frames that it is."""

PROBE = "give --endpoint URL to probe the live service"
NO_HANDSHAKES = Gap("handshakes", "a pull makes no handshakes", PROBE, "absent")
SETTLE = pd.Timedelta(seconds=SETTLE_SECONDS)
LONGEST_REQUEST = pd.Timedelta("1h")
"""Cloud Run's highest request timeout (`platform.REQUEST_TIMEOUT_PAGE`); a request's entry is written when it ends."""

PIECE = pa.schema([PAGE.field(name) for name in ("insert_id", "split_uid")])
AGAIN = "pull to another folder, with a --start and an --end that lie a minute further out"
"""What mends a log that was read whole: its folder's own command asks for no page twice."""


def pulled(path: Path) -> Evidence:
    """The evidence of a pull's folder; one that is no finished pull is a `UsageError`."""
    folder = PullFolder(path)
    plan = finished(folder)
    found = {name: _frame(folder, name) for name in RESOURCES}
    logs, cut = logs_frame(b for _, t in folder.tables(of_frame(plan, "logs"), PAGE) for b in t.to_batches())
    logs = _redacted(logs, _split_ids(folder, plan))
    found["logs"], found["audit"] = probes_marked(logs, {}), audit_of(folder, plan)
    ready = {name: pd.Timestamp(since) for name, since in plan.result["ready"].items()}
    found["revisions"] = traffic_times(found["revisions"], found["traffic"], found["logs"], found["audit"], ready)
    gaps = [*(_of_folder(Gap(**gap)) for gap in plan.result["gaps"]), *map(of_another, cut)]
    gaps = list(dict.fromkeys([*gaps, *lost(folder, plan), *left_out(plan), NO_HANDSHAKES]))
    complete = set(plan.result["complete"]) - {gap.frame for gap in gaps} - ({"logs"} if logs.empty else set())
    queries = tuple(Query(**{**query, "gaps": tuple(query["gaps"])}) for query in plan.result["queries"])
    gaps += _unsettled(plan) if not any(gap.frame == "logs" for gap in gaps) else []
    when, notes = dated(plan)
    return Evidence(plan.scope, when, found, tuple(gaps), frozenset(complete), queries, notes=notes)


def dated(plan: Plan) -> tuple[pd.Timestamp, tuple[str, ...]]:
    """Of what time a pull's evidence is, and a note where its sittings lie apart.

    That is when the service was asked last. A log that was read within an hour of the window's end may lack requests
    that lasted longer, so there it stays the time of the first sitting: else they would seem never to have ended well.
    """
    asked = pd.Timestamp(plan.result.get("asked", rfc3339(plan.pulled)))
    if asked - plan.pulled <= SETTLE:
        return plan.pulled, ()
    note = (
        f"the pull had more than one sitting: the log was read from {rfc3339(plan.pulled)} on, "
        f"the service and its revisions are as of {rfc3339(asked)}"
    )
    is_settled = "logs" not in plan.given["what"].split(",") or plan.pulled >= plan.scope.end + LONGEST_REQUEST
    return asked if is_settled else plan.pulled, (note,)


def _unsettled(plan: Plan) -> list[Gap]:
    """The gap of a log that was read before the window's last entries had come."""
    settled = plan.scope.end + SETTLE
    if plan.pulled >= settled:
        return []
    reason = f"entries of the window's last moments may still arrive: it settles at {rfc3339(settled)}"
    return [Gap("logs", reason, f"pull to another folder after {rfc3339(settled)}", "unsettled")]


def of_another(gap: Gap) -> Gap:
    """A gap of split entries with the remedy of a pull."""
    return replace(gap, remedy=AGAIN)


def _of_folder(gap: Gap) -> Gap:
    """A gap whose remedy names the pull: to run again on the same folder mends nothing."""
    return replace(gap, remedy=gap.remedy.replace("run again", "give the incident pull command again", 1))


def _split_ids(folder: PullFolder, plan: Plan) -> set[str]:
    """The insert ids of the entries that are parts of split ones."""
    tables = (table for _, table in folder.tables(of_frame(plan, "logs"), PIECE))
    return {name for table in tables for name in table.filter(table["split_uid"].is_valid())["insert_id"].to_pylist()}


def _redacted(logs: pd.DataFrame, insert_ids: Iterable[str]) -> pd.DataFrame:
    """The log with the entries of these ids redacted: what was cut in two may be a secret since it was joined."""
    is_joined = logs["insert_id"].isin(list(insert_ids))
    if not is_joined.any():
        return logs
    redactor, joined = Redactor.fresh(), logs[is_joined]
    redactor.learn_frame(joined)
    clean = redactor.frame(joined)
    return logs.assign(**{name: logs[name].where(~is_joined, clean[name]) for name in ("text", "json_payload")})


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
    return frames.frame(name, folder.table(f"{name}.parquet", FRAMES[name].schema).to_batches())
