"""The report that a team files, computed: each part's rows, what they were computed from, and why a part is empty.

Reads a case and its causes. Everything here follows from evidence; what only people know (whom it hurt, who does what
next) is named as a blank and never guessed. It cannot tell which files a change touched: a revision says which commit
its image was built from, and no repository is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from incident.analysis import report_parts as parts
from incident.analysis.candidate import BUILDING
from incident.analysis.deployment import deployment
from incident.analysis.fix import fix_status, holds_at
from incident.analysis.lessons import lessons
from incident.analysis.report_part import Part
from incident.evidence import SETTLE_SECONDS
from incident.findings import Finding, run_status

if TYPE_CHECKING:
    from incident.analysis.case import Case

BLANKS = (
    "Business impact", "People and roles", "Who does each next step, and by when", "How it was noticed",
    "What went well", "What could have gone better",
)  # fmt: skip
"""What no evidence says: the headings of `postmortem.md`."""


@dataclass(frozen=True)
class Postmortem:
    """A report in parts, in the order that people read them; `status` is `active` or `final`, and `because` says why.

    `date` is when the evidence was pulled, UTC; `next_update` when something that is undecided can be known. Both are
    text. `blanks` are the headings of what only people can fill.
    """

    status: str
    because: str
    date: str
    next_update: str
    root_cause: Part
    error_sequence: Part
    solutions: Part
    deployment: Part
    tests: Part
    files_changed: Part
    revisions: Part
    next_steps: Part
    lessons: Part
    blanks: tuple[str, ...] = BLANKS

    def parts(self) -> tuple[Part, ...]:
        """The parts in their order."""
        return (
            self.root_cause, self.error_sequence, self.solutions, self.deployment, self.tests, self.files_changed,
            self.revisions, self.next_steps, self.lessons,
        )  # fmt: skip


def postmortem(case: Case, causes: Sequence[Finding]) -> Postmortem:
    """The report of a case; `causes` are the findings of all rules, in their order (`causes.judged`).

    It is `final` once the run is `ok` and every step of the fix is done, else `active`.
    """
    steps = fix_status(case)
    verdict = run_status(causes, case.checks, case.evidence.gaps, case.positive_sign)
    unfinished = steps[steps["state"] != "done"]
    final = verdict.status == "ok" and unfinished.empty
    still_open = [f"fix {row.step}: {row.state}, {row.detail}" for row in unfinished.head(1).itertuples()]
    return Postmortem(
        "final" if final else "active",
        "; ".join([f"{verdict.status}, {verdict.because}", *still_open]),
        f"{case.evidence.pulled:%Y-%m-%d %H:%M:%S} UTC",
        "none: nothing is open" if final else _next_update(case),
        parts.root_cause(case, causes), parts.error_sequence(case), parts.solutions(case), deployment(case),
        parts.tests(case), parts.files_changed(case), parts.revision_history(case),
        parts.next_steps(case, causes, steps), lessons(case),
    )  # fmt: skip


def _next_update(case: Case) -> str:
    """When something undecided can be known: the first of the times that follow from the evidence, or what to await."""
    builds = case.evidence.builds
    running = builds[(builds["build_id"] == case.fix.build_id) & builds["status"].isin(BUILDING)]
    if len(running):
        return f"when build {case.fix.build_id} ends"
    settled = case.evidence.scope.end + pd.Timedelta(seconds=SETTLE_SECONDS)
    unsettled = any(gap.kind == "unsettled" for gap in case.evidence.gaps)
    times = [time for time in (holds_at(case), settled if unsettled else pd.NaT) if not pd.isna(time)]
    later = [time for time in times if time > case.evidence.pulled]
    if not later:
        return "at the next change: no time follows from this evidence"
    return f"{max(later).ceil('s'):%Y-%m-%d %H:%M:%S} UTC, when what is open can be known"
