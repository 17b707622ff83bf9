"""startup-exception: the application raises while it starts, so the instance ends and its requests fail.

Reads: tracebacks on standard error, the exits that the platform records, and the requests that failed meanwhile.
Says failed: where an exception is followed by the end of its instance, even on a revision that is Ready: a server that
binds its port before it loads the application passes the startup probe and dies after it.
Ruled out by: whole logs without such a pair.
Cannot tell: whether the code works once the exception is mended.
"""

from __future__ import annotations

from collections.abc import Hashable

import pandas as pd

from incident import platform
from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.analysis.nearness import near_by
from incident.analysis.tracebacks import Traceback, read_traceback
from incident.causes.rules import not_found, rule
from incident.findings import Finding
from incident.frames import keys
from incident.scope import rfc3339

NAME = "startup-exception"
READS = ("logs", "revisions")
CITED = 20


@rule(NAME, *READS)
def startup_exception(case: Case) -> Finding:
    """Exceptions that ended an instance at its start; the group that ended most of them."""
    fatal = fatal_exceptions(case.entries)
    if fatal.empty:
        return not_found(NAME, case, READS)
    group = fatal["group"].value_counts().index[0]
    raised = fatal[fatal["group"] == group]
    traceback = read_traceback(raised["text"].iloc[-1])
    assert traceback is not None
    revisions = case.age_order(raised["revision_name"].dropna())
    last = raised["timestamp"].max()
    active = bool(set(revisions) & set(case.serving)) and not _answered_after(case, last)
    failing = consequences(case, group)
    return Finding(
        NAME, "failed", _because(case, raised, traceback, failing), active,
        introduced_by=case.introduced_by(revisions), revisions=revisions,
        started=rfc3339(raised["timestamp"].min()), ended=None if active else rfc3339(last),
        mended_by=None if active else case.mended_by(last, failing["request_kind"]),
        evidence=keys("logs", raised, CITED) + keys("logs", failing, CITED),
        share=len(failing) / max(1, int(case.requests["failed"].sum())), remedy=_remedy(case, traceback),
    )  # fmt: skip


def fatal_exceptions(entries: pd.DataFrame) -> pd.DataFrame:
    """The exceptions after which their own instance exited, or a worker gave up booting, within a minute."""
    is_end = entries["text"].fillna("").map(_is_end).astype(bool)
    ended = near_by(entries, list(entries.loc[is_end, "group"].unique()), "instance_id", "after").any(axis=1)
    return entries[(entries["kind"] == "exception") & ended]


def consequences(case: Case, group: Hashable) -> pd.DataFrame:
    """The failed requests whose group follows the exception's group."""
    followers = case.sequence.loc[(case.sequence["follows"] == group) & (case.sequence["kind"] == "request"), "group"]
    return case.entries[case.entries["group"].isin(followers)]


def _is_end(text: str) -> bool:
    return bool(platform.CONTAINER_EXIT.search(text) or platform.WORKER_FAILED_TO_BOOT.search(text))


def _answered_after(case: Case, last: pd.Timestamp) -> bool:
    """Whether a serving revision answered a request, or the probe saw it accept, after the last exception."""
    good = case.requests[~case.requests["failed"] & case.requests["revision_name"].isin(case.serving)]
    tried = case.evidence.handshakes
    accepted = tried[tried["verdict"] == "accepted"]
    return bool((good["timestamp"] > last).any() or (accepted["time"] > last).any())


def _because(case: Case, raised: pd.DataFrame, traceback: Traceback, failing: pd.DataFrame) -> str:
    numbers = ", ".join(short_name(name) for name in case.age_order(raised["revision_name"].dropna()))
    said = f"{traceback.exception}: {traceback.message}" if traceback.message else traceback.exception
    starts = f"{len(raised)} start{'' if len(raised) == 1 else 's'} of {numbers} ended with it"
    return f"{said}; {starts}, and {len(failing)} requests failed after it"


def _remedy(case: Case, traceback: Traceback) -> str:
    where = f"{traceback.file}, line {traceback.line} (in {traceback.function})" if traceback.file else "the traceback"
    mend = f"define or import {traceback.missing}: {where}" if traceback.missing else f"mend {where}"
    building = case.evidence.builds[case.evidence.builds["status"].isin(["QUEUED", "PENDING", "WORKING"])]
    wait = "".join(f"; build {build.build_id} is {build.status}" for build in building.itertuples())
    return f"{mend}, then build and deploy{wait}"
