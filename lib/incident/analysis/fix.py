"""How far the fix is: built, in a revision, holding traffic, started cleanly, effective, and whether it holds.

Reads builds, revisions, traffic, checks and requests of a case. A step is `done`, `waiting`, `failed` or `unknown`.
Whether it holds is judged by `analysis.holds`: over one request timeout, and past one restart. It cannot tell whether a
socket outlives that time where none was open so long, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pandas as pd

from incident.analysis.candidate import BUILDING
from incident.analysis.changes import short_name
from incident.analysis.holds import holds, holds_at, is_live, live_since, still_failing

if TYPE_CHECKING:
    from incident.analysis.case import Case

__all__ = ["Step", "fix_status", "holds_at", "is_live", "live_since"]

State = Literal["done", "waiting", "failed", "unknown"]
COLUMNS = ("step", "state", "since", "detail")


@dataclass(frozen=True)
class Step:
    """What one step of a fix has come to; `since` is UTC, NaT where there is no such time."""

    state: State
    detail: str
    since: pd.Timestamp = pd.NaT


def fix_status(case: Case) -> pd.DataFrame:
    """One row a step: `step`, `state` (done, waiting, failed, unknown), `since` (UTC), `detail`.

    The steps are those of STEPS, in their order. No row where nothing is known to be broken: nothing is to be mended.
    """
    steps = {name: judge(case) for name, judge in STEPS.items()} if case.fix.replaces else {}
    rows = [(name, step.state, step.since, step.detail) for name, step in steps.items()]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(since=pd.to_datetime(table["since"], utc=True).dt.as_unit("ns"))


def _built(case: Case) -> Step:
    build, fix = _build(case), case.fix
    if fix.went_back:
        return Step("done", f"no build was needed: traffic went back to {short_name(fix.revision or '')}")
    if build is None and fix.build_id:
        return Step("unknown", f"build {fix.build_id} is not among the builds that were read{_gap(case, 'builds')}")
    if build is None and fix.revision:
        return Step("unknown", f"revision {short_name(fix.revision)} does not say which build made its image")
    if build is None:
        return Step("waiting", f"no build came after {_numbers(fix.replaces)}{_gap(case, 'builds')}")
    return _build_state(build)


def _build_state(build: pd.Series) -> Step:
    commit = f", commit {build['commit'][:7]}" if isinstance(build["commit"], str) else ""
    words = f"build {build['build_id']} is {build['status']}{commit}"
    if build["status"] in BUILDING:
        return Step("waiting", words, build["start_time"])
    if build["status"] == "SUCCESS":
        return Step("done", words, build["finish_time"])
    why = f": {build['failure']}" if isinstance(build["failure"], str) else ""
    return Step("failed", f"{words}{why}", build["finish_time"])


def _image(case: Case) -> Step:
    build, revision = _build(case), _revision(case)
    made = build["digest"] if build is not None else None
    used = revision["image_digest"] if revision is not None else None
    if isinstance(made, str) and isinstance(used, str):
        return _same_image(made, used, _time(build, "finish_time"))
    if isinstance(used, str):
        return Step("done", f"{used[:19]}, as the revision names it", _time(revision, "create_time"))
    if isinstance(made, str):
        return Step("done", f"{made[:19]}, as its build names it", _time(build, "finish_time"))
    return Step("waiting", "no image of it is known yet") if revision is None else Step("unknown", "no digest is known")


def _same_image(made: str, used: str, since: pd.Timestamp) -> Step:
    if made == used:
        return Step("done", f"{used[:19]}, which the build made and the revision runs", since)
    return Step("failed", f"the build made {made[:19]}, and the revision runs {used[:19]}", since)


def _in_revision(case: Case) -> Step:
    revision, fix = _revision(case), case.fix
    if revision is None:
        if fix.revision:
            return Step("unknown", f"{short_name(fix.revision)} is not among the revisions that were read")
        what = f"build {fix.build_id}" if fix.build_id else "a fix"
        return Step("waiting", f"no revision was made from {what}{_gap(case, 'revisions')}")
    name, since = short_name(revision["revision_name"]), revision["create_time"]
    if pd.isna(revision["ready"]):
        return Step("unknown", f"{name}: whether it is ready is not known", since)
    if not revision["ready"]:
        why = [text for text in (revision["ready_reason"], revision["ready_message"]) if isinstance(text, str)]
        return Step("failed", f"{name} is not ready: {': '.join(why) or 'no reason is given'}", since)
    return Step("done", f"{name} is ready, which does not show that it works", since)


def _traffic(case: Case) -> Step:
    if not case.serving:
        return Step("unknown", f"which revision serves is not known{_gap(case, 'traffic')}")
    numbers = _numbers(case.serving)
    if is_live(case):
        return Step("done", f"{numbers} holds all traffic", live_since(case))
    if case.fix.revision in case.serving:
        return Step("waiting", f"traffic is split between {numbers}: some of it still fails", live_since(case))
    return Step("waiting", f"{numbers} still holds the traffic")


def _start_up(case: Case) -> Step:
    if not is_live(case):
        return Step("waiting", "the fix does not hold all traffic")
    check = next(check for check in case.checks if check.check == "clean-startup")
    states: dict[str, State] = {"ok": "done", "failed": "failed"}
    detail = f"{check.observed} {check.because}" if check.status == "failed" else f"{check.expected}: {check.because}"
    return Step(states.get(check.status, "unknown"), detail, live_since(case))


def _effective(case: Case) -> Step:
    if not is_live(case):
        return Step("waiting", "the fix does not hold all traffic")
    found, since = case.before_after, live_since(case)
    failing, undecided = still_failing(case), found[found["missing"].notna()]
    mended = found[found["effect"] == "fixed"]
    if failing:
        return Step("failed", f"fails now: {_some(failing)}", since)
    if len(undecided):
        return Step("unknown", _some([f"{row.subject}: {row.because}" for row in undecided.itertuples()], "; "), since)
    if mended.empty:
        return Step("unknown", "nothing is known to have failed before and to go well now", since)
    rates = int((mended["source"] == "requests").sum())
    checks = int(((mended["source"] == "checks") & (mended["after_tries"] == 1)).sum())
    return Step("done", f"fixed: {checks} checks, and {rates} kinds of request by their rates; none fails", since)


def _holds(case: Case) -> Step:
    found = holds(case)
    return Step(HOLDS[found.state], found.because, found.since)


HOLDS: dict[str, State] = {
    "holds": "done", "not yet": "waiting", "broke again": "failed", "fails": "failed", "unknown": "unknown",
}  # fmt: skip
"""What the states of `analysis.holds` are as the state of a step."""

STEPS: dict[str, Callable[[Case], Step]] = {
    "built": _built, "image": _image, "revision": _in_revision, "traffic": _traffic, "start-up": _start_up,
    "effective": _effective, "holds": _holds,
}  # fmt: skip
"""The steps of a fix, in their order, each a judgement of its own."""


def _build(case: Case) -> pd.Series | None:
    """The row of the fix's build, or None where none that was read is it."""
    builds = case.evidence.builds
    found = builds[builds["build_id"] == case.fix.build_id]
    return found.iloc[0] if len(found) else None


def _revision(case: Case) -> pd.Series | None:
    """The row of the fix's revision, or None."""
    revisions = case.evidence.revisions
    found = revisions[revisions["revision_name"] == case.fix.revision]
    return found.iloc[0] if len(found) else None


def _time(row: pd.Series | None, column: str) -> pd.Timestamp:
    return pd.NaT if row is None else row[column]


def _some(words: list[str], between: str = ", ", most: int = 3) -> str:
    more = [f"{len(words) - most} more"] if len(words) > most else []
    return between.join([*words[:most], *more])


def _gap(case: Case, frame: str) -> str:
    gap = case.evidence.gap(frame)
    return f" (gap in {frame}: {gap.reason})" if gap else ""


def _numbers(names: Iterable[str]) -> str:
    return ", ".join(map(short_name, names))
