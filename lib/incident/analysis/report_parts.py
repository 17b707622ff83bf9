"""The parts of the report that a team files: rows of text under columns, what they were computed from.

Reads a case and its causes. A part without a row says why. Nothing is guessed: what a frame does not say is said to
be unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from incident.analysis.changes import field_value
from incident.analysis.code import changed_files
from incident.analysis.fix import is_live
from incident.analysis.report_part import UNKNOWN, Part, frame_counts, report_part, short, short_names
from incident.analysis.rows import missing_number, revision_rows
from incident.findings import Finding

if TYPE_CHECKING:
    from incident.analysis.case import Case


FILE_CHANGES = {"A": "added", "M": "modified", "D": "deleted", "R": "moved", "C": "copied", "T": "type changed"}
"""Git's own letters in words."""


def root_cause(case: Case, causes: Sequence[Finding]) -> Part:
    """The causes that were found, the primary one first; those that have ended too, with what mended them."""
    found = [cause for cause in causes if cause.status == "failed"]
    rows = [
        (rank, cause.cause, _cause_state(cause), short(cause.introduced_by), cause.because)
        for rank, cause in zip(["primary", *["secondary"] * len(found)], found, strict=False)
    ]
    columns = ("rank", "cause", "state", "introduced by", "because")
    source = f"{len(causes)} known causes, judged on {frame_counts(case, 'logs', 'revisions')}"
    undecided = sum(cause.status == "uncertain" for cause in causes)
    return report_part(
        "Root cause", columns, rows, source, f"no known cause was found; {undecided} could not be decided"
    )


def error_sequence(case: Case) -> Part:
    """The groups of errors in the order they first appeared."""
    orders = dict(zip(case.sequence["group"], case.sequence["order"], strict=True))
    rows = [
        (
            str(row["order"]), f"{row['first_seen_time']:%Y-%m-%d %H:%M:%S.%f}"[:-3], row["title"], str(row["count"]),
            short_names(row["revisions"]),
            f"{orders[row['follows']]}, in {row['follows_count']} of {row['count']}" if row["follows_count"] else "",
        )
        for row in case.sequence.to_dict("records")
    ]  # fmt: skip
    columns = ("order", "first seen, UTC", "error", "count", "revisions", "follows")
    source = f"{len(case.entries):,} error entries of {len(case.evidence.service_logs):,} log entries of the service"
    return report_part("Error sequence", columns, rows, source, "no error was found")


def solutions(case: Case) -> Part:
    """What was done about it, and whether each is live: every change that did not break anything, and the fix."""
    tried = case.changes[case.changes["effect"] != "broke"].to_dict("records")
    rows = [
        (
            short(change["revision_name"]), ", ".join(change["fields"]) or "nothing that is recorded",
            change["by"] or UNKNOWN, _live(case, change), _effect(change),
        )
        for change in tried
    ]  # fmt: skip
    fix = case.fix
    if fix.went_back:
        live = "yes" if fix.revision in case.serving else "no"
        rows.append((short(fix.revision), "traffic went back to it", UNKNOWN, live, "see the tests"))
    elif fix.build_id and not fix.revision:
        status = case.evidence.builds.set_index("build_id")["status"].astype("str").get(fix.build_id, UNKNOWN)
        rows.append((f"build {fix.build_id}", f"{status}, in no revision yet", UNKNOWN, "no", "none yet"))
    source = f"{frame_counts(case, 'revisions', 'traffic', 'builds')}; effects from {len(case.requests):,} requests"
    return report_part(
        "Solutions", ("solution", "changed", "by", "live", "effect"), rows, source, "nothing was changed"
    )


def tests(case: Case) -> Part:
    """What was tried before and after: health, all checks together, the start-up, then each kind of request.

    Where there is no earlier run and the fix is not live, this run's checks are the ones before.
    """
    before = {check["check"]: check for check in (case.evidence.before or {}).get("checks", [])}
    after = {check.check: check.as_json() for check in case.checks}
    if not before and case.fix.replaces and not is_live(case):
        before, after = after, {}
    health, startup = ((name, _test(before.get(name)), _test(after.get(name))) for name in ("health", "clean-startup"))
    together = ("health and handshakes together", _passed(before.values()), _passed(after.values()))
    rates = case.before_after[case.before_after["source"] == "requests"].itertuples()
    kinds = [
        (row.subject, _of(row.before_count, row.before_tries), _of(row.after_count, row.after_tries)) for row in rates
    ]
    run = (case.evidence.before or {}).get("run_id")
    source = (
        f"the checks of this run and of {f'run {run}' if run else 'no earlier run'}, {len(case.requests):,} requests"
    )
    rows = [health, together, startup, *kinds]
    return report_part("Tests before and after", ("test", "before", "after"), rows, source, "nothing was tried")


