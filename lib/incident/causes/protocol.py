"""Handshakes that reach the container and find nobody there who speaks WebSocket: HTTP/2, no library, another path."""

from __future__ import annotations

import re

import pandas as pd

from incident import platform
from incident.analysis.case import Case
from incident.causes.lines import application_lines
from incident.causes.remedies import services
from incident.causes.rules import found, not_found, numbers, rule, undecided
from incident.causes.shares import mostly
from incident.findings import Finding

READS = ("logs", "revisions")
AS_PLAIN = (200, 400, 404, 405, 426)
"""What servers answer to an upgrade that they take for a plain request (`docs/servers.md`)."""

NOT_THERE = (403, 404)
"""What servers answer at a path that has no WebSocket: Starlette's own is 403."""

UNSUPPORTED = re.compile(platform.UNSUPPORTED_UPGRADE.fragment, re.IGNORECASE)
H2C = "h2c"


@rule("http2-end-to-end", *READS)
def http2_end_to_end(case: Case) -> Finding:
    """HTTP/2 end to end is on, so that the container gets HTTP/2 and no WebSocket can be upgraded.

    Reads: the port's name in the revision's settings (h2c), and the handshakes that it had.

    Says failed: where a revision with that setting answered its handshakes with 503 more often than not, and opened no
    socket.

    Ruled out by: revisions without that setting.

    Cannot tell: whether the container speaks HTTP/2 at all; if it does not, plain requests fail too.

    To mend it: `gcloud run services update --no-use-http2`.
    """
    names = [row["revision_name"] for row in case.revisions.to_dict("records") if _speaks_h2c(case, row)]
    if not names:
        return not_found("http2-end-to-end", case, READS, "no revision has HTTP/2 end to end on")
    opened = set(case.opened["revision_name"].dropna())
    tried = case.requests[case.requests["revision_name"].isin(names) & case.requests["websocket"]]
    refused = mostly(tried, tried["http_request_status"] == 503)
    refused = refused[~refused["revision_name"].isin(opened)]
    remedy = services(case, "update", "--no-use-http2")
    if refused.empty:
        because = (
            f"HTTP/2 end to end is on at {numbers(case, names)}, and too few handshakes failed to say what it does"
        )
        return undecided("http2-end-to-end", case, because, remedy, missing=("more handshakes on that revision",))
    on = names_of(refused)
    failing = case.failed_requests[case.failed_requests["revision_name"].isin(on)]
    failing = failing[failing["http_request_status"] == 503]
    count = int(refused["weight"].sum())
    because = f"HTTP/2 end to end is on at {numbers(case, on)}; {count} handshakes got 503 there and none opened"
    return found("http2-end-to-end", case, because, remedy, shown=refused, failing=failing)


@rule("upgrade-unsupported", *READS)
def upgrade_unsupported(case: Case) -> Finding:
    """The application's server does not speak WebSocket, and answers an upgrade as a plain request.

    Reads: handshakes that the application answered with 200, 400, 404, 405 or 426, and its own lines on upgrades.

    Says failed: where such lines stand beside handshakes of the same revision that were answered so, and none opened.

    Ruled out by: whole logs without such lines, or sockets that opened on the revision.

    Cannot tell: a server that says nothing of it from a path that is wrong.

    To mend it: install a WebSocket library with the server (`uvicorn[standard]`, `ws`), build and deploy.
    """
    said = application_lines(case, UNSUPPORTED)
    said = said[~said["revision_name"].isin(case.opened["revision_name"].dropna())]
    answered = answered_plain(case, AS_PLAIN)
    answered = answered[answered["revision_name"].isin(said["revision_name"])]
    if said.empty or answered.empty:
        return not_found("upgrade-unsupported", case, READS)
    words = said["text"].iloc[-1].strip().split("\n", 1)[0][:120]
    because = (
        f"{statuses(answered)} to handshakes on {numbers(case, names_of(answered))}, and none opened; it says: {words}"
    )
    remedy = "install a WebSocket library with the server, such as uvicorn[standard] or ws; build and deploy"
    return found("upgrade-unsupported", case, because, remedy, shown=said, failing=answered)


@rule("wrong-path", *READS)
def wrong_path(case: Case) -> Finding:
    """Clients ask for a WebSocket at a path where the revision has none, and it has one elsewhere.

    Reads: handshakes on the WebSocket path that the application answered with 403 or 404, and the paths of the sockets
    that opened.

    Says failed: where that was the answer more often than not, none opened at the path, and sockets opened at another
    path of the same revision.

    Ruled out by: sockets that opened at the path on the same revision; lines that say that the server knows no
    WebSocket, which is upgrade-unsupported's.

    Cannot tell: where the right path is, while nobody has opened a socket there.

    To mend it: ask at the path that opens sockets, or serve the old path too.
    """
    answered = answered_plain(case, NOT_THERE)
    opened = case.opened
    answered = answered[~answered["revision_name"].isin(opened.loc[opened["websocket"], "revision_name"])]
    answered = answered[~answered["revision_name"].isin(application_lines(case, UNSUPPORTED)["revision_name"])]
    elsewhere = opened[~opened["websocket"] & opened["revision_name"].isin(answered["revision_name"])]
    path = case.evidence.scope.websocket_path
    if len(elsewhere):
        there = elsewhere["path"].mode().iloc[0]
        own = answered[answered["revision_name"].isin(elsewhere["revision_name"])]
        because = (
            f"{statuses(own)} to handshakes at {path} on {numbers(case, names_of(own))}, where none opened, and "
            f"{int(elsewhere['weight'].sum())} sockets opened at {there}"
        )
        remedy = f"ask at {there}, or serve {path} too"
        return found("wrong-path", case, because, remedy, shown=own, failing=own)
    lost = answered[answered["http_request_status"] == 404]
    if lost.empty:
        return not_found("wrong-path", case, READS)
    because = (
        f"{statuses(lost)} to handshakes at {path} on {numbers(case, names_of(lost))}, and no socket opened elsewhere"
    )
    remedy = f"incident probe {case.evidence.scope.endpoint or 'URL'} --matrix paths"
    return undecided("wrong-path", case, because, remedy, shown=lost)


def answered_plain(case: Case, answers: tuple[int, ...]) -> pd.DataFrame:
    """Handshakes that an instance answered with one of some statuses, of clients for whom that is usual."""
    tried = case.settled_requests[case.settled_requests["websocket"]]
    by_the_application = (tried["platform_text"] == "") & tried["instance_id"].notna()
    return mostly(tried, tried["http_request_status"].isin(answers) & by_the_application)


def statuses(rows: pd.DataFrame) -> str:
    """How often each status was answered: `20 × 404`."""
    counts = rows.groupby("http_request_status")["weight"].sum()
    return " and ".join(f"{count} × {status}" for status, count in counts.items())


def names_of(rows: pd.DataFrame) -> list[str]:
    """The revisions of some rows."""
    return list(rows["revision_name"].dropna().unique())


def _speaks_h2c(case: Case, revision: dict[str, object]) -> bool:
    ports = case.settings_of([str(revision["revision_name"])]).get("ports") or []
    return any(port.get("name") == H2C for port in ports if isinstance(port, dict))
