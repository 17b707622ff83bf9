"""A summary in words, for a terminal and a chat; every number in them was computed elsewhere.

Reads summaries (`summary.json`), which hold plain values, so that no pandas is needed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from incident.sentences.words import Sentence, capitalised, clock, number, safe, window

LABEL = 10


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
    brought = f", introduced by {number(found['introduced_by'])}" if found["introduced_by"] else ""
    mended = f", mended by {number(found['mended_by'])}" if found["mended_by"] else ""
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
    lines += _others(summary["causes"], width)
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


def missing_revision(name: str) -> str:
    """A number that no revision bears.

    >>> missing_revision("chat-backend-00138")
    '00138 does not exist: it never came to be, or it was deleted.'
    """
    return f"{name.rpartition('-')[2]} does not exist: it never came to be, or it was deleted."


def _others(causes: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """The causes that were not found, by name alone: those that could not be decided, then those ruled out."""
    lines = []
    for label, status in (("Undecided", "uncertain"), ("Ruled out", "ok")):
        if names := [found["cause"] for found in causes if found["status"] == status]:
            lines += _labelled(label, ", ".join(names), width)
    return lines


def _sequence_lines(sequence: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    order = {row["group"]: row["order"] for row in sequence}
    lines = []
    for row in sequence:
        numbers = ", ".join(map(number, row["revisions"]))
        follows = f", follows {order[row['follows']]}" if row["follows"] else ""
        words = f"{row['order']}. {clock(row['first_seen_time'])} {row['title']}: {row['count']} on {numbers}{follows}"
        lines += _labelled("Errors" if row["order"] == 1 else "", safe(words), width)
    return lines


def _change_lines(summary: Mapping[str, Any], width: int) -> list[str]:
    words = [*map(change_line, summary["changes"]), *map(missing_revision, summary["missing_revisions"])]
    return [line for at, text in enumerate(words) for line in _labelled("" if at else "Changes", text, width)]


def change_line(change: Mapping[str, Any]) -> str:
    """What one revision, or a call that made none, changed, by whom, and to which effect."""
    fields = ", ".join(change["fields"]) or "nothing"
    by = f" by {change['by']}" if change["by"] else ""
    confounded = " (confounded with the change before it)" if change["confounded"] else ""
    what = number(change["revision"]) if change["revision"] else f"at {clock(change['time'])}, no revision:"
    return safe(f"{what} changed {fields}{by}: effect {change['effect']}{confounded}")


def _mending(summary: Mapping[str, Any], width: int) -> list[str]:
    active = [found for found in summary["causes"] if found["status"] == "failed" and found["active"]]
    lines = _labelled("Mend", safe(active[0]["remedy"]), width) if active else []
    good = summary["last_good"]
    if good and good["remedy"] and summary["status"] != "ok":
        lines += [*_labelled("Go back", safe(good["because"]), width), " " * LABEL + safe(good["remedy"])]
    return lines


def _labelled(label: str, text: str, width: int) -> list[str]:
    """A text under a label, wrapped and indented to one column."""
    wrapped: Iterable[str] = textwrap.wrap(text, width - LABEL, break_on_hyphens=False) or [""]
    return [f"{label if at == 0 else '':<{LABEL}}{line}" for at, line in enumerate(wrapped)]
