"""Handshakes that reach the container and find nobody there who speaks WebSocket: HTTP/2, no library, another path.

Read from the answers that handshakes got from an instance, from where sockets opened, from the application's own lines
and the revisions' settings. An upgrade that something in front of the service dropped looks the same in the log as one
that the server does not know: only a handshake at the service's own URL tells them apart (`before_service`).
"""

from __future__ import annotations

import pandas as pd

from incident import platform
from incident.analysis.case import Case
from incident.analysis.effects import ENOUGH
from incident.analysis.requests import path_shape
from incident.causes.lines import application_lines, of_requests, system_lines
from incident.causes.remedies import probe, read_logs, services
from incident.causes.rules import found, not_found, numbers, rule, undecided
from incident.causes.shares import mostly
from incident.causes.startup import is_end
from incident.findings import Finding
from incident.http1 import printable

READS = ("logs", "revisions")
AS_PLAIN = (200, 400, 404, 405, 426)
"""What servers answer to an upgrade that they take for a plain request (`docs/servers.md`)."""

NOT_THERE = (403, 404)
"""What servers answer at a path that has no WebSocket: Starlette's own is 403."""

H2C = "h2c"
UNEXPLAINED = ("", platform.UPSTREAM_RESET.name)
"""What the platform says in the entry of a request that the container's HTTP/2 broke: nothing, or that it was reset."""

ENDS = (platform.CONTAINER_EXIT, platform.MEMORY_LIMIT, platform.LIVENESS_PROBE_FAILED)


@rule("http2-end-to-end", *READS)
def http2_end_to_end(case: Case) -> Finding:
    """HTTP/2 end to end is on, so that the container gets HTTP/2 and no WebSocket can be upgraded.

    Reads: the port's name in the revision's settings (h2c), and the handshakes that it had.

    Says failed: where a revision with that setting answered its handshakes with 503 more often than not, and opened no
    socket. A 503 that the platform explains in other words, or of an instance that ended by itself, is not counted.

    Ruled out by: revisions without that setting; sockets that opened on one with it.

    Cannot tell: whether the container speaks HTTP/2 at all; if it does not, plain requests fail too. Whether the
    application itself says 503 to everybody.

    To mend it: `gcloud run services update --no-use-http2`.
    """
    names = [row["revision_name"] for row in case.revisions.to_dict("records") if _speaks_h2c(case, row)]
    if not names:
        return not_found("http2-end-to-end", case, READS, "no revision has HTTP/2 end to end on")
    if opened := openers(case, anywhere=True) & set(names):
        words = f"sockets opened on {numbers(case, opened)}, where HTTP/2 end to end is on"
        return not_found("http2-end-to-end", case, READS, words)
    refused = _refused_for_http2(case, names)
    remedy = services(case, "update", "--no-use-http2")
    if len(refused) < ENOUGH:
        because = f"HTTP/2 end to end is on at {numbers(case, names)}, and too few handshakes show what it does"
        missing = ("more handshakes on that revision that neither opened nor failed for another reason",)
        return undecided("http2-end-to-end", case, because, remedy, missing=missing)
    on = names_of(refused)
    failed = _unexplained(case, case.failed_requests)
    failing = failed[failed["revision_name"].isin(on)]
    count = int(refused["weight"].sum())
    because = f"HTTP/2 end to end is on at {numbers(case, on)}; {count} handshakes got 503 there and none opened"
    return found("http2-end-to-end", case, because, remedy, shown=refused, failing=failing)


@rule("upgrade-unsupported", *READS)
def upgrade_unsupported(case: Case) -> Finding:
    """The application's server does not speak WebSocket, and answers an upgrade as a plain request.

    Reads: handshakes that the application answered with 200, 400, 404, 405 or 426, and its own lines on upgrades.

    Says failed: where such lines fall into handshakes of a revision that were answered so, and none opened there.

    Ruled out by: sockets that opened on the revision, at whatever path, in the log or for the probe; whole logs in
    which handshakes were not answered so.

    Cannot tell: a server that says nothing of it from a path that is wrong or an upgrade that was lost on the way: then
    it is `uncertain`.

    To mend it: install a WebSocket library with the server (`uvicorn[standard]`, `ws`), build and deploy.
    """
    answered = answered_plain(case, AS_PLAIN)
    answered = answered[~answered["revision_name"].isin(openers(case, anywhere=True))]
    if answered.empty:
        return not_found("upgrade-unsupported", case, READS)
    said = of_requests(application_lines(case, platform.UNSUPPORTED_UPGRADE), answered)
    own = answered[answered["revision_name"].isin(said["revision_name"])]
    if own.empty:
        because = (
            f"{statuses(answered)} to handshakes on {numbers(case, names_of(answered))}, where none opened, and no "
            "line says that the server takes no upgrade"
        )
        remedy = f"see whether the image holds a WebSocket library; {read_logs(case, 'upgrade')}"
        return undecided("upgrade-unsupported", case, because, remedy, shown=answered)
    words = printable(said["text"].iloc[-1].strip().split("\n", 1)[0], 120)
    because = f"{statuses(own)} to handshakes on {numbers(case, names_of(own))}, and none opened; it says: {words}"
    remedy = "install a WebSocket library with the server, such as uvicorn[standard] or ws; build and deploy"
    return found("upgrade-unsupported", case, because, remedy, shown=said, failing=own)


