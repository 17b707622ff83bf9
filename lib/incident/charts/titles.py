"""Titles and captions of the charts: a title is the computed answer, a caption says what was counted and how to read.

Reads a case. No number is typed: each comes from a frame. A sentence says `cannot be judged` where evidence is
missing, and `unknown` where too few requests came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from incident.analysis import background
from incident.analysis.bars import FOLDS
from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.analysis.nearness import WITHIN
from incident.analysis.rows import missing_number
from incident.analysis.sequence import MOST
from incident.charts.words import (
    NAMED,
    SPACE,
    brief,
    counted,
    lasting,
    listed,
    moment,
    on_revisions,
    window,
)
from incident.findings import Gap

SUBSECONDS = re.compile(r"(?<=\d\d:\d\d:\d\d)\.\d+")


def of_service(case: Case) -> str:
    """Of which service and region."""
    return f"of {case.evidence.scope.service} ({case.evidence.scope.region})"


def gaps(case: Case, frames: Iterable[str]) -> str:
    """The gaps of the frames that a chart is drawn from, or that there are none."""
    wanted = tuple(frames)
    found = [f"Gap in {gap.frame}: {reason(gap)}." for gap in case.evidence.gaps if gap.frame in wanted]
    return " ".join(found) or "No gaps."


def reason(gap: Gap) -> str:
    """Why something is missing, its times cut to seconds: more digits only hide them in a sentence.

    >>> reason(Gap("logs", "it settles at 2026-11-24T18:11:06.025273Z", ""))
    'it settles at 2026-11-24T18:11:06Z'
    """
    return SUBSECONDS.sub("", gap.reason)


def sequence_title(case: Case) -> str:
    """Which errors came first, on which revision, and what a change brought."""
    found = case.sequence
    total = counted(len(case.evidence.service_logs), "entry")
    if found.empty and (gap := case.evidence.gap("logs")):
        return f"Cannot be judged: nothing found in {total}; {reason(gap)}"
    if found.empty:
        return f"No error entries: nothing found in {total}"
    asked = found[~found["background"]]
    if asked.empty:
        counts = f"{counted(len(found), 'group')}, {counted(int(found['count'].sum()), 'entry')}"
        return f"Only background errors: {counts}, each {background.rule(case.incident)}"
    return _sequence_words(asked.to_dict("records"), case) + _how_many(len(found))


def sequence_caption(case: Case, span: tuple[pd.Timestamp, pd.Timestamp], width: pd.Timedelta) -> str:
    """What was counted, how bars and relations are to be read, what was left out, and the gaps."""
    evidence = case.evidence
    scope, ours = evidence.scope, len(evidence.logs) - len(evidence.service_logs)
    looked = f"{counted(len(evidence.service_logs), 'log entry')} {of_service(case)}, {window(scope.start, scope.end)}"
    drawn = "" if span == (scope.start, scope.end) else f", all of them between {moment(span[0])} and {moment(span[1])}"
    if case.sequence.empty:
        sentences = [f"Looked for failed requests, tracebacks, exits and error lines in {looked}{drawn}."]
    else:
        sentences = [
            f"{looked}{drawn}. One bar is at most {lasting(width)} and never spans two revisions; heights compare "
            "across lanes.",
            f"Follows: in {MOST * 100:.0f}{SPACE}% of its entries or more, one of the other came at most "
            f"{WITHIN.total_seconds():.0f}{SPACE}s before on the same instance, or revision where none is named; a "
            "request counts at its end.",
        ]
    left_out = [f"{counted(ours, 'entry')} of our own probes left out."] if ours else []
    return " ".join([*sentences, *left_out, gaps(case, ("logs", "revisions"))])


def timeline_title(case: Case) -> str:
    """Which revision broke or fixed the service, which had no effect, and which number is missing."""
    if case.evidence.revisions.empty:
        gap = case.evidence.gap("revisions")
        return f"Cannot be judged: {reason(gap)}" if gap else "No revision: nothing was deployed"
    changes = case.changes.to_dict("records")
    clauses = [*_broke(changes, case), *_fixed(changes), *_without_effect(changes), *_unknown(changes)]
    if not changes:
        clauses = [f"One revision, {short_name(case.evidence.revisions['revision_name'].iloc[0])}, and no change"]
    text = "; ".join([*clauses, *_no_such(case.missing_revisions)])
    return text[:1].upper() + text[1:]


def timeline_caption(case: Case, span: tuple[pd.Timestamp, pd.Timestamp], width: pd.Timedelta, with_times: bool) -> str:
    """What was counted, what a bar's height, a thin line and, `with_times`, a time are, and the gaps."""
    evidence = case.evidence
    scope, builds = evidence.scope, evidence.builds
    drawn = "" if span == (scope.start, scope.end) else f", drawn from {moment(span[0])} to {moment(span[1])}"
    made = f"{counted(len(case.revisions), 'revision')} and {counted(len(builds), 'build')}{_under_way(builds)}"
    times = "; the time below a number is the revision's creation" if with_times else ""
    return (
        f"{counted(len(case.requests), 'request')} {of_service(case)}, {window(scope.start, scope.end)}{drawn}. Height "
        f"of a bar is the share of requests that the revision served in at most {lasting(width)}; a thin line is its "
        f"build{times}. From {made}. "
        f"{gaps(case, ('logs', 'revisions', 'builds'))}"
    )


