"""Frames of a case in words, for a notebook: what was searched, the errors in order, causes, revisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from incident.sentences.summaries import change_line, gap, missing_revision
from incident.sentences.words import Sentence, clock, counted, number, safe

if TYPE_CHECKING:
    from incident.analysis.case import Case
    from incident.evidence import Evidence
    from incident.findings import Check, Finding


def searched(evidence: Evidence) -> Sentence:
    """What was searched: each query with its window, entries and calls, then the gaps."""
    looked = [
        f"{query.frame}: {query.entries:,} in {counted(query.calls, 'call')}"
        f"{f', {clock(query.start)} to {clock(query.end)} UTC' if query.start else ''}, by {query.filter}"
        for query in evidence.queries
    ] or [f"{len(evidence.logs):,} log entries, read from a record"]
    gaps = [f"Gap in {gap(missing.as_json())}" for missing in evidence.gaps] or ["No gaps."]
    return Sentence("\n".join(map(safe, looked + gaps)))


def error_sequence(case: Case) -> Sentence:
    """Which errors came first, and what follows from what; says so when none was found."""
    entries = len(case.evidence.service_logs)
    if case.sequence.empty:
        return Sentence(f"No error was found in {entries:,} log entries.")
    lines = [f"{len(case.sequence)} groups of errors, {len(case.entries):,} of {entries:,} log entries."]
    titles = dict(zip(case.sequence["group"], case.sequence["title"], strict=True))
    lines += [_group_line(row, titles) for row in case.sequence.to_dict("records")]
    return Sentence("\n".join(lines))


def log_checks(checks: Sequence[Check]) -> Sentence:
    """What the checks that read the logs came to, or why they were not made."""
    apart = [check for check in checks if check.kind == "log" or check.status == "skipped"]
    lines = (f"{check.check}: {check.status}. {check.observed or check.because}." for check in apart)
    return Sentence("\n".join(map(safe, lines)))


def ruled_out(causes: Sequence[Finding]) -> Sentence:
    """The causes that are not there, each with what rules it out."""
    lines = [f"{found.cause}: {found.because}." for found in causes if found.status == "ok"]
    return Sentence("\n".join(map(safe, lines)) or "No known cause is ruled out by this evidence.")


def unchecked(causes: Sequence[Finding], evidence: Evidence) -> Sentence:
    """The causes that could not be decided, then every gap, each with what would settle it."""
    lines = [_undecided(found) for found in causes if found.status == "uncertain"]
    lines += [f"Gap in {gap(missing.as_json())}." for missing in evidence.gaps]
    return Sentence("\n".join(map(safe, lines)) or "Every known cause was decided, and no evidence is missing.")


def _undecided(found: Finding) -> str:
    """Why a cause could not be decided, all that is missing, and what would settle it."""
    more = [missing for missing in found.missing if missing not in (found.because, found.remedy)]
    return f"{'; '.join([f'{found.cause}: {found.because}', *more])}. To settle it: {found.remedy}."


def revisions(case: Case) -> Sentence:
    """Which revisions the window saw, what each changed and did, and which number is missing."""
    lines = [change_line(change) for change in _changes(case)]
    lines += [missing_revision(name) for name in case.missing_revisions]
    return Sentence("\n".join(lines) or "No revision changed anything: the service has one revision or none.")


def _changes(case: Case) -> list[dict[str, Any]]:
    return [_change(row) for row in case.all_changes.to_dict("records")]


def _change(row: dict[str, Any]) -> dict[str, Any]:
    revision = row["revision_name"] if isinstance(row["revision_name"], str) else None
    return row | {"revision": revision, "time": str(row["time"]).replace(" ", "T")}


def _group_line(row: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    numbers = ", ".join(map(number, row["revisions"])) or "no revision"
    times = f"{row['first_seen_time']:%H:%M:%S} to {row['last_seen_time']:%H:%M:%S} UTC"
    follows = f"; {follows_words(row, titles)}" if row["follows_count"] else ""
    return safe(f"{row['order']}. {row['title']}: {row['count']} on {numbers}, {times}{follows}.")


def follows_words(row: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """What a group follows, in how many of its entries, and why that is said."""
    return f"follows {titles[row['follows']]} in {row['follows_count']} of {row['count']} ({row['follows_because']})"
