"""The probe's handshakes and what the service's own log says of each: seen, not seen, not yet, or unknown.

Reads `handshakes`, the request entries of our own probes, and the time of the pull. An entry is found by the trace
that the request brought or by the probe's id in its user agent, since it is unverified whether Cloud Run keeps that
trace. That an entry is not there is evidence only once the log had settled: 60 s after a request's end, and after the
request timeout for a socket, whose entry is written when it ends, and for a request whose answer never came whole.
Cannot tell: requests that Cloud Run answers and never logs (blocked by the ingress setting or by VPC Service Controls,
or on a reserved path) from those that never reached it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from incident import platform
from incident.analysis.changes import short_name
from incident.analysis.places import seen
from incident.evidence import SETTLE_SECONDS, Evidence
from incident.findings import Gap
from incident.http1 import printable
from incident.scope import rfc3339
from incident.sources.handshake_rows import OwnEntries

Row = dict[str, Any]

SEEN, NOT_SEEN, NOT_YET, UNKNOWN = "seen", "not seen", "not yet", "unknown"
BEFORE_THE_REQUEST = ("resolve", "connect", "tls")
UNLOGGED = (403, 404)
"""Statuses that Cloud Run itself may give without an entry (docs.cloud.google.com/run/docs/troubleshooting)."""

LONGEST_TIMEOUT_S = 3600.0
"""The longest request timeout of Cloud Run, where the revision's own is not known."""

COLUMNS = {
    "probe_id": "str", "name": "str", "place": "str", "url": "str", "expected": "str", "observed": "str",
    "status": "str", "seen": "str", "matched": "str", "revision_name": "str", "instance_id": "str",
    "log_status": "Int64", "log_latency_s": "float64", "because": "str",
}  # fmt: skip


def sides(evidence: Evidence) -> pd.DataFrame:
    """One row a handshake, in the order of `handshakes`: COLUMNS.

    `place` is never null. `seen` is one of `seen`, `not seen` (the log had settled and has no entry, or no request was
    sent), `not yet` (the entry may still arrive: `because` says until when) and `unknown` (the log was refused, absent,
    cut short, or its window does not hold the probe's time). `matched` is `trace`, `probe id` or empty. The latency is
    in seconds, for a socket its whole life.
    """
    own, absent = OwnEntries.of(evidence.logs), _Absence.of(evidence)
    rows = [_side(row, own, absent) for row in evidence.handshakes.to_dict("records")]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _side(row: Mapping[str, Any], own: OwnEntries, absent: _Absence) -> Row:
    known = {name: row[name] for name in ("probe_id", "name", "url", "expected", "status")}
    known |= {"place": _value(row["place"]) or "endpoint", "observed": seen(row)}
    entry, matched = own.of_probe(row["trace_id"], row["probe_id"])
    if entry is None:
        state, because = absent.of_row(row)
        return known | {"seen": state, "matched": "", "because": because}
    found = {name: _value(entry[name]) for name in ("revision_name", "instance_id")}
    found |= {"log_status": _value(entry["http_request_status"]), "log_latency_s": entry["http_request_latency"]}
    return known | found | {"seen": SEEN, "matched": matched, "because": entry_words(entry, row)}


