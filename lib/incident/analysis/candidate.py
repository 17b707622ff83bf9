"""Which change is the fix, or is to become it, and which revisions it replaces.

Reads changes with their effects, builds, and who serves now. A fix is the newest change whose effect is `fixed`. While
there is none it is what would become one: a build that still runs, else the newest change after the one that broke,
else traffic that went back to an older revision, else a build that was not deployed yet. It cannot tell what a person
meant: a change after the fault is taken for an attempt to mend it, and its effect says whether it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from incident.analysis.case import Case

BUILDING = ("QUEUED", "PENDING", "WORKING")
"""A build's states before its end (google.devtools.cloudbuild.v1, Build.Status)."""


@dataclass(frozen=True)
class Fix:
    """The fix as far as it has come: its revision and its build, each None where there is none.

    `replaces` are the failing revisions before it, full names, oldest first; `went_back` is true where the revision is
    an older one that traffic was sent to again.
    """

    revision: str | None = None
    build_id: str | None = None
    replaces: tuple[str, ...] = ()
    went_back: bool = False


def fix(case: Case) -> Fix:
    """The fix of a case; one without revision and build where nothing was done yet, or nothing is broken."""
    changes = case.changes
    mended = changes[changes["effect"] == "fixed"]
    if len(mended):
        return _of_change(case, mended.iloc[-1], failing_before(changes, mended.index[-1]))
    since = _broke(case)
    if since is None:
        return Fix()
    failing = _with_attempts(case, since)
    if build := _newest_build(case, BUILDING):
        return Fix(None, build, failing)
    return _attempt(case, since, failing)


def failing_before(changes: pd.DataFrame, position: int) -> tuple[str, ...]:
    """The revisions before a change back to the one that broke, oldest first: what the change replaced.

    Without a change that broke, the fault is older than what is known, and all revisions before are taken.
    """
    earlier = changes[changes.index < position]
    turned = earlier[earlier["effect"].isin(["broke", "fixed"])]
    if turned.empty:
        return tuple(changes.loc[changes.index <= position, "previous"])
    return tuple(earlier.loc[turned.index[-1] :, "revision_name"])


def _attempt(case: Case, since: int, failing: tuple[str, ...]) -> Fix:
    """The newest change after the one that broke; else the way back; else a build that waits to be deployed."""
    after = case.changes[case.changes.index > since]
    if len(after):
        before = tuple(name for name in failing if name != after["revision_name"].iloc[-1])
        return _of_change(case, after.iloc[-1], before)
    if (older := _serving_older(case, failing)) is not None:
        return Fix(older, None, failing, went_back=True)
    return Fix(None, _newest_build(case, ("SUCCESS", "FAILURE", "TIMEOUT", "INTERNAL_ERROR")), failing)


def _of_change(case: Case, change: pd.Series, replaces: tuple[str, ...]) -> Fix:
    build = change["build_id"] if isinstance(change["build_id"], str) else None
    return Fix(str(change["revision_name"]), build, replaces)


def _broke(case: Case) -> int | None:
    """The position of the change that the fault came with, -1 where it is older than all; None where there is no fault.

    The run that this one is compared with knows which revision served while it failed, when the window does not.
    """
    changes, before = case.changes, case.evidence.before or {}
    served = before.get("serving") or () if before.get("status") == "failed" else ()
    broke = changes[(changes["effect"] == "broke") | changes["revision_name"].isin(served)]
    if len(broke):
        return int(broke.index[-1])
    fault_known = before.get("status") == "failed" or any(check.status == "failed" for check in case.checks)
    return -1 if fault_known else None


def _with_attempts(case: Case, since: int) -> tuple[str, ...]:
    """The revision that broke and all after it; without one, every revision."""
    if since < 0:
        return case.age_order(case.evidence.revisions["revision_name"])
    return tuple(case.changes.loc[case.changes.index >= since, "revision_name"])


def _serving_older(case: Case, failing: Sequence[str]) -> str | None:
    return next((name for name in case.serving if name not in failing), None)


def _newest_build(case: Case, statuses: Sequence[str]) -> str | None:
    """The newest build in one of some states that no revision was made from."""
    builds = case.evidence.builds.sort_values("create_time", kind="stable")
    deployed = set(case.evidence.revisions["build_id"].dropna())
    waiting = builds[builds["status"].isin(statuses) & ~builds["build_id"].isin(deployed)]
    newer = waiting[waiting["create_time"] > case.evidence.revisions["create_time"].max()] if len(deployed) else waiting
    return str(newer["build_id"].iloc[-1]) if len(newer) else None
