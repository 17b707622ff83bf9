"""Handshakes that the application itself refuses: whoever they come from, or by the page that a browser is on."""

from __future__ import annotations

import re

import pandas as pd

from incident import platform
from incident.analysis.case import Case
from incident.causes.lines import application_lines, of_requests, within
from incident.causes.protocol import moved_to, statuses
from incident.causes.remedies import probe
from incident.causes.rules import found, not_found, numbers, rule, undecided
from incident.causes.shares import mostly
from incident.findings import Finding
from incident.http1 import printable

READS = ("logs", "revisions")
REFUSALS = (401, 403)
BROWSERS = re.compile(r"Mozilla|Safari|Chrome|Firefox|Edg", re.IGNORECASE)


@rule("app-refused", *READS)
def app_refused(case: Case) -> Finding:
    """The application itself answered handshakes with 401 or 403.

    Reads: request entries on the WebSocket path, and the live handshakes.

    Says failed: where one kind of client was refused more often than not, by a count that leaves no doubt.

    Ruled out by: a sentence of the platform's own in the entry, which means that IAM refused and no container was
    asked; a line of the application that names the Origin, which is origin-refused's; a 403 where sockets open
    at another path of the same revision that had none before, which is wrong-path's.

    Cannot tell: whether a refusal is right. A client that never got in while others do is `uncertain`, unless our own
    handshakes fail too; and a matrix that expects a refusal makes the probe's own evidence of nothing.

    To mend it: compare what the client sends (token, origin, test headers) with what the revision's code accepts.
    """
    refused = refusals(case)
    refused = refused.drop(refused_by_origin(case).index.intersection(refused.index))
    gone = refused["revision_name"].isin(moved_to(case)["revision_name"]) & (refused["http_request_status"] == 403)
    refused = refused[~gone]
    strangers = refused["client"].isin(_never_let_in(case))
    known = refused[~strangers]
    if known.empty:
        return _undecided(case, refused) if len(refused) else not_found("app-refused", case, READS)
    remedy = (
        "compare what the client sends (token, origin, test headers) with what the revision's code accepts; "
        "a variable that no code reads changes nothing"
    )
    return found("app-refused", case, _because(case, known), remedy, shown=known, failing=known)


@rule("origin-refused", *READS)
def origin_refused(case: Case) -> Finding:
    """The application refuses handshakes by their Origin, which browsers send and other clients do not.

    Reads: request entries on the WebSocket path, and lines of the application that say that an origin is not allowed.

    Says failed: where one kind of client was refused more often than not, and such a line falls into those requests.

    Ruled out by: whole logs without a refusal of the application's own, or without such a line while no client is a
    browser.

    Cannot tell: whether the page should be allowed. Browsers that are refused while others get in, without a line that
    says why, are `uncertain`: the matrix `origins` settles it.

    To mend it: add the page's origin to those that the application allows; scheme, host and port must be the same.
    """
    refused = refused_by_origin(case)
    if len(refused):
        said = of_requests(application_lines(case, platform.ORIGIN_REFUSED), refused)
        text = printable(said["text"].iloc[-1].strip().split("\n", 1)[0], 160)
        remedy = "add the origin to those that the application allows; scheme, host and port must be the same"
        because = f"{_because(case, refused)}; it says: {text}"
        active = _still_shut(case, refused)
        return found("origin-refused", case, because, remedy, shown=refused, failing=refused, active=active)
    browsers = refusals(case)
    browsers = browsers[browsers["http_request_user_agent"].astype("str").str.contains(BROWSERS)]
    others = case.opened[~case.opened["client"].isin(browsers["client"])]
    if browsers.empty or others.empty:
        return not_found("origin-refused", case, READS)
    because = f"{_because(case, browsers)}; other clients get in, and no line says that it is the origin"
    return undecided("origin-refused", case, because, probe(case, "--matrix", "origins"), shown=browsers)


def refusals(case: Case) -> pd.DataFrame:
    """The refused handshakes of each kind of client that was refused more often than not, on any one revision."""
    tried = case.settled_requests[case.settled_requests["websocket"]]
    by_the_application = (tried["platform_text"] == "") & tried["instance_id"].notna()
    return mostly(tried, tried["http_request_status"].isin(REFUSALS) & by_the_application)


def refused_by_origin(case: Case) -> pd.DataFrame:
    """Those of the refusals in whose life the application says that an origin is not allowed."""
    refused = refusals(case)
    lines = application_lines(case, platform.ORIGIN_REFUSED)
    if refused.empty or lines.empty:
        return refused[:0]
    named = within(refused, lines)
    clients = refused[named].groupby("client")["weight"].sum() / refused.groupby("client")["weight"].sum()
    sure = clients[clients > 0.5].index
    return refused[named & refused["client"].isin(sure)]


def _still_shut(case: Case, refused: pd.DataFrame) -> bool:
    """Whether those clients have not got in since, where they were refused; a probe sends no Origin."""
    on = refused[refused["revision_name"].isin(case.serving)]
    later = case.opened[case.opened["client"].isin(refused["client"])]
    return len(on) > 0 and not (later["timestamp"] > on["timestamp"].max()).any()


def _never_let_in(case: Case) -> set[str]:
    """Clients that opened no socket in the window, while others did and none of our own handshakes failed."""
    ours = case.evidence.endpoint_handshakes
    if (ours["status"] == "failed").any() or case.opened.empty:
        return set()
    return set(case.requests["client"]) - set(case.opened["client"])


def _undecided(case: Case, refused: pd.DataFrame) -> Finding:
    because = f"{_because(case, refused)}; other clients get in, so the refusal may be right"
    remedy = f"ask whether they should get in, and try what they send: {probe(case, '--header', 'NAME: VALUE')}"
    return undecided("app-refused", case, because, remedy, shown=refused)


def _because(case: Case, refused: pd.DataFrame) -> str:
    clients = ", ".join(sorted(set(refused["client"])))
    path, on = case.evidence.scope.websocket_path, numbers(case, refused["revision_name"].dropna())
    return (
        f"handshakes of {clients} on {path} were refused {statuses(refused)} on {on}; an instance answered each, and "
        "the platform gave no reason of its own"
    )