@rule("wrong-path", *READS)
def wrong_path(case: Case) -> Finding:
    """Clients ask for a WebSocket at a path where the revision has none, and it has one elsewhere.

    Reads: handshakes on the WebSocket path that the application answered with 403 or 404, and the paths of the sockets
    that opened.

    Says failed: where that was the answer more often than not, none opened at the path, and sockets opened at another
    path of the same revision. A path that had sockets beside this one before is not where this one went.

    Ruled out by: sockets that opened at the path on the same revision or, where the answer is 403, on one of the same
    image; lines that say that the server knows no WebSocket, which is upgrade-unsupported's.

    Cannot tell: where the right path is, while nobody has opened a socket there; a 403 for want of a path from a
    refusal, of everybody alike. Both are `uncertain`.

    To mend it: ask at the path that opens sockets, or serve the old path too.
    """
    answered = not_there(case)
    elsewhere = moved_to(case)
    elsewhere = elsewhere[elsewhere["revision_name"].isin(answered["revision_name"])]
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
    has_it = (answered["http_request_status"] == 403) & answered["revision_name"].isin(_of_an_opening_image(case))
    lost = answered[~has_it]
    if lost.empty:
        return not_found("wrong-path", case, READS)
    because = (
        f"{statuses(lost)} to handshakes at {path} on {numbers(case, names_of(lost))}, and no socket opened where it "
        "may have gone"
    )
    return undecided("wrong-path", case, because, probe(case, "--matrix", "paths"), shown=lost)


def answered_plain(case: Case, answers: tuple[int, ...]) -> pd.DataFrame:
    """Handshakes that an instance answered with one of some statuses, of clients for whom that is usual."""
    tried = case.settled_requests[case.settled_requests["websocket"]]
    by_the_application = (tried["platform_text"] == "") & tried["instance_id"].notna()
    return mostly(tried, tried["http_request_status"].isin(answers) & by_the_application)


def not_there(case: Case) -> pd.DataFrame:
    """Handshakes answered as at a path without a WebSocket, on revisions that opened none there and know upgrades."""
    answered = answered_plain(case, NOT_THERE)
    answered = answered[~answered["revision_name"].isin(openers(case))]
    ignorant = of_requests(application_lines(case, platform.UNSUPPORTED_UPGRADE), answered)
    return answered[~answered["revision_name"].isin(ignorant["revision_name"])]


def moved_to(case: Case) -> pd.DataFrame:
    """The sockets of revisions that open none at the path asked about, at paths that had none beside it before."""
    opened, here = case.opened, openers(case)
    other = opened[~opened["websocket"]]
    beside = set(other.loc[other["revision_name"].isin(here), "path"])
    return other[~other["revision_name"].isin(here) & ~other["path"].isin(beside)]


def openers(case: Case, *, anywhere: bool = False) -> set[str]:
    """The revisions that opened a socket at the path asked about, or `anywhere`: in the log, or for the probe now."""
    opened, tried = case.opened, case.evidence.handshakes
    in_log = opened if anywhere else opened[opened["websocket"]]
    at_tag = tried["place"].astype("str").str.startswith("tag:").fillna(False)
    accepted = tried[(tried["verdict"] == "accepted").fillna(False) & ~at_tag]
    here = accepted["url"].map(path_shape) == case.evidence.scope.websocket_path
    alone = case.serving if len(case.serving) == 1 else []
    by_probe = accepted if anywhere else accepted[here.astype("bool")]
    known = set(by_probe["revision_name"].dropna()) or (set(alone) if len(by_probe) else set())
    return set(in_log["revision_name"].dropna()) | known


def statuses(rows: pd.DataFrame) -> str:
    """How often each status was answered: `20 × 404`."""
    counts = rows.groupby("http_request_status")["weight"].sum()
    return " and ".join(f"{count} × {status}" for status, count in counts.items())


def names_of(rows: pd.DataFrame) -> list[str]:
    """The revisions of some rows."""
    return list(rows["revision_name"].dropna().unique())


def _of_an_opening_image(case: Case) -> set[str]:
    """The revisions that are of the same image as one that opened sockets at the path."""
    known = case.evidence.revisions
    images = known.loc[known["revision_name"].isin(openers(case)), "image_digest"].dropna()
    return set(known.loc[known["image_digest"].isin(images), "revision_name"])


def _refused_for_http2(case: Case, names: list[str]) -> pd.DataFrame:
    """The handshakes on some revisions that got 503 for no other reason, of clients for whom that is usual."""
    tried = case.requests[case.requests["revision_name"].isin(names) & case.requests["websocket"]]
    return mostly(tried, tried.index.isin(_unexplained(case, tried).index) & tried["websocket"])


def _unexplained(case: Case, rows: pd.DataFrame) -> pd.DataFrame:
    """The requests that got 503, without another reason of the platform's and not of an instance that ended itself."""
    lines = system_lines(case, *ENDS)
    exits = lines["text"].map(lambda text: bool(platform.CONTAINER_EXIT.search(text))).astype("bool")
    ended = lines[~exits | lines["text"].map(is_end).astype("bool")]
    own = rows[(rows["http_request_status"] == 503) & rows["platform_text"].isin(UNEXPLAINED)]
    return own[~own["instance_id"].isin(ended["instance_id"].dropna())]


def _speaks_h2c(case: Case, revision: dict[str, object]) -> bool:
    ports = case.settings_of([str(revision["revision_name"])]).get("ports") or []
    return any(port.get("name") == H2C for port in ports if isinstance(port, dict))
