"""Findings and frames in words, for a notebook, a terminal and a chat; every number in them was computed elsewhere.

Reads summaries (`summary.json`) and frames. Whatever came from the other side is made safe for where it is shown:
HTML is escaped in a notebook, control characters are replaced everywhere.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from incident.http1 import printable

if TYPE_CHECKING:
    import pandas as pd

    from incident.analysis.case import Case
    from incident.evidence import Evidence
    from incident.findings import Check, Finding

LONGEST = 2000
LABEL = 10


class Sentence(str):
    """Text that a notebook shows as paragraphs of prose, and everything else as the plain text it is."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """The text as HTML, escaped; a line is a paragraph."""
        return "".join(f"<p>{html.escape(line)}</p>" for line in self.splitlines() if line)

    def __repr__(self) -> str:
        """The text itself: a notebook's plain output is read by people."""
        return str(self)


def safe(text: object) -> str:
    """A text of the other side's on one line, without anything that a terminal would obey."""
    return printable(" ".join(str(text).split()), LONGEST)


def capitalised(text: str) -> str:
    """A text that begins a sentence; names within it keep their letters."""
    return text[:1].upper() + text[1:]


def counted(number: int, noun: str) -> str:
    """A number and its noun: `1 call`, `1,200 calls`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def clock(time: str) -> str:
    """The time of day of an RFC 3339 time, to the second.

    >>> clock("2025-09-07T10:03:16.21Z")
    '10:03:16'
    """
    return time[11:19]


def window(scope: Mapping[str, str]) -> str:
    """What was looked at: service, region, and the window in UTC with its date.

    >>> window({"service": "chat", "region": "r", "start": "2025-09-07T10:00:00Z", "end": "2025-09-07T11:00:00Z"})
    'chat (r), 2025-09-07 10:00:00 to 11:00:00 UTC'
    """
    start, end = scope["start"], scope["end"]
    until = clock(end) if start[:10] == end[:10] else f"{end[:10]} {clock(end)}"
    return f"{scope['service']} ({scope['region']}), {start[:10]} {clock(start)} to {until} UTC"


def checks_passed(checks: Sequence[Mapping[str, Any]]) -> str:
    """How many of the live checks pass, those that read the logs apart.

    >>> checks_passed([{"kind": "http", "status": "ok"}, {"kind": "websocket", "status": "failed"}])
    '1 of 2 checks pass'
    """
    live = [check for check in checks if check["kind"] != "log" and check["status"] != "skipped"]
    if not live:
        return "no handshake was tried"
    return f"{sum(check['status'] == 'ok' for check in live)} of {len(live)} checks pass"


def cause(found: Mapping[str, Any]) -> str:
    """One cause in a sentence: its name, whether it is active, who brought it and who mended it, and why."""
    if found["status"] != "failed":
        return safe(f"{found['cause']}: {found['status']}; {found['because']}")
    state = "active" if found["active"] else f"ended {clock(found['ended'] or '')}"
    brought = f", introduced by {_number(found['introduced_by'])}" if found["introduced_by"] else ""
    mended = f", mended by {_number(found['mended_by'])}" if found["mended_by"] else ""
    return safe(f"{found['cause']} ({state}{brought}{mended}): {found['because']}")


def answer(summary: Mapping[str, Any]) -> Sentence:
    """The run's answer in a few sentences: status, checks, primary cause, and the way back."""
    lines = [f"{summary['status'].upper()}: {safe(summary['because'])}."]
    lines.append(f"{capitalised(checks_passed(summary['checks']))}.")
    lines += [f"{cause(found)}." for found in summary["causes"] if found["status"] == "failed"]
    if good := summary["last_good"]:
        lines.append(f"Last good revision, {safe(good['because'])}.")
    return Sentence("\n".join(lines))


def paragraph(summary: Mapping[str, Any]) -> str:
    """The answer as one paragraph, to paste in a chat."""
    return f"{window(summary['scope'])}. {' '.join(answer(summary).splitlines())}"


def verdict(summary: Mapping[str, Any], width: int = 80) -> str:
    """The answer for a terminal: the verdict, each cause, the way back, the sequence, the changes, the gaps.

    A command stays on a line of its own, however long, so that it can be copied.
    """
    lines = [f"{summary['status'].upper()}  {window(summary['scope'])}", ""]
    lines += _labelled("Checks", checks_passed(summary["checks"]), width)
    for found in summary["causes"]:
        if found["status"] == "failed":
            lines += _labelled("Cause" if found["active"] else "Ended", cause(found), width)
    lines += _mending(summary, width)
    lines += _sequence_lines(summary["error_sequence"], width)
    lines += _change_lines(summary, width)
    for missing in summary["gaps"]:
        lines += _labelled("Gap", safe(gap(missing)), width)
    for note in summary["notes"]:
        lines += _labelled("Note", safe(note), width)
    return "\n".join(lines)


