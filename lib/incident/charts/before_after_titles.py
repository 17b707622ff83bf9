"""Title and caption of the chart of before and after: what the fix did, and what so few tries still allow.

Reads the rows of `analysis.before_after.before_after`. `n of n` is said as what it still allows, never as 100 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor
from typing import Any

import pandas as pd

from incident.analysis.before_after import FAILING
from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.charts.titles import gaps, of_service, reason
from incident.charts.words import NAMED, SPACE, brief, counted, listed, moment, of, window

NOUNS = {"checks": ("check", "checks"), "requests": ("kind of request", "kinds of request")}
VERBS = {
    "fails": ("fails", "fail"), "fixed": ("is fixed", "are fixed"), "none": ("is as before", "are as before"),
    "unknown": ("cannot be judged yet", "cannot be judged yet"), "not tried": ("was not tried", "were not tried"),
}  # fmt: skip
"""What is said of one row and of several, by what became of them, in the order of urgency."""

MOST_CLAUSES = 3
GIVES_WAY = ("none", "not tried", "allowed", "unknown")
"""What a title leaves to the rows, the first first, where it has more clauses than two lines hold."""


def before_after_title(case: Case, rows: pd.DataFrame) -> str:
    """What the fix did, what cannot be told yet, and what the least sure of its successes still allows."""
    if not rows[["before_tries", "after_tries"]].to_numpy().any():
        gap = case.evidence.gap("handshakes") or case.evidence.gap("logs")
        return (
            f"Cannot be judged: {reason(gap)}" if gap else "Nothing to compare: no check was tried, and no request came"
        )
    if not rows["before_tries"].any():
        return f"Cannot be judged: nothing from before to compare with{_now(rows)}"
    said = {"broke": _broke(rows), **_others(rows), "allowed": _allowed(rows)}
    clauses = {state: words for state, words in said.items() if words}
    for state in GIVES_WAY:
        if len(clauses) > MOST_CLAUSES:
            clauses.pop(state, None)
    text = "; ".join(clauses.values())
    return text[:1].upper() + text[1:]


def before_after_caption(case: Case, rows: pd.DataFrame) -> str:
    """Which runs and revisions are compared, how marks are to be read, and the gaps."""
    evidence = case.evidence
    scope = evidence.scope
    checks = int((_named(rows)["source"] == "checks").sum())
    kinds = counted(int((rows["source"] == "requests").sum()), "kind") + " of request"
    replaced = case.fix.replaces
    serving = tuple(name for name in case.serving if name not in replaced)
    return (
        f"{counted(checks, 'check')} and {kinds} {of_service(case)}, {window(scope.start, scope.end)}. "
        f"Before: {_earlier(case)}, and {_requests_to(replaced)}. After: this run, and {_requests_to(serving)}. A "
        f"hollow point is the share before, a filled one after; a line is its exact 95{SPACE}% interval "
        "(Clopper-Pearson). Tries of one run are not independent, so the true interval is wider. "
        f"{gaps(case, ('handshakes', 'logs', 'revisions'))}"
    )


def share_words(row: dict[str, Any]) -> str:
    """The interval of the share after, in words, rounded outwards.

    >>> share_words({"after_count": 7, "after_tries": 7, "after_low": 0.5904, "after_high": 1.0})
    '59\\xa0% or more'
    """
    tries = row["after_tries"]
    if pd.isna(tries) or tries == 0:
        return "unknown"
    low, high = floor(row["after_low"] * 100), ceil(row["after_high"] * 100)
    if row["after_count"] == tries:
        return f"{low}{SPACE}% or more"
    return f"{high}{SPACE}% or less" if row["after_count"] == 0 else f"{low} to {high}{SPACE}%"


def further(row: dict[str, Any]) -> str:
    """What is still needed for a conclusion, or why there is none; nothing where the row tells it all.

    >>> further({"missing": 3, "source": "requests", "effect": "unknown", "because": ""})
    '3\\xa0more requests would tell'
    """
    if not pd.isna(row["missing"]):
        noun = "request" if row["source"] == "requests" else "try"
        return f"{counted(int(row['missing']), noun).replace(SPACE, SPACE + 'more ')} would tell"
    told = fails(row) or row["effect"] not in ("unknown", "not tried")
    return "" if told else str(row["because"])


def fails(row: Mapping[str, Any]) -> bool:
    """Whether it fails after: broken by the fix, a check that failed, or a rate that is surely below FAILING.

    >>> fails({"effect": "none", "source": "requests", "after_count": 0, "after_tries": 12, "after_high": 0.26})
    True
    """
    if row["effect"] == "broke" or row["after_high"] < FAILING:
        return True
    return bool(row["source"] == "checks" and row["after_tries"] > 0 and row["after_count"] == 0)


def _broke(rows: pd.DataFrame) -> str:
    broke = [brief(subject) for subject in _named(rows[rows["effect"] == "broke"])["subject"]]
    if len(broke) >= NAMED:
        return f"{_kinds(rows[rows['effect'] == 'broke'], rows)} broke"
    return f"{listed(broke)} broke" if broke else ""


def _others(rows: pd.DataFrame) -> dict[str, str]:
    """How many checks and kinds of request came to what, but those that the fix broke, which are named."""
    failing = [fails(row) for row in rows.to_dict("records")]
    states = rows["effect"].mask(pd.Series(failing, index=rows.index) & (rows["effect"] != "broke"), "fails")
    chosen = {state: _named(rows[states == state]) for state in VERBS}
    return {state: f"{_kinds(part, rows)} {VERBS[state][len(part) > 1]}" for state, part in chosen.items() if len(part)}


def _kinds(chosen: pd.DataFrame, rows: pd.DataFrame) -> str:
    """How many checks and kinds of request some rows are, of all."""
    found = []
    for source, nouns in NOUNS.items():
        part, total = (int((_named(frame)["source"] == source).sum()) for frame in (chosen, rows))
        found += [f"{of(part, total)} {nouns[total > 1]}"] if part else []
    return listed(found)


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows but the one of several checks together, which are rows of their own."""
    together = (rows["source"] == "checks") & (rows[["before_tries", "after_tries"]].max(axis=1) > 1)
    return rows[~together]


def _allowed(rows: pd.DataFrame) -> str:
    """What the least sure rate after still allows, of those without a failure; a single try is no rate."""
    sure = rows[(rows["effect"] == "fixed") & (rows["after_count"] == rows["after_tries"]) & (rows["after_tries"] > 1)]
    if sure.empty:
        return ""
    least = sure.loc[sure["after_low"].idxmin()]
    tries = int(least["after_tries"])
    whose = "together" if least["source"] == "checks" else brief(least["subject"])
    return f"{of(tries, tries)} {whose} still allow up to {ceil((1 - least['after_low']) * 100)}{SPACE}% failures"


def _now(rows: pd.DataFrame) -> str:
    tried = _named(rows[rows["after_tries"] > 0])
    well = tried[tried["after_count"] == tried["after_tries"]]
    return f"; {_kinds(well, tried) or 'none'} went well now"


def _earlier(case: Case) -> str:
    run = case.evidence.before
    if not run:
        return "no earlier run"
    finished = pd.Timestamp(run["finished"]).floor("s")
    return f"run {run['run_id']}, finished {finished:%Y-%m-%d} {moment(finished)}"


def _requests_to(names: tuple[str, ...]) -> str:
    return f"requests to {listed([short_name(name) for name in names])}" if names else "no requests"