def _sequence_words(asked: list[dict[str, Any]], case: Case) -> str:
    origins = [row for row in asked if pd.isna(row["follows"])] or asked
    first, broke = origins[0], _brought(origins, case)
    if len(asked) == 1 and broke is None:
        where = on_revisions(first["revisions"])
        return f"{brief(first['title'])} is the only error: {counted(int(first['count']), 'entry')} {where}"
    start = f"{brief(first['title'])} came first, {on_revisions(first['revisions'])}"
    if broke is not None:
        name, brought = broke
        middle = ", and" if brought is first else f"; then {short_name(name)} {_deed(brought)} and"
        return "; ".join([f"{start}{middle} {_failing(name, case)}", *_fixed(case.changes.to_dict("records"), False)])
    if len(origins) > 1:
        return f"{start}; then {brief(origins[1]['title'])}, {on_revisions(origins[1]['revisions'])}"
    return start


def _brought(origins: list[dict[str, Any]], case: Case) -> tuple[str, dict[str, Any]] | None:
    """The first revision that broke something, with the error that began on it, an exception before others."""
    for name in case.changes.loc[case.changes["effect"] == "broke", "revision_name"]:
        begun = [row for row in origins if row["revisions"][:1] == [name]]
        if begun:
            return name, min(begun, key=lambda row: row["kind"] != "exception")
    return None


def _deed(brought: dict[str, Any]) -> str:
    """What a revision did, in two words: an exception by its type alone, which its lane says in full."""
    if brought["kind"] == "exception":
        return f"raised {brief(brought['title'].partition(':')[0])}"
    return f"brought {brief(brought['title'])}"


def _failing(name: str, case: Case) -> str:
    own = case.requests[case.requests["revision_name"] == name]
    failed = int(own["failed"].sum())
    if failed == len(own):
        return f"all its {counted(len(own), 'request')} failed"
    return f"{failed:,}{SPACE}of its {counted(len(own), 'request')} failed"


def _how_many(groups: int) -> str:
    return f"; {counted(groups, 'error group')} in all" if groups > FOLDS[False].most else ""


def _broke(changes: list[dict[str, Any]], case: Case) -> list[str]:
    broke = [change["revision_name"] for change in changes if change["effect"] == "broke"]
    return [f"{short_name(name)} broke the service: {_failing(name, case)}" for name in broke[:NAMED]]


def _fixed(changes: list[dict[str, Any]], say_when: bool = True) -> list[str]:
    clauses = []
    for position, change in enumerate(changes):
        broke = [before for before in changes[:position] if before["effect"] == "broke"]
        if change["effect"] == "fixed" and (broke or say_when):
            later = f" {lasting(change['time'] - broke[-1]['time'])} later" if broke and say_when else ""
            clauses.append(f"{short_name(change['revision_name'])} fixed it{later}")
    return clauses[-1:]


def _without_effect(changes: list[dict[str, Any]]) -> list[str]:
    names = [short_name(change["revision_name"]) for change in changes if change["effect"] == "none"]
    who = listed(names) if len(names) < NAMED else counted(len(names), "change")
    return [f"{who} had no effect"] if names else []


def _unknown(changes: list[dict[str, Any]]) -> list[str]:
    names = [short_name(change["revision_name"]) for change in changes if change["effect"] == "unknown"]
    who = listed(names, "or") if len(names) < NAMED else counted(len(names), "change")
    return [f"whether {who} had an effect is unknown"] if names else []


def _no_such(missing: Sequence[str]) -> list[str]:
    numbers = [missing_number(name) for name in missing]
    if len(numbers) > NAMED:
        return [f"{len(numbers)} numbers are missing"]
    return [f"there is no {listed(numbers, 'or')}"] if numbers else []


def _under_way(builds: pd.DataFrame) -> str:
    running = builds[builds["finish_time"].isna() & builds["start_time"].notna()]
    since = [f"{time:%H:%M:%S}" for time in running["start_time"]]
    which = "" if len(since) == len(builds) else f"{len(since)} of them "
    return f", {which}under way since {listed(since)}" if since else ""


def background_words(case: Case) -> str:
    """The heading of the background lanes."""
    return f"Background: {background.rule(case.incident)}"