def gap(missing: Mapping[str, str]) -> str:
    """One gap: what is missing, why, and what would mend it."""
    return f"{missing['frame']}: {missing['reason']}. Remedy: {missing['remedy']}"


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


def handshakes(handshakes: pd.DataFrame) -> Sentence:
    """How many handshakes came out as expected, and each that did not, with what was seen."""
    if handshakes.empty:
        return Sentence("No handshake was tried, so nothing here shows what the endpoint does now.")
    failing = handshakes[handshakes["status"] != "ok"]
    lines = [f"{len(handshakes) - len(failing)} of {len(handshakes)} handshakes came out as expected."]
    lines += [f"{row.name}: expected {row.expected}, {row.because}." for row in failing.itertuples(index=False)]
    return Sentence("\n".join(map(safe, lines)))


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
    undecided = (found for found in causes if found.status == "uncertain")
    lines = [f"{found.cause}: {found.because}. Remedy: {found.remedy}." for found in undecided]
    lines += [f"Gap in {gap(missing.as_json())}." for missing in evidence.gaps]
    return Sentence("\n".join(map(safe, lines)) or "Every known cause was decided, and no evidence is missing.")


def revisions(case: Case) -> Sentence:
    """Which revisions the window saw, what each changed and did, and which number is missing."""
    lines = [_change_line(change) for change in _changes(case)]
    lines += [missing_revision(name) for name in case.missing_revisions]
    return Sentence("\n".join(lines) or "No revision changed anything: the service has one revision or none.")


def missing_revision(name: str) -> str:
    """A number that no revision bears."""
    return f"{_number(name)} does not exist: it never came to be, or it was deleted."


def _changes(case: Case) -> list[dict[str, Any]]:
    return [row | {"revision": row["revision_name"]} for row in case.changes.to_dict("records")]


def _group_line(row: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    numbers = ", ".join(map(_number, row["revisions"])) or "no revision"
    times = f"{row['first_seen_time']:%H:%M:%S} to {row['last_seen_time']:%H:%M:%S} UTC"
    follows = f"; {follows_words(row, titles)}" if row["follows_count"] else ""
    return safe(f"{row['order']}. {row['title']}: {row['count']} on {numbers}, {times}{follows}.")


def follows_words(row: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """What a group follows, and in how many of its entries."""
    return f"follows {titles[row['follows']]} in {row['follows_count']} of {row['count']}"


def _sequence_lines(sequence: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    order = {row["group"]: row["order"] for row in sequence}
    lines = []
    for row in sequence:
        numbers = ", ".join(map(_number, row["revisions"]))
        follows = f", follows {order[row['follows']]}" if row["follows"] else ""
        words = f"{row['order']}. {clock(row['first_seen_time'])} {row['title']}: {row['count']} on {numbers}{follows}"
        lines += _labelled("Errors" if row["order"] == 1 else "", safe(words), width)
    return lines


def _change_lines(summary: Mapping[str, Any], width: int) -> list[str]:
    words = [*map(_change_line, summary["changes"]), *map(missing_revision, summary["missing_revisions"])]
    return [line for at, text in enumerate(words) for line in _labelled("" if at else "Changes", text, width)]


def _change_line(change: Mapping[str, Any]) -> str:
    fields = ", ".join(change["fields"]) or "nothing"
    by = f" by {change['by']}" if change["by"] else ""
    confounded = " (confounded with the change before it)" if change["confounded"] else ""
    return safe(f"{_number(change['revision'])} changed {fields}{by}: effect {change['effect']}{confounded}")


def _mending(summary: Mapping[str, Any], width: int) -> list[str]:
    active = [found for found in summary["causes"] if found["status"] == "failed" and found["active"]]
    lines = _labelled("Mend", safe(active[0]["remedy"]), width) if active else []
    good = summary["last_good"]
    if good and summary["status"] != "ok":
        lines += [*_labelled("Go back", safe(good["because"]), width), " " * LABEL + safe(good["remedy"])]
    return lines


def _labelled(label: str, text: str, width: int) -> list[str]:
    """A text under a label, wrapped and indented to one column."""
    wrapped: Iterable[str] = textwrap.wrap(text, width - LABEL, break_on_hyphens=False) or [""]
    return [f"{label if at == 0 else '':<{LABEL}}{line}" for at, line in enumerate(wrapped)]


def _number(revision: str | None) -> str:
    """A revision's number, by which people call it: see `analysis.changes.short_name`."""
    from incident.analysis.changes import short_name  # pandas, which a probe must not wait for

    return short_name(revision or "")
