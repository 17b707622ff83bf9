"""Sockets that open and end too early: at the request timeout, or when nothing was said on them for a while."""

from __future__ import annotations

import pandas as pd

from incident import platform
from incident.analysis.case import Case
from incident.analysis.effects import ENOUGH
from incident.analysis.intervals import share_interval
from incident.causes.remedies import services
from incident.causes.rules import found, not_found, numbers, rule, undecided
from incident.findings import Finding

READS = ("logs", "revisions")
LONGEST_S = 3600.0
"""The longest request timeout of Cloud Run (docs.cloud.google.com/run/docs/configuring/request-timeout)."""

ALIKE = 0.2
"""Two lives of sockets within this part of each other are alike."""


@rule("request-timeout", *READS)
def request_timeout(case: Case) -> Finding:
    """Sockets, or requests, are ended when they reach the revision's request timeout.

    Reads: the lives of sockets in their request entries, the revisions' request timeouts, and the platform's own
    sentence on requests that reached it.

    Says failed: where most sockets of one kind of client end at the timeout for certain, and it is not the longest that
    there is; or where the platform said so of requests.

    Ruled out by: sockets that end before it or live on; a timeout of 3600 s, the longest that there is, at which every
    socket must end.

    Cannot tell: whether clients reconnect, as they must at any timeout; sockets that are still open, which have no
    entry yet.

    To mend it: `gcloud run services update --timeout 3600`, and let clients reconnect.
    """
    cut = _cut(case)
    late = case.requests[case.requests["platform_text"] == platform.REQUEST_TIMEOUT.name]
    if cut.empty and late.empty:
        return not_found("request-timeout", case, READS, _lived_on(case))
    shown = pd.concat([cut, late])
    names = list(shown["revision_name"].dropna().unique())
    limit = case.settings_of(case.age_order(names)).get("timeout_s")
    because = (
        f"{len(cut)} sockets and {len(late)} requests on {numbers(case, names)} were ended at the request timeout of "
        f"{limit:g} s"
    )
    later = case.durations[case.durations["timeout_s"] > (limit or 0)]
    mended = case.age_order(later["revision_name"])[:1] if len(later) else ()
    active = bool(set(names) & set(case.serving))
    remedy = f"{services(case, 'update', '--timeout', '3600')}, and let clients reconnect, as they must at any timeout"
    return found(
        "request-timeout", case, because, remedy, shown=shown, failing=late, active=active,
        introduced_by=_lowered(case, names), mended_by=mended[0] if mended and not active else None,
    )  # fmt: skip


@rule("idle-timeout", "handshakes", "logs")
def idle_timeout(case: Case) -> Finding:
    """Something ends sockets on which nothing was said for a while, though the request timeout is further away.

    Reads: live handshakes that were held open and ended by the other side, and the lives of sockets in the log.

    Says failed: where a held handshake was ended by the other side after a life that most of some client's sockets
    share, too.

    Ruled out by: a live handshake that was held for longer than those sockets lived.

    Cannot tell: from the log alone, who ended a socket: clients that leave after equal times look the same.

    To mend it: send something more often than that (a ping every third of it), or let the proxy wait longer.
    """
    ended = _ended_by_the_other_side(case)
    alike = _alike(case)
    if ended.empty:
        held = case.evidence.endpoint_handshakes["held_s"].max()
        if alike.empty or (pd.notna(held) and held > alike["duration_s"].median() * (1 + ALIKE)):
            words = f"a live handshake was held for {held:.1f} s" if pd.notna(held) and len(alike) else ""
            return not_found("idle-timeout", case, ("handshakes", "logs"), words)
        return _undecided(case, alike)
    lived = float(ended["held_s"].median())
    same = alike[(alike["duration_s"] - lived).abs() <= ALIKE * lived]
    remedy = f"send something more often than every {lived:.2g} s, such as a ping, or let what is in front wait longer"
    if same.empty and len(ended) < 2:
        because = f"a live handshake was ended after {lived:.2g} s, and no client's sockets live as long"
        return undecided("idle-timeout", case, because, remedy, missing=(_longer(case, lived),))
    because = (
        f"live handshakes that the other side ended after {lived:.2g} s without a message: {len(ended)}, and sockets "
        f"of clients that lived as long: {len(same)}"
    )
    return found(
        "idle-timeout", case, because, remedy, shown=same, failing=case.requests[:0], handshakes=ended, active=True,
        revisions=case.serving, introduced_by=None,
    )  # fmt: skip


def _cut(case: Case) -> pd.DataFrame:
    """The sockets that ended at a timeout below the longest, of clients for whom most did for certain."""
    sockets = case.durations[case.durations["timeout_s"] < LONGEST_S]
    parts = []
    for _, own in sockets.groupby(["revision_name", "client"], observed=True):
        cut = own[own["at_timeout"]]
        if len(cut) >= ENOUGH and share_interval(len(cut), len(own))[0] > 0.5:
            parts.append(cut)
    return pd.concat(parts) if parts else sockets[:0]


def _lived_on(case: Case) -> str:
    """What speaks against it: how long sockets lived, and where the timeout is."""
    sockets = case.durations
    if sockets.empty or sockets["timeout_s"].isna().all():
        return ""
    longest, limit = sockets["duration_s"].max(), sockets["timeout_s"].max()
    return f"{len(sockets)} sockets ended, the longest after {longest:.1f} s; the request timeout is {limit:g} s"


def _lowered(case: Case, names: list[str]) -> str | None:
    """The oldest of some revisions, where it is the one that changed the timeout."""
    oldest = case.age_order(names)[:1]
    change = case.changes[case.changes["revision_name"].isin(oldest)]
    lowered = change["fields"].map(lambda fields: any(field.startswith("timeout_s") for field in fields))
    return oldest[0] if len(change) and bool(lowered.any()) else None


def _ended_by_the_other_side(case: Case) -> pd.DataFrame:
    """Live handshakes that were accepted and ended before their hold was over."""
    tried = case.evidence.endpoint_handshakes
    return tried[(tried["verdict"] == "accepted") & (tried["status"] == "failed") & (tried["held_s"] > 0)]


def _alike(case: Case) -> pd.DataFrame:
    """The sockets of one kind of client most of which lived equally long, while others lived on; not at the timeout."""
    sockets = case.durations[~case.durations["at_timeout"]]
    parts = []
    for _, own in sockets.groupby("client", observed=True):
        middle = own["duration_s"].median()
        same = own[(own["duration_s"] - middle).abs() <= ALIKE / 2 * middle]
        if len(same) >= ENOUGH and share_interval(len(same), len(own))[0] > 0.5 and middle > 0.2:
            parts.append(same)
    return pd.concat(parts) if parts else sockets[:0]


def _undecided(case: Case, alike: pd.DataFrame) -> Finding:
    lived = float(alike["duration_s"].median())
    clients = ", ".join(sorted(set(alike["client"])))
    because = f"{len(alike)} sockets of {clients} lived for about {lived:.2g} s: an idle timeout, or how long they stay"
    settle = _longer(case, lived)
    return undecided("idle-timeout", case, because, settle, shown=alike)


def _longer(case: Case, lived: float) -> str:
    return f"incident probe {case.evidence.scope.endpoint or 'URL'} --hold {max(2, round(lived * 2))}"
