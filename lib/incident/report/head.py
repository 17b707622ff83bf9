"""The answer of a run, for the first screen of a report: verdict, cause, since when, on which revision, the way back.

Reads a summary only, so that what stands on top is what schedulers and people are told elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from incident.analysis.changes import short_name
from incident.report.blocks import Block, Command, Facts, Paragraph
from incident.sentences import capitalised, checks_passed, clock, window

Summary = Mapping[str, Any]
Pairs = list[tuple[str, str]]

NO_WAY_BACK = "no revision in the window is known to work"


def headline(summary: Summary) -> str:
    """The verdict in a line: status, and what decided it.

    >>> headline({"status": "ok", "causes": [], "checks": [{"kind": "http", "status": "ok"}]})
    'OK: 1 of 1 checks pass'
    """
    return f"{summary['status'].upper()}: {verdict_words(summary)}"


def verdict_words(summary: Summary) -> str:
    """What stands behind the status: the primary cause and its revision, else the checks."""
    if first := primary(summary):
        revision = short_name(first["introduced_by"] or (first["revisions"] or [""])[-1])
        return f"{first['cause']}{f' on {revision}' if revision else ''}"
    return checks_passed(summary["checks"])


def primary(summary: Summary) -> Mapping[str, Any] | None:
    """The primary cause: the first active one."""
    return next((cause for cause in summary["causes"] if cause["active"]), None)


def facts(summary: Summary) -> Facts:
    """Cause, since when, which revision, checks, and the last good revision."""
    first = primary(summary)
    pairs = _cause_facts(first) if first else [("Why", f"{capitalised(summary['because'])}.")]
    pairs += [("Checks", f"{checks_passed(summary['checks'])}.")]
    if others := list(_others(summary, first)):
        pairs.append(("Also", "; ".join(others)))
    good = summary["last_good"]
    return Facts([*pairs, ("Last good", _last_good(good) if good else NO_WAY_BACK)])


def _last_good(good: Mapping[str, str]) -> str:
    return f"{good['because']}; {'to go back to it:' if good['remedy'] else 'it alone serves now.'}"


def way_back(summary: Summary) -> list[Block]:
    """The line that goes back to the last good revision, then what would mend the cause."""
    good, first = summary["last_good"], primary(summary)
    line: list[Block] = [Command(good["remedy"])] if good and good["remedy"] else []
    return [*line, *([Paragraph(f"To mend it: {first['remedy']}.")] if first else [])]


def origin(summary: Summary) -> str:
    """What was looked at, and by which run."""
    run = f" · run {summary['run_id']}" if summary.get("run_id") else ""
    return f"{window(summary['scope'])}{run}"


def since(time: str | None) -> str:
    """A time with its date, to the second, UTC; empty where there is none."""
    return f"{time[:10]} {clock(time)} UTC" if time else ""


def _cause_facts(first: Mapping[str, Any]) -> Pairs:
    brought = first["introduced_by"]
    revisions: Sequence[str] = first["revisions"]
    which = ", ".join(f"{name}, which introduced it" if name == brought else name for name in revisions)
    pairs = [("Cause", f"{capitalised(first['because'])}."), ("Since", since(first["started"])), ("Revision", which)]
    return [(label, text) for label, text in pairs if text]


def _others(summary: Summary, first: Mapping[str, Any] | None) -> Iterable[str]:
    for cause in summary["causes"]:
        if cause["status"] == "failed" and cause is not first:
            mended = f", mended by {short_name(cause['mended_by'])}" if cause["mended_by"] else ""
            state = "active" if cause["active"] else f"ended {clock(cause['ended'] or '')}{mended}"
            yield f"{cause['cause']} ({state})"
