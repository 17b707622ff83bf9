"""The parts of a report that answer: what failed, what changed, what connects, why, and what is missing.

Reads a summary and the case it was made from. Numbers are those of the frames; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.analysis.effects import ENOUGH
from incident.analysis.holds import holds
from incident.analysis.nearness import WITHIN
from incident.analysis.sequence import MOST
from incident.charts.words import counted
from incident.report.blocks import Block, Excerpt, Facts, Grid, Heading, Items, Paragraph, Picture, Section
from incident.report.computed import computed
from incident.report.head import since
from incident.sentences import capitalised, checks_passed, clock, missing_revision
from incident.sentences import holds as holds_in_words

Summary = Mapping[str, Any]

SHOWN_ENTRIES = 5
SEQUENCE_COLUMNS = ("no.", "first, UTC", "last, UTC", "error", "entries", "revisions", "follows")
CHANGE_COLUMNS = ("revision", "effect", "changed", "on", "by", "created, UTC", "build", "commit")
CHECK_COLUMNS = ("check", "status", "expected", "now", "before", "why")
BEFORE_AFTER_COLUMNS = ("what", "effect", "before", "after", "95 % interval after", "why")
ENTRY_COLUMNS = ("time, UTC", "log", "revision", "entry")


def numbers(revisions: Sequence[str]) -> str:
    """Revisions by the numbers that people call them by."""
    return ", ".join(map(short_name, revisions))


def sequence(case: Case, summary: Summary) -> Section:
    """Which errors came, in which order, and what follows from what."""
    found = summary["error_sequence"]
    order = {row["group"]: row["order"] for row in found}
    rows = [_sequence_row(row, order) for row in found]
    anchors = [f"error-{row['order']}" for row in found]
    entries = counted(len(case.evidence.service_logs), "log entry")
    none: Block = Paragraph(f"No error was found in {entries}.")
    rule = (
        "Entries that are failed requests, tracebacks, exits or error lines, grouped by what they say. One follows "
        f"another where {MOST * 100:.0f} % of its entries or more have one of the other at most "
        f"{WITHIN.total_seconds():.0f} s before them on the same instance: an order, not a cause."
    )
    table: Block = Grid(SEQUENCE_COLUMNS, rows, anchors) if rows else none
    blocks: list[Block] = [Picture("error-sequence"), table, computed(case.evidence, rule, "logs")]
    return Section("Which errors came first?", "errors", blocks)


def changes(case: Case, summary: Summary) -> Section:
    """What each revision changed, and what it did."""
    rows = [_change_row(change) for change in summary["changes"]]
    anchors = [
        f"change-{short_name(change['revision']) if change['revision'] else f'outside-{at}'}"
        for at, change in enumerate(summary["changes"], 1)
    ]
    missing = [missing_revision(name) for name in summary["missing_revisions"]]
    rule = (
        "Each revision against the one created before it, and each call that changed the service without a revision "
        "against the call before it; an effect is the exact 95 % interval of the difference of "
        f"failing shares, for kinds of requests that both served {ENOUGH} times or more."
    )
    none = Paragraph("No revision changed anything: the service has one revision or none.")
    blocks: list[Block] = [
        Picture("revision-timeline"), Grid(CHANGE_COLUMNS, rows, anchors) if rows else none,
        *([Items(missing)] if missing else []),
        computed(case.evidence, rule, "revisions", "audit", "logs"),
    ]  # fmt: skip
    return Section("What changed?", "changes", blocks)


def handshakes(case: Case, summary: Summary) -> Section:
    """Which checks pass now, and which do not."""
    rows = [
        (c["check"], c["status"], c["expected"], c["observed"], c["before"] or "", c["because"])
        for c in summary["checks"]
    ]
    anchors = [f"check-{check['check']}" for check in summary["checks"]]
    rule = "Handshakes as the probe made them, each against its own expectation; clean-startup reads the log."
    blocks: list[Block] = [
        Paragraph(f"{capitalised(checks_passed(summary['checks']))}."), Picture("handshake-matrix"),
        Grid(CHECK_COLUMNS, rows, anchors), Picture("handshake-timing"),
        Heading("How long did connections live?", "durations"), Picture("connection-durations"),
        computed(case.evidence, rule, "handshakes", "logs"),
    ]  # fmt: skip
    return Section("Does it connect?", "handshakes", blocks)


def causes(case: Case, summary: Summary) -> Section:
    """The causes that were found, with the entries that show them; then those ruled out and those not decided."""
    found = [block for cause in summary["causes"] if cause["status"] == "failed" for block in _cause(case, cause)]
    ruled_out = [f"{c['cause']}: {c['because']}." for c in summary["causes"] if c["status"] == "ok"]
    undecided = [c for c in summary["causes"] if c["status"] == "uncertain"]
    unchecked = [f"{c['cause']}: {c['because']}. To settle it: {c['remedy']}." for c in undecided]
    blocks: list[Block] = found or [Paragraph("No known cause was found.")]
    blocks += [Heading("Ruled out", "ruled-out"), *_said(ruled_out, "No known cause is ruled out by this evidence.")]
    blocks += [Heading("Could not be checked", "unchecked"), *_said(unchecked, "Every known cause was decided.")]
    rule = f"Each of the {counted(len(summary['causes']), 'known cause')} was looked for by its own rule."
    blocks.append(computed(case.evidence, rule, "logs", "revisions", "handshakes"))
    return Section("Why?", "causes", blocks)


def before_after(case: Case) -> Section:
    """Each check and each kind of request before the fix against after it, with counts and intervals."""
    table = case.before_after
    earlier = case.evidence.before
    compared = f"Compared with run {earlier['run_id']}." if earlier else "There is no earlier run to compare with."
    rule = (
        "Counts of what went well; the interval is the exact one (Clopper-Pearson). A check is one try; a kind of "
        "request counts on the revisions that the fix replaced against those that serve now."
    )
    rows = [_before_after_row(row) for row in table.to_dict("records")]
    none = Paragraph("Nothing was tried before or after.")
    blocks: list[Block] = [
        Paragraph(compared), Picture("before-after"), Grid(BEFORE_AFTER_COLUMNS, rows) if rows else none,
        *_holding(case),
        computed(case.evidence, rule, "handshakes", "logs", "revisions"),
    ]  # fmt: skip
    return Section("Is it fixed?", "before-after", blocks)


def _holding(case: Case) -> list[Block]:
    """Whether the fix holds, and what each condition of that comes to."""
    said = [Paragraph(line) for line in str(holds_in_words(case)).split("\n")]
    conditions = holds(case).table() if case.fix.replaces else pd.DataFrame()
    rows = [tuple(map(str, row)) for row in conditions.itertuples(index=False)]
    return [Heading("Does it hold?", "holds"), *said, *([Grid(tuple(conditions), rows)] if rows else [])]


def gaps(summary: Summary) -> Section:
    """What is missing, why, and what would mend it."""
    rows = [(gap["frame"], gap["reason"], gap["remedy"]) for gap in summary["gaps"]]
    anchors = [f"gap-{number}" for number in range(1, len(rows) + 1)]
    block: Block = Grid(("evidence", "what is missing", "what would mend it"), rows, anchors)
    return Section("What is missing?", "gaps", [block if rows else Paragraph("No gaps: no evidence is missing.")])


def traceback(case: Case, cause: Mapping[str, Any]) -> str:
    """The first entry of several lines that a cause cites, whole; empty where none has several."""
    texts = _cited(case, cause)["text"].dropna()
    return next((str(text) for text in texts if "\n" in str(text).strip()), "")


def _sequence_row(row: Mapping[str, Any], order: Mapping[str, int]) -> tuple[str, ...]:
    follows = f"{order[row['follows']]} in {row['follows_count']:,} of {row['count']:,}" if row["follows"] else ""
    follows = follows or ("background" if row["background"] else "")
    return (
        str(row["order"]), clock(row["first_seen_time"]), clock(row["last_seen_time"]), row["title"],
        f"{row['count']:,}", numbers(row["revisions"]), follows,
    )  # fmt: skip


def _change_row(change: Mapping[str, Any]) -> tuple[str, ...]:
    effect = f"{change['effect']}{', confounded' if change['confounded'] else ''}"
    revision = short_name(change["revision"]) if change["revision"] else "no revision"
    return (
        revision, effect, ", ".join(change["fields"]) or "nothing", ", ".join(change["on"]),
        change["by"] or "", since(change["time"]).removesuffix(" UTC"), change["build_id"] or "",
        (change["commit"] or "")[:12],
    )  # fmt: skip


def _cause(case: Case, cause: Mapping[str, Any]) -> list[Block]:
    state = "active" if cause["active"] else "ended"
    facts = {
        "Since": since(cause["started"]), "Until": since(cause["ended"]),
        "Introduced by": cause["introduced_by"] or "nothing that was deployed in the window",
        "Mended by": cause["mended_by"] or "", "Revisions": ", ".join(cause["revisions"]),
        "Explains": cause["explains"], "Speaks against it": "; ".join(cause["contradicts"]),
        "Not looked at": "; ".join(cause["missing"]),
        "To mend it": cause["remedy"],
    }  # fmt: skip
    shown = Facts([(label, text) for label, text in facts.items() if text])
    title = Heading(f"{cause['cause']} ({state})", f"cause-{cause['cause']}", "failed" if cause["active"] else "")
    return [title, Paragraph(f"{capitalised(cause['because'])}."), shown, *_entries(case, cause)]


def _entries(case: Case, cause: Mapping[str, Any]) -> list[Block]:
    """The first entries that a cause cites, and the traceback among them."""
    cited = _cited(case, cause)
    rows = [_entry_row(row) for row in cited.head(SHOWN_ENTRIES).to_dict("records")]
    if not rows:
        return []
    words = f"The first {len(rows)} of {counted(len(cited), 'cited entry')}"
    whole = traceback(case, cause)
    return [Paragraph(f"{words}:"), Grid(ENTRY_COLUMNS, rows), *([Excerpt(whole)] if whole else [])]


def _cited(case: Case, cause: Mapping[str, Any]) -> pd.DataFrame:
    return case.evidence.cited((row["frame"], tuple(row["key"])) for row in cause["evidence"])


def _entry_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    revision = "" if pd.isna(row["revision_name"]) else short_name(row["revision_name"])
    log = str(row["log_name"]).rpartition("%2F")[2]
    return f"{row['timestamp']:%H:%M:%S.%f}"[:-3], log, revision, entry_text(row)


def entry_text(row: Mapping[str, Any]) -> str:
    """A log entry in a line: what a request came to, or the text's last line, which names a traceback's exception."""
    if not pd.isna(row["http_request_status"]):
        words = (row["http_request_status"], row["http_request_method"], row["http_request_url"])
        return " ".join(str(word) for word in words if not pd.isna(word))
    text = row["text"] if isinstance(row["text"], str) else row["json_payload"]
    return ([line for line in str(text).splitlines() if line.strip()] or [""])[-1]


def _before_after_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    after = (row["after_count"], row["after_tries"])
    interval = f"{row['after_low'] * 100:.0f} to {row['after_high'] * 100:.0f} %" if after[1] else ""
    counts = [f"{count:,} of {tries:,}" if tries else "not tried" for count, tries in (
        (row["before_count"], row["before_tries"]), after)]  # fmt: skip
    return row["subject"], row["effect"], *counts, interval, row["because"]


def _said(texts: Sequence[str], none: str) -> list[Block]:
    return [Items(texts)] if texts else [Paragraph(none)]
