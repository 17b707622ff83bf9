"""app-refused: the application itself answered handshakes with 401 or 403.

Reads: request entries on the WebSocket path, and the live handshakes.
Says failed: where one kind of client was refused more often than not, by a count that leaves no doubt.
Ruled out by: a sentence of the platform's own in the entry, which means that IAM refused and no container was asked.
Cannot tell: whether a refusal is right. A client that never got in while others do is `uncertain`, unless our own
handshakes fail too; and a matrix that expects a refusal makes the probe's own evidence of nothing.
"""

from __future__ import annotations

import pandas as pd

from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.analysis.effects import ENOUGH
from incident.analysis.intervals import share_interval
from incident.analysis.ongoing import still_failing
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
    strangers = refused["client"].isin(_never_let_in(case))
    known = refused[~strangers]
    if known.empty:
        return _undecided(case, refused) if len(refused) else not_found(NAME, case, READS)
    return _finding(case, known)


def _finding(case: Case, refused: pd.DataFrame) -> Finding:
    revisions = case.age_order(refused["revision_name"].dropna())
    started, last = refused["timestamp"].min(), refused["timestamp"].max()
    kinds = set(refused["request_kind"])
    active = still_failing(refused, case.requests, kinds, case.serving, case.evidence.endpoint_handshakes)
    return Finding(
        NAME, "failed", _because(case, refused), active,
        introduced_by=case.introduced_by(revisions, started, kinds), revisions=revisions,
        started=rfc3339(started), ended=None if active else rfc3339(last),
        mended_by=None if active else case.mended_by(revisions, kinds),
        evidence=keys("logs", refused, CITED), share=len(refused) / max(1, int(case.requests["failed"].sum())),
        remedy="compare what the client sends (token, origin, test headers) with what the revision's code accepts; "
        "a variable that no code reads changes nothing",
    )  # fmt: skip


def refusals(case: Case) -> pd.DataFrame:
    """The refused handshakes of each kind of client that was refused more often than not, on any one revision."""
    tried = case.settled_requests[case.settled_requests["websocket"]]
    by_the_application = (tried["platform_text"] == "") & tried["instance_id"].notna()
    refused = tried["http_request_status"].isin(REFUSALS) & by_the_application
    shares = refused.groupby([tried["revision_name"].astype("str"), tried["client"]]).agg(["sum", "size"])
    enough = shares[shares["size"] >= ENOUGH]
    clear = [key for key, count, tries in enough.itertuples() if share_interval(count, tries)[0] > 0.5]
    kind = pd.MultiIndex.from_frame(tried[["revision_name", "client"]].astype("str"))
    return tried[refused & kind.isin(clear)]


def _never_let_in(case: Case) -> set[str]:
    """Clients that opened no socket in the window, while others did and none of our own handshakes failed."""
    ours = case.evidence.endpoint_handshakes
    if (ours["status"] == "failed").any() or case.opened.empty:
        return set()
    return set(case.requests["client"]) - set(case.opened["client"])


def _undecided(case: Case, refused: pd.DataFrame) -> Finding:
    because = f"{_because(case, refused)}; other clients get in, so the refusal may be right"
    remedy = "ask whether they should get in, and try what they send: incident probe URL --header 'NAME: VALUE'"
    return Finding(NAME, "uncertain", because=because, evidence=keys("logs", refused, CITED), remedy=remedy)


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
