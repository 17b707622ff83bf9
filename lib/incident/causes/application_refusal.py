"""app-refused: the application itself answered handshakes with 401 or 403.

Reads: request entries on the WebSocket path, and the live handshakes.
Says failed: where one kind of client was refused more often than not, by a count that leaves no doubt.
Ruled out by: a sentence of the platform's own in the entry, which means that IAM refused and no container was asked.
Cannot tell: whether the refusal is right. A matrix that expects one makes the probe's refusal evidence of nothing.
"""

from __future__ import annotations

import pandas as pd

from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.analysis.effects import ENOUGH
from incident.analysis.intervals import share_interval
from incident.causes.rules import not_found, rule
from incident.findings import Finding
from incident.frames import keys
from incident.scope import rfc3339

NAME = "app-refused"
READS = ("logs", "revisions")
REFUSALS = (401, 403)
CITED = 20


@rule(NAME, *READS)
def app_refused(case: Case) -> Finding:
    """Handshakes that the application refused, by kind of client."""
    refused = refusals(case)
    if refused.empty:
        return not_found(NAME, case, READS)
    revisions = case.age_order(refused["revision_name"].dropna())
    last = refused["timestamp"].max()
    active = bool(set(revisions) & set(case.serving)) and _still_refused(case, last)
    return Finding(
        NAME, "failed", _because(case, refused), active,
        introduced_by=case.introduced_by(revisions), revisions=revisions,
        started=rfc3339(refused["timestamp"].min()), ended=None if active else rfc3339(last),
        mended_by=None if active else case.mended_by(last, refused["request_kind"]),
        evidence=keys("logs", refused, CITED), share=len(refused) / max(1, int(case.requests["failed"].sum())),
        remedy="compare what the client sends (token, origin, test headers) with what the revision's code accepts; "
        "a variable that no code reads changes nothing",
    )  # fmt: skip


def refusals(case: Case) -> pd.DataFrame:
    """The refused handshakes of each kind of client that was refused more often than not, on any one revision."""
    tried = case.requests[case.requests["websocket"]]
    refused = (
        tried["http_request_status"].isin(REFUSALS) & (tried["platform_text"] == "") & tried["instance_id"].notna()
    )
    shares = refused.groupby([tried["revision_name"].astype("str"), tried["client"]]).agg(["sum", "size"])
    clear = [
        key for key, count, tries in shares.itertuples() if tries >= ENOUGH and share_interval(count, tries)[0] > 0.5
    ]
    kind = pd.MultiIndex.from_frame(tried[["revision_name", "client"]].astype("str"))
    return tried[refused & kind.isin(clear)]


def _still_refused(case: Case, last: pd.Timestamp) -> bool:
    """Whether no socket of the refused kind opened after the last refusal."""
    clients = set(refusals(case)["client"])
    later = case.opened[(case.opened["timestamp"] > last) & case.opened["client"].isin(clients)]
    return bool(later.empty)


def _because(case: Case, refused: pd.DataFrame) -> str:
    counts = refused.groupby("http_request_status").size()
    statuses = " and ".join(f"{count} × {status}" for status, count in counts.items())
    clients = ", ".join(sorted(set(refused["client"])))
    numbers = ", ".join(short_name(name) for name in case.age_order(refused["revision_name"]))
    path = case.evidence.scope.websocket_path
    return (
        f"handshakes of {clients} on {path} were refused {statuses} on {numbers}; an instance answered each, "
        "and the platform gave no reason of its own"
    )