def entry_words(entry: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """What a request entry says of its request; where its status is not the one that the probe saw, that too.

    An entry that names an instance was served by it, unless the platform says in it why it answered in its place. One
    without an instance and with such a sentence was refused by the platform; without either, it is not known by whom.
    """
    status, observed = _value(entry["http_request_status"]), _value(row["http_status"])
    answer = f"{status or 'no status'}{_latency(entry)}"
    revision = short_name(str(_value(entry["revision_name"]) or "unknown"))
    said = _platform_words(_value(entry["text"]))
    if said and _value(entry["instance_id"]):
        words = f"answered by the platform for an instance of revision {revision}, {answer}: {said}"
    elif said:
        words = f"refused by the platform, {answer}: {said}"
    elif _value(entry["instance_id"]):
        words = f"served by revision {revision}, {answer}"
    else:
        words = f"revision {revision}, {answer}; the entry names no instance, so who answered is not known"
    changed = status and observed and status != observed
    return words + (f"; the probe saw {observed}: something between them changed it" if changed else "")


def _latency(entry: Mapping[str, Any]) -> str:
    seconds = entry["http_request_latency"]
    if pd.isna(seconds):
        return ""
    length = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    return f", open for {length}" if _value(entry["http_request_status"]) == 101 else f" in {length}"


def _platform_words(text: object) -> str:
    """The platform's own sentence in a request entry, as it wrote it; empty where it wrote none."""
    known = [said for said in platform.TEXTS if said.log == platform.REQUESTS]
    if not isinstance(text, str) or not any(said.search(text) for said in known):
        return ""
    return printable(" ".join(text.split()), 160)


class _Absence:
    """What it means that a handshake has no entry: judged by the gaps on the logs, the window and the pull's time."""

    def __init__(self, evidence: Evidence, gap: Gap | None, timeout_s: float) -> None:
        self.scope, self.pulled, self.gap, self.timeout_s = evidence.scope, evidence.pulled, gap, timeout_s

    @classmethod
    def of(cls, evidence: Evidence) -> _Absence:
        """An unsettled tail is no obstacle: each handshake's own time says whether it had settled."""
        gap = next((gap for gap in evidence.gaps if gap.frame == "logs" and gap.kind != "unsettled"), None)
        return cls(evidence, gap, _timeout(evidence))

    def of_row(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """`seen` and `because` of a handshake without an entry."""
        if row["stage"] in BEFORE_THE_REQUEST:
            return NOT_SEEN, f"no request was sent: it stopped at {row['stage']}"
        if row["status"] == "skipped":
            return NOT_SEEN, "no request was sent: the check was skipped"
        if self.gap is not None:
            return UNKNOWN, f"the log cannot say: {self.gap.reason}"
        if pd.isna(row["time"]) or not self.scope.start <= row["time"] < self.scope.end:
            window = f"{rfc3339(self.scope.start)} to {rfc3339(self.scope.end)}"
            return UNKNOWN, f"the log's window, {window}, does not hold the time of this handshake"
        settles = self._settles(row)
        if self.pulled < settles:
            return NOT_YET, f"not in the log when it was read; it may arrive until {rfc3339(settles)}: look again then"
        return NOT_SEEN, _never_arrived(row)

    def _settles(self, row: Mapping[str, Any]) -> pd.Timestamp:
        """When the entry must be there: the request's end, by its timeout at the latest, and what entries take."""
        lasted = _lasted(row) if _is_over(row) else self.timeout_s
        return row["time"].floor("s") + pd.Timedelta(seconds=round(lasted) + SETTLE_SECONDS + 1)


def _is_over(row: Mapping[str, Any]) -> bool:
    """Whether the answer came whole and ended the request: a page or a refusal.

    A socket goes on behind our back, and so may a request that the probe did not wait for.
    """
    answered = row["stage"] == "status" and pd.notna(row["http_status"])
    return answered and row["verdict"] not in ("accepted", "broken", "unreachable")


def _lasted(row: Mapping[str, Any]) -> float:
    """The seconds that a handshake took, by its timings."""
    timings = json.loads(row["timings"]) if isinstance(row["timings"], str) else {}
    return sum(seconds for seconds in timings.values() if isinstance(seconds, int | float))


def _timeout(evidence: Evidence) -> float:
    """The longest request timeout of the revisions, in seconds; where one is not known, the longest there may be."""
    settings = [json.loads(text) for text in evidence.revisions["settings"].dropna()]
    known = [found.get("timeout_s") for found in settings]
    return max(map(float, known)) if known and all(known) else LONGEST_TIMEOUT_S


def _never_arrived(row: Mapping[str, Any]) -> str:
    status = _value(row["http_status"])
    words = "never arrived: it is not in the log, which had settled"
    if status is None:
        return words
    unlogged = ", or Cloud Run by its ingress setting, which it does not log" if status in UNLOGGED else ""
    return f"{words}; something before the service answered {status}{unlogged}"


def _value(value: Any) -> Any:
    """A cell's value, None where it is null."""
    return None if pd.isna(value) else value
