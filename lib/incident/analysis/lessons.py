"""What the changes of an incident teach by their effects: what was not enough, and what did not show that it works.

Reads changes, revisions and requests of a case. It cannot tell why a change had no effect; the count says that it had
none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from incident.analysis.report_part import Cells, Part, report_part, short_names

if TYPE_CHECKING:
    from incident.analysis.case import Case


def lessons(case: Case) -> Part:
    """What the changes themselves teach: those that had no effect, and a Ready that did not mean working."""
    rows = [*_insufficient(case), *_ready_and_broken(case)]
    source = f"the effects of {len(case.changes)} changes, from {len(case.requests):,} requests"
    return report_part("Lessons", ("lesson", "shown by"), rows, source, "no change shows one by its effect")


def _insufficient(case: Case) -> Iterable[Cells]:
    """Changes of one kind that left a failing kind of request as it was."""
    failing = case.requests.groupby(["revision_name", "request_kind"], observed=True)["failed"].mean()
    broken = {revision for (revision, _), share in failing.items() if share > 0.5}
    none = case.changes[(case.changes["effect"] == "none") & case.changes["revision_name"].isin(broken)]
    kinds = none["kinds"].map(lambda names: " and ".join(KINDS.get(name, name) for name in names))
    for kind, part in none.groupby(kinds, sort=False):
        count = f"{len(part)} change{'' if len(part) == 1 else 's'} of {kind} had no effect"
        lesson = f"{kind} alone {'was' if kind == 'code' else 'were'} insufficient"
        yield lesson, f"{count}: {short_names(part['revision_name'])}"


KINDS = {
    "environment": "environment variables", "secret": "secrets", "settings": "settings", "image": "images",
    "code": "code",
}  # fmt: skip
"""The kinds of change, as a sentence calls them."""


def _ready_and_broken(case: Case) -> Iterable[Cells]:
    ready = set(case.evidence.revisions.loc[case.evidence.revisions["ready"].fillna(False), "revision_name"])
    broke = case.changes[(case.changes["effect"] == "broke") & case.changes["revision_name"].isin(ready)]
    if len(broke):
        shown = f"Ready, and its requests failed: {short_names(broke['revision_name'])}"
        yield "Ready does not show that a revision works", shown
