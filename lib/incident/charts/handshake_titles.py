"""Titles and captions of the two charts of handshakes: which are not as expected, and where their time goes.

Reads rows of `analysis.both_sides` and `analysis.timings`; every number comes from them. Who refused is named only
where the service's log says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from incident.analysis.both_sides import APPLICATION, BEFORE, BETWEEN, LAYER_WORDS, PLATFORM
from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.analysis.timings import STAGES
from incident.charts.titles import gaps, of_service, reason
from incident.charts.words import NAMED, SPACE, brief, came_to, counted, listed, of, short_time, window

OUTLIER = 4
"""A check that took so many times as long as any other is told apart from them."""

MOST = 0.5
"""The share of the time from which on a stage is where most of it goes."""

DOING = {
    "resolve": "resolving the name", "connect": "connecting", "tls": "TLS", "status": "waiting for the status",
    "headers": "reading the headers", "open": "opening the socket",
}  # fmt: skip


def matrix_title(case: Case, rows: pd.DataFrame) -> str:
    """How many handshakes are not as expected, what came instead, and from which layer where the log says."""
    if rows.empty:
        return _none(case)
    failed = rows[rows["rank"] == 0].to_dict("records")
    undecided = int((rows["rank"] == 1).sum())
    doubt = f"; {undecided} could not be decided" if undecided else ""
    if not failed:
        return _as_expected(len(rows), undecided) + doubt
    verb = "is" if len(failed) == 1 else "are"
    return f"{of(len(failed), len(rows))} checks {verb} not as expected: {_came(failed)}{doubt}"


def matrix_caption(case: Case, rows: pd.DataFrame) -> str:
    """When and how often the endpoint was tried, how the stages are to be read, and the gaps."""
    if rows.empty:
        return f"No handshakes {of_service(case)} in this run. {gaps(case, ('handshakes',))}"
    return (
        f"{_tried(case, rows)}. Stages: resolve, connect, TLS, request, status, headers, open; an upright bar is where "
        "it stopped, a gap in the line a stage that the address does not have. "
        f"{_answered_by(rows)}{gaps(case, ('handshakes',))}"
    )


def timing_title(case: Case, times: pd.DataFrame) -> str:
    """Where the time goes: the stage with most of it, and the slowest check."""
    if times.empty:
        return _none(case) if case.evidence.endpoint_handshakes.empty else "No handshake was timed"
    slowest = times.loc[times["total_s"].idxmax()]
    others = times.drop(index=slowest.name)["total_s"]
    if len(others) and slowest["total_s"] > OUTLIER * others.max():
        return f"{_one(slowest)}; {_range(others)}"
    if len(times) == 1:
        return _one(slowest)
    stopped = int((times["stopped"] != "").sum())
    none = f"{of(stopped, len(times))} checks got no answer; " if stopped else ""
    where = _where_it_goes(times)
    where = where[:1].lower() + where[1:] if stopped and not where.startswith("TLS") else where
    return f"{none}{where}; the slowest check, {brief(str(slowest['name']))}, took {_total(slowest)}"


def timing_caption(case: Case, times: pd.DataFrame, cut: bool, layout: str) -> str:
    """What was timed, how the marks are to be read, what is not in them, and the gaps."""
    if times.empty:
        return f"No timings {of_service(case)} in this run. {gaps(case, ('handshakes',))}"
    panel = " A ▸ goes on beyond the scale." if cut else ""
    whole = " The left panel has each try whole." if cut and layout == "wide" else ""
    retried = int((times["attempts"].fillna(1) > 1).sum())
    last = f" Of {counted(retried, 'check')} with retries, the last try is drawn." if retried else ""
    return (
        f"{_tried(case, times)}. From left to right: resolve, connect, TLS, status, headers, open; the hold "
        f"after them is not counted.{panel}{whole}{last} {_by_the_log(times)}"
        f"{gaps(case, ('handshakes',))}"
    )


def _none(case: Case) -> str:
    gap = case.evidence.gap("handshakes")
    return f"Cannot be judged: {reason(gap)}" if gap else "No handshake was tried"


def _tried(case: Case, rows: pd.DataFrame) -> str:
    times, most = rows["time"].dropna(), rows["attempts"].fillna(1).max()
    when = "tried at a time that was not kept"
    if len(times):
        when = f"tried {window(times.min().floor('s'), times.max().floor('s'))}"
    tries = "1 try each" if most == 1 else f"up to {most} tries each"
    return f"{counted(len(rows), 'check')} {of_service(case)}, {when}, {tries}"


def _as_expected(tried: int, undecided: int) -> str:
    if tried == 1 and not undecided:
        return "The one check is as expected"
    return f"{of(tried - undecided, tried) if undecided else f'All {tried}'} checks are as expected"


def _came(failed: Sequence[dict[str, Any]]) -> str:
    """What came instead, the commonest first; a layer that all share is named once."""
    layers = {row["refused_by"] for row in failed}
    shared = next(iter(layers)) if len(layers) == 1 else ""
    kinds = Counter(came_to(row) if shared else _came_from(row) for row in failed)
    named = kinds.most_common(NAMED if len(kinds) <= NAMED else NAMED - 1)
    others = len(failed) - sum(count for _, count in named)
    parts = [f"{count}{SPACE}×{SPACE}{words}" for words, count in named]
    came = listed(parts + [f"{others}{SPACE}others"] * (others > 0))
    return f"{came}, from {LAYER_WORDS[shared]}" if shared else came


def _came_from(row: dict[str, Any]) -> str:
    return f"{came_to(row)} from {LAYER_WORDS[row['refused_by']]}" if row["refused_by"] else came_to(row)


def _answered_by(rows: pd.DataFrame) -> str:
    known = rows["revision_name"].dropna()
    layers = (rows["refused_by"] != "").any()
    if known.empty and not layers:
        return "Who refused is not known from here. "
    numbers = listed([short_name(name) for name in known.unique()])
    on = f", on {numbers}" if numbers else ""
    return f"The log has {of(len(known), len(rows))} of them{on}. {_layer_rules(set(rows['refused_by']))}"


def _layer_rules(layers: set[str]) -> str:
    """How each layer that is named was told from the others."""
    rules = {
        PLATFORM: "A refusal is the platform’s where its entry bears a sentence of the platform’s. ",
        APPLICATION: "A refusal is the application’s where its entry names an instance and bears no sentence of the "
        "platform’s. ",
        BETWEEN: "A proxy in between changed the status that the entry has. ",
        BEFORE: "Before the service: answered, and not in the log, which had settled. ",
    }
    return "".join(words for layer, words in rules.items() if layer in layers)


def _one(row: pd.Series) -> str:
    """One check: how long it took, and the stage that took most of it, or in which it stopped."""
    start = f"{brief(str(row['name']))} took {short_time(row['total_s'])}"
    if row["stopped"]:
        return f"{start} and stopped {_stopped_words(row['stopped'])}"
    service = _of_the_service([row]) if row["longest"] == "status" else ""
    return f"{start}, {short_time(row[row['longest'] + '_s'])} of it {DOING[row['longest']]}{service}"


def _stopped_words(stage: str) -> str:
    return f"while {DOING[stage]}" if stage != "tls" else "in TLS"


def _range(others: pd.Series) -> str:
    if len(others) == 1:
        return f"the other took {short_time(others.iloc[0])}"
    low, high = short_time(others.min()), short_time(others.max())
    return f"the other {len(others)} took {low if low == high else f'{low} to {high}'}"


def _where_it_goes(times: pd.DataFrame) -> str:
    """The stage with most of the time of all checks, and how much of that wait was the service's own."""
    sums = {stage: float(times[f"{stage}_s"].sum()) for stage in STAGES}
    total = sum(sums.values())
    stage = max(sums, key=lambda name: sums[name])
    if not total or sums[stage] < MOST * total:
        share = f": {_percent(sums[stage] / total)} is {DOING[stage]}" if total else ""
        return f"No stage takes most of the time{share}"
    doing = DOING[stage][:1].upper() + DOING[stage][1:]
    service = _of_the_service(times.to_dict("records")) if stage == "status" else ""
    return f"{doing} takes {_percent(sums[stage] / total)} of the time{service}"


def _of_the_service(rows: Sequence[Any]) -> str:
    """How much of the wait for the status is the service's own by its log; empty unless that is known of each."""
    waiting = [row for row in rows if not pd.isna(row["status_s"])]
    waited = sum(row["status_s"] for row in waiting)
    if not waited or any(pd.isna(row["server_s"]) for row in waiting):
        return ""
    return f", {_percent(sum(row['server_s'] for row in waiting) / waited)} of that wait in the service by its log"


def _by_the_log(times: pd.DataFrame) -> str:
    known = int(times["server_s"].notna().sum())
    if not known:
        return "How much of the wait is the service’s own is not known from here. "
    return (
        f"The line under a bar is the service’s own latency, which the log has of {of(known, len(times))}; an opened "
        "socket’s is its life, and is left out. "
    )


def _total(row: pd.Series) -> str:
    return short_time(row["total_s"]) + (f" and stopped {_stopped_words(row['stopped'])}" if row["stopped"] else "")


def _percent(share: float) -> str:
    """A share, never rounded to all or to nothing."""
    return f"{min(max(round(share * 100), 1), 100 if share == 1 else 99)}{SPACE}%"
