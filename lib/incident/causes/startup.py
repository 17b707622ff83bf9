"""Instances that end at their start, and the exceptions that ended them."""

from __future__ import annotations

import pandas as pd

from incident import platform
from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.analysis.code import mends
from incident.analysis.nearness import near_by
from incident.analysis.searching import found_in
from incident.analysis.tracebacks import Traceback, read_traceback
from incident.causes.rules import CITED, found, not_found, rule
from incident.findings import Finding
from incident.frames import keys

NAME = "startup-exception"
READS = ("logs", "revisions")
CHAIN = pd.Timedelta("100ms")
"""Chained exceptions arrive as entries of their own, microseconds apart."""
SIGNALS = 128
"""An exit code from here on means that a signal ended the process, not the application."""


@rule(NAME, *READS)
def startup_exception(case: Case) -> Finding:
    """The application raises while it starts, so the instance ends and its requests fail.

    Reads: tracebacks of the application, the exits that the platform records, and the requests that failed meanwhile.

    Says failed: where an exception is followed by the end of an instance that had answered nothing, even on a revision
    that is Ready: a server that binds its port before it loads the application passes the startup probe and dies after
    it. Of several exceptions the one that goes on is told, or that went on last.

    Ruled out by: whole logs without such a pair, and without an instance that ended by itself before it answered; an
    exception that says that a connection to something else failed, which is dependency-unreachable's.

    Cannot tell: whether the code works once the exception is mended; what an exit means whose traceback it cannot
    read.

    To mend it: define, import or install what the exception lacks, at the line it names; build and deploy. Until then
    go back to the last good revision.
    """
    ends = early_ends(case)
    fatal = fatal_exceptions(case, ends)
    own = fatal[~found_in(fatal["text"], platform.CONNECTION_FAILED)]
    if own.empty and len(fatal):
        return not_found(NAME, case, READS, "the exceptions that ended instances say that a dependency was not reached")
    if own.empty:
        return unread(case, ends) if len(ends) else not_found(NAME, case, READS)
    each = [_finding(case, raised) for _, raised in own.groupby("group", sort=False)]
    return max(each, key=lambda finding: (finding.active, finding.ended or "", finding.share))


def _finding(case: Case, raised: pd.DataFrame) -> Finding:
    traceback = read_traceback(raised["text"].iloc[-1])
    assert traceback is not None
    failing = consequences(case, raised)
    because = _because(case, raised, traceback, failing)
    return found(NAME, case, because, _remedy(case, traceback), shown=raised, failing=failing)


def early_ends(case: Case) -> pd.DataFrame:
    """The entries that say that an instance ended of itself, of instances that had answered nothing well before."""
    own = case.entries[case.entries["instance_id"].notna()]
    said = own[found_in(own["text"], platform.CONTAINER_EXIT, platform.WORKER_FAILED_TO_BOOT)]
    ends = said[said["text"].map(is_end).astype(bool)]
    answered = case.requests[~case.requests["failed"]].groupby("instance_id", observed=True)["timestamp"].min()
    first = pd.to_datetime(ends["instance_id"].astype("object").map(answered.to_dict()), utc=True)
    return ends[~(first < ends["timestamp"])]


def fatal_exceptions(case: Case, ends: pd.DataFrame) -> pd.DataFrame:
    """The exceptions after which their own instance ended within a minute; of a chain, the one that came last."""
    entries = case.entries[(case.entries["kind"] == "exception") | case.entries.index.isin(ends.index)]
    followed = near_by(entries, list(ends["group"].unique()), "instance_id", "after").any(axis=1)
    raised = entries[(entries["kind"] == "exception") & followed & entries["instance_id"].isin(ends["instance_id"])]
    raised = raised.sort_values("timestamp", kind="stable")
    wait = raised.groupby("instance_id", observed=True)["timestamp"].shift(-1) - raised["timestamp"]
    return raised[~(wait <= CHAIN)]


def consequences(case: Case, raised: pd.DataFrame) -> pd.DataFrame:
    """The requests that the platform or a server error ended within a minute after one of these exceptions."""
    failed = case.entries[(case.entries["kind"] == "request") & (case.entries["http_request_status"] >= 500)]
    both = pd.concat([failed, raised]).assign(revision_name=lambda rows: rows["revision_name"].astype("object"))
    after = near_by(both, list(raised["group"].unique()), "revision_name", "before").any(axis=1)
    return failed[after.loc[failed.index].to_numpy()]


def unread(case: Case, ends: pd.DataFrame) -> Finding:
    """Instances end at their start and no traceback says why: that is not an all-clear."""
    numbers = ", ".join(short_name(name) for name in case.age_order(ends["revision_name"].dropna()))
    times = int(ends["weight"].sum())
    because = f"instances of {numbers} ended {times} times before they answered, and no traceback says why"
    remedy = "read what the instances wrote before they ended, in the error sequence and in the logs"
    return Finding(NAME, "uncertain", because=because, evidence=keys("logs", ends, CITED), remedy=remedy)


def is_end(text: str) -> bool:
    """Whether a line says that a process ended by itself, and not by a signal from outside.

    >>> is_end("Container called exit(3)."), is_end("Container called exit(137).")
    (True, False)
    """
    exited = platform.CONTAINER_EXIT.search(text)
    by_itself = exited is not None and 0 < int(exited["code"]) < SIGNALS
    return by_itself or bool(platform.WORKER_FAILED_TO_BOOT.search(text))


def _because(case: Case, raised: pd.DataFrame, traceback: Traceback, failing: pd.DataFrame) -> str:
    numbers = ", ".join(short_name(name) for name in case.age_order(raised["revision_name"].dropna()))
    said = f"{traceback.exception}: {traceback.message}" if traceback.message else traceback.exception
    many, failed = (int(rows["weight"].sum()) for rows in (raised, failing))
    starts = f"{many} start{'' if many == 1 else 's'} of {numbers} ended with it"
    return f"{said}; {starts}, and {failed} requests failed after it"


def _remedy(case: Case, traceback: Traceback) -> str:
    inside = f" (in {traceback.function})" if traceback.function else ""
    where = f"{traceback.file}, line {traceback.line}{inside}" if traceback.file else "the traceback"
    mend = f"define or import {traceback.missing}: {where}" if traceback.missing else f"mend {where}"
    known = mends(case).set_index("name")["because"]
    if traceback.missing in known.index:
        mend += f"; in the repository, {known[traceback.missing]}"
    building = case.evidence.builds[case.evidence.builds["status"].isin(["QUEUED", "PENDING", "WORKING"])]
    wait = "".join(f"; build {build.build_id} is {build.status}" for build in building.itertuples())
    return f"{mend}, then build and deploy{wait}"