def files_changed(case: Case) -> Part:
    """The files that each revision changed, those of a traceback first; the commits, where no repository was read."""
    commits = [commit[:7] for commit in case.evidence.revisions["commit"].dropna()]
    building = case.evidence.builds.loc[case.evidence.builds["build_id"] == case.fix.build_id, "commit"].dropna()
    known = list(dict.fromkeys([*commits, *(commit[:7] for commit in building)]))
    named = f"the commits are {' → '.join(known)}" if known else "no revision names its commit"
    rows = [
        (short(row["revision_name"]), row["path"], FILE_CHANGES.get(row["change"], row["change"]),
         "yes" if row["in_traceback"] else "")
        for row in changed_files(case).to_dict("records")
    ]  # fmt: skip
    columns = ("revision", "file", "change", "in a traceback")
    empty = f"no repository was given, so files cannot be listed; {named}"
    if any(query.frame == "files" for query in case.evidence.queries):
        empty = f"the repository names no changed file; {named}"
    return report_part("Files changed", columns, rows, frame_counts(case, "files", "revisions", "builds"), empty)


def revision_history(case: Case) -> Part:
    """Each revision with what became of it, oldest first; a number that no revision bears has a row too."""
    evidence = case.evidence
    by = dict(zip(case.changes["revision_name"], case.changes["by"], strict=True))
    found = revision_rows(case.revisions, case.changes, case.requests, case.missing_revisions, evidence.builds)
    rows = [
        (
            row["number"], "" if pd.isna(row["time"]) else f"{row['time']:%Y-%m-%d %H:%M:%S}",
            ", ".join(row["fields"]) if isinstance(row["fields"], list) else "", by.get(row["revision_name"]) or "",
            _outcome(case, row),
        )
        for row in found.to_dict("records")
    ]  # fmt: skip
    columns = ("revision", "created, UTC", "changed", "by", "outcome")
    source = f"{frame_counts(case, 'revisions', 'audit')}; {len(case.requests):,} requests"
    return report_part("Revision history", columns, rows, source, "no revision is known")


def next_steps(case: Case, causes: Sequence[Finding], steps: pd.DataFrame) -> Part:
    """What is still open, in the order it has to be done."""
    state = {row.step: row for row in steps.itertuples()}
    rows = [("mend the cause", "open", cause.remedy) for cause in causes[:1] if cause.active and not _under_way(case)]
    for names, words in OPEN_STEPS.items():
        rows += [(words, state[name].state, state[name].detail) for name in names if _is_open(state, name)][:1]
    if rows or any(cause.status == "failed" for cause in causes):
        rows.append(("document", "open", "fill the blanks of postmortem.md, which no evidence can fill"))
    source = f"the steps of the fix; {frame_counts(case, 'builds', 'revisions', 'traffic')}"
    return report_part("Next steps", ("step", "state", "detail"), rows, source, "nothing is known to be broken")


OPEN_STEPS = {
    ("built", "image"): "wait for the build",
    ("revision", "traffic"): "deploy",
    ("start-up",): "validate the start-up",
    ("effective",): "run the tests: incident run again",
    ("holds",): "see that it holds",
}
"""What there is to do while a step of the fix is not done."""


def _test(check: Mapping[str, Any] | None) -> str:
    if check is None:
        return "not tried"
    told = check["because"] if check["kind"] == "log" and check["status"] == "ok" else check["observed"]
    return f"{check['status']}: {told or check['because']}"


def _passed(checks: Iterable[Mapping[str, Any]]) -> str:
    tried = [check for check in checks if check["kind"] != "log" and check["status"] in ("ok", "failed")]
    return _of(sum(check["status"] == "ok" for check in tried), len(tried))


def _of(count: int, tries: int) -> str:
    return f"{count:,} of {tries:,}" if tries else "not tried"


def _live(case: Case, change: Mapping[str, Any]) -> str:
    """Whether what a change set is in every revision that serves now."""
    rows = {row["revision_name"]: row for row in case.evidence.revisions.to_dict("records")}
    own, serving = rows[change["revision_name"]], [rows[name] for name in case.serving if name in rows]
    if not serving:
        return UNKNOWN
    fields = [field.rpartition(" ")[0] or field for field in change["fields"]]
    kept = [name for name in fields if all(field_value(row, name) == field_value(own, name) for row in serving)]
    return "yes" if len(kept) == len(fields) else "no" if not kept else f"partly: {', '.join(kept)}"


def _effect(change: Mapping[str, Any]) -> str:
    return f"{change['effect']}{', confounded' if change['confounded'] else ''}"


def _outcome(case: Case, row: Mapping[str, Any]) -> str:
    if row["state"] == "missing":
        return f"{missing_number(row['revision_name'])} does not exist: it never came to be, or it was deleted"
    serves = ", serves now" if row["revision_name"] in case.serving else ""
    state = "before any change that was read" if row["state"] == "before" else f"effect {row['state']}"
    return f"{state}, {row['count']:,.0f} requests{serves}"


def _cause_state(cause: Finding) -> str:
    if cause.active:
        return "active"
    mended = f", mended by {short(cause.mended_by)}" if cause.mended_by else ""
    return f"ended {(cause.ended or '')[:19].replace('T', ' ')} UTC{mended}"


def _under_way(case: Case) -> bool:
    return bool(case.fix.revision or case.fix.build_id)


def _is_open(state: Mapping[str, Any], name: str) -> bool:
    return name in state and state[name].state != "done"
