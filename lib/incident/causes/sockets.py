"""Sockets that open and end too early: at the request timeout, or when nothing was said on them for a while.

Both are read from the lives of sockets that have ended (`analysis.durations`); a live handshake that was held says
what an idle one comes to. Neither can tell from the log alone who ended a socket, nor anything of one that is open.
"""

from __future__ import annotations

import pandas as pd

from incident import platform
from incident.analysis.case import Case
from incident.analysis.durations import (
    ALIKE,
    LONGEST_S,
    alike,
    at_timeout,
    came_back,
    clear_cuts,
    cut_shares,
    limits,
    lived_through,
    near,
    settled,
    timeouts,
)
from incident.causes.remedies import probe, services
from incident.causes.rules import found, not_found, numbers, rule, undecided
from incident.causes.shares import mostly
from incident.findings import Finding

READS = ("logs", "revisions")
IDLE_READS = ("handshakes", "logs", "revisions")
TIMED_OUT = 504
"""The status of a request that reached the request timeout (docs.cloud.google.com/run/docs/troubleshooting)."""

TIMEOUT_FIELD = "value(spec.template.spec.timeoutSeconds)"
NO_CLOSE_FRAME = 1006
PING_TIMEOUT = 1011, "ping timeout"
"""How a server's own ping that was not answered in time ends a socket, by code and words (websockets, `keepalive`)."""

BUSY = 3
"""So many sockets that lived on, while idle ones were ended, are no accident."""


@rule("request-timeout", *READS)
def request_timeout(case: Case) -> Finding:
    """Sockets, or requests, are ended when they reach the revision's request timeout.

    Reads: the lives of sockets in their request entries, the revisions' request timeouts, and requests with status 504
    that took as long as the timeout, or of which the platform says so.

    Says failed: where ten sockets or more of one kind of client were ended at a timeout below 3600 s, and they are for
    certain more than half of those that lived for half of it. To end them is how Cloud Run works, and a failure all
    the same: nobody leaves on that very second, so they were in use, and the platform would have let them live. Or
    where most requests of one kind of client ended in such a 504.

    Ruled out by: sockets that live for half the timeout or longer and end before it more often than not; a timeout of
    3600 s, the longest that there is, at which every socket must end.

    Cannot tell: whether people noticed, where clients reconnect by themselves; sockets that are still open, which have
    no entry yet. So few ends at the timeout that they could be most of them or not are `uncertain`.

    To mend it: `gcloud run services update --timeout 3600`, and let clients reconnect, as they must at any timeout.
    """
    shares = cut_shares(case.durations, case.evidence.pulled)
    shares, clear = shares[shares["timeout_s"] < LONGEST_S], clear_cuts(shares)
    late = _timed_out(case)
    often = mostly(case.requests, case.requests.index.isin(late.index) & case.requests["failed"], since=True)
    if clear.empty and often.empty:
        return _not_cut(case, shares, late)
    cut = _cut_sockets(case, clear)
    shown = pd.concat([cut, often])
    names = case.age_order(shown["revision_name"].dropna())
    parts = [*_socket_words(case, clear, cut), *_request_words(case, often)]
    serving = set(cut["revision_name"]) & set(case.serving)
    return found(
        "request-timeout", case, "; ".join(parts), _raise(case), shown=shown, failing=often,
        active=True if serving else False if often.empty else None, introduced_by=_lowered(case, names),
        mended_by=None if set(names) & set(case.serving) else _raised(case, names),
    )  # fmt: skip


@rule("idle-timeout", *IDLE_READS)
def idle_timeout(case: Case) -> Finding:
    """Something ends sockets on which nothing was said for a while, though the request timeout is further away.

    Reads: live handshakes that were held open in silence and ended by the other side, the lives of sockets in the log,
    and the request timeouts, so that an end at one of these is not taken for it.

    Says failed: where held handshakes were ended, without a word or because a ping was not answered, after a life that
    most of some client's sockets share, while other sockets lived on.

    Ruled out by: a live handshake that was held in silence for longer than those sockets lived.

    Cannot tell: from the log alone, who ended a socket: clients that leave after equal times look the same. Where no
    socket lived longer, whether silence or any long life is ended. Both are `uncertain`.

    To mend it: send something more often than that (a ping each third of it), or let the proxy wait longer.
    """
    ended = _ended_in_silence(case)
    same = alike(case.durations)
    if ended.empty:
        return _nothing_ended(case, same)
    lived = float(ended["held_s"].median())
    same = same[near(same["duration_s"], lived)]
    busy = lived_through(case.durations, same, lived)
    because = (
        f"{_ended_words(ended, lived)}, as were {len(same)} sockets of {_clients(same)}, while {len(busy)} others lived"
        " on"
    )
    if same.empty or len(busy) < BUSY:
        return _not_only_idle(case, ended, same, lived)
    if pd.isna(_serving_limit(case)):
        describe = services(case, "describe", "--format", TIMEOUT_FIELD)
        unknown = f"{_ended_words(ended, lived)}, which may be the request timeout: it is not known"
        return undecided("idle-timeout", case, unknown, describe, shown=same)
    return found(
        "idle-timeout", case, because, _ping(case, lived), shown=same, failing=case.requests[:0], handshakes=ended,
        active=True, revisions=case.serving, introduced_by=None,
    )  # fmt: skip


def _timed_out(case: Case) -> pd.DataFrame:
    """The requests that ended in 504 when the request timeout was over; by the platform's words where it is not known.

    The words alone do not decide: no source shows under which severity they are logged.
    """
    late = case.failed_requests[case.failed_requests["http_request_status"] == TIMED_OUT]
    limit = timeouts(late, case.evidence.revisions)
    said = late["platform_text"] == platform.REQUEST_TIMEOUT.name
    return late[at_timeout(late["http_request_latency"], limit) | (limit.isna() & said)]


def _cut_sockets(case: Case, clear: pd.DataFrame) -> pd.DataFrame:
    """The sockets that ended at the timeout, of the revisions and clients of some shares."""
    sockets = case.durations[case.durations["at_timeout"] & settled(case.durations, case.evidence.pulled)]
    of = pd.MultiIndex.from_frame(sockets[["revision_name", "client"]].astype("str"))
    return sockets[of.isin(pd.MultiIndex.from_frame(clear[["revision_name", "client"]]))]


def _socket_words(case: Case, clear: pd.DataFrame, cut: pd.DataFrame) -> list[str]:
    if clear.empty:
        return []
    on, limit = numbers(case, clear["revision_name"]), _seconds(clear["timeout_s"])
    back, of = came_back(cut, case.opened, case.evidence.pulled)
    parts = [
        f"{clear['cut'].sum()} of {clear['long'].sum()} sockets on {on} that lived for half of the request timeout of "
        f"{limit} or longer were ended at it"
    ]
    return parts + ([f"{back} of {of} clients opened another one within 10 s"] if of else [])


def _request_words(case: Case, late: pd.DataFrame) -> list[str]:
    if late.empty:
        return []
    limit = timeouts(late, case.evidence.revisions).dropna()
    after = f" of {_seconds(limit)}" if len(limit) else ""
    on = numbers(case, late["revision_name"].dropna())
    many = late["weight"].sum()
    return [f"{many} request{'' if many == 1 else 's'} on {on} ended in 504 at the request timeout{after}"]


def _not_cut(case: Case, shares: pd.DataFrame, late: pd.DataFrame) -> Finding:
    """What is left where nothing is cut for certain: too few to say, no timeout to compare with, or ruled out."""
    few = shares[shares["high"] > 0.5]
    unknown = case.durations[case.durations["timeout_s"].isna()]
    again = "widen the window (--start), so that more sockets and requests have ended in it"
    if len(few):
        because = (
            f"{few['cut'].sum()} of {few['long'].sum()} sockets that lived for half of the request timeout of "
            f"{_seconds(few['timeout_s'])} or longer were ended at it: too few to say whether most are"
        )
        return undecided("request-timeout", case, because, again, shown=_cut_sockets(case, few))
    if len(late):
        because = f"{'; '.join(_request_words(case, late))}: too few of their kind to be the rule"
        return undecided("request-timeout", case, because, again, shown=late)
    if len(unknown):
        on = numbers(case, unknown["revision_name"].dropna())
        because = f"{len(unknown)} sockets ended on {on or 'no named revision'}, whose request timeout is not known"
        describe = services(case, "describe", "--format", TIMEOUT_FIELD)
        return undecided("request-timeout", case, because, describe, shown=unknown)
    return not_found("request-timeout", case, READS, _before_it(case, shares))


def _before_it(case: Case, shares: pd.DataFrame) -> str:
    """What speaks against it: how near to the timeout sockets came, and how they ended."""
    sockets = case.durations
    longest = sockets[sockets["at_timeout"] & (sockets["timeout_s"] >= LONGEST_S)]
    if len(shares):
        return (
            f"{shares['cut'].sum()} of {shares['long'].sum()} sockets that lived for half of the request timeout of "
            f"{_seconds(shares['timeout_s'])} or longer were ended at it: most ended before"
        )
    if len(longest):
        return f"{len(longest)} sockets were ended at 3600 s, the longest request timeout that there is"
    if sockets.empty:
        return ""
    last = sockets.loc[(sockets["duration_s"] / sockets["timeout_s"]).idxmax()]
    return (
        f"{len(sockets)} sockets ended before it: the one that came nearest to its request timeout of "
        f"{last['timeout_s']:g} s after {last['duration_s']:.1f} s"
    )


def _raise(case: Case) -> str:
    return f"{services(case, 'update', '--timeout', '3600')}, and let clients reconnect, as they must at any timeout"


def _lowered(case: Case, names: tuple[str, ...]) -> str | None:
    """The oldest of some revisions, where its timeout is shorter than that of the revision before it."""
    change = case.changes[case.changes["revision_name"].isin(names[:1])]
    known = limits(case.evidence.revisions)
    for row in change.itertuples():
        before, after = known.get(row.previous), known.get(row.revision_name)
        if before is not None and after is not None and after < before:
            return str(row.revision_name)
    return None


def _raised(case: Case, names: tuple[str, ...]) -> str | None:
    """The first revision after those affected that has a longer timeout; else one that traffic went back to."""
    known = limits(case.evidence.revisions)
    limit = max((known.get(name) or 0.0 for name in names), default=0.0)
    order = case.age_order([*known, *names])
    after = order[order.index(names[-1]) + 1 :] if names else ()
    return next((name for name in (*after, *case.serving) if (known.get(name) or 0.0) > limit), None)


def _ended_in_silence(case: Case) -> pd.DataFrame:
    """Live handshakes that were accepted and ended before their hold was over, without an application's own close.

    A close frame with a code of the application's is its decision, and an end at the request timeout the platform's.
    """
    tried = case.evidence.endpoint_handshakes
    early = tried[(tried["verdict"] == "accepted") & (tried["status"] == "failed") & (tried["held_s"] > 0)]
    code, words = PING_TIMEOUT
    pinged = (early["close_code"] == code) & early["close_reason"].fillna("").str.contains(words, regex=False)
    silent = early["close_code"].isna() | (early["close_code"] == NO_CLOSE_FRAME) | pinged
    at_limit = at_timeout(early["held_s"], pd.Series(_serving_limit(case), index=early.index, dtype="float64"))
    early = early[silent.fillna(False).astype("bool") & ~at_limit]
    return early[near(early["held_s"], early["held_s"].median())]


def _serving_limit(case: Case) -> float:
    """The shortest request timeout of the revisions that serve, in seconds; NaN where none is known."""
    known = limits(case.evidence.revisions)
    return min((value for name in case.serving if (value := known.get(name)) is not None), default=float("nan"))


def _nothing_ended(case: Case, same: pd.DataFrame) -> Finding:
    """No live handshake was ended: ruled out where one outlived the sockets that are alike, or where none are."""
    tried = case.evidence.endpoint_handshakes
    held = tried.loc[tried["verdict"] == "accepted", "held_s"].max()
    longer = same[~(same["duration_s"] * (1 + ALIKE) < held)]
    if longer.empty:
        words = f"a live handshake was held in silence for {held:.1f} s" if len(same) else ""
        return not_found("idle-timeout", case, IDLE_READS, words)
    own = longer[longer["client"] == longer.loc[longer["duration_s"].idxmin(), "client"]]
    lived = float(own["duration_s"].median())
    because = f"{len(own)} sockets of {_clients(own)} lived for about {lived:.2g} s: an idle timeout, or their stay"
    return undecided("idle-timeout", case, because, _hold(case, lived), shown=own)


def _not_only_idle(case: Case, ended: pd.DataFrame, same: pd.DataFrame, lived: float) -> Finding:
    """Held handshakes were ended, and nothing shows that a socket on which something is said lives on."""
    shared = f"{len(same)} sockets of {_clients(same)} lived as long" if len(same) else "no client's sockets are alike"
    because = f"{_ended_words(ended, lived)}, and {shared}; nothing shows that a busy socket lives on"
    settle = f"{_hold(case, lived)}, and beside it a client that says something every {lived / 3:.2g} s"
    return undecided("idle-timeout", case, because, settle, shown=same)


def _ended_words(ended: pd.DataFrame, lived: float) -> str:
    many = "1 live handshake was" if len(ended) == 1 else f"{len(ended)} live handshakes were"
    return f"{many} ended in silence after {lived:.2g} s"


def _clients(sockets: pd.DataFrame) -> str:
    return ", ".join(sorted(set(sockets["client"])))


def _ping(case: Case, lived: float) -> str:
    often = f"send something more often than every {lived:.2g} s, such as a ping every {lived / 3:.2g} s"
    return f"{often}, or let what is in front wait longer; to see it held: {_hold(case, lived)}"


def _hold(case: Case, lived: float) -> str:
    return probe(case, "--hold", str(max(2, round(lived * 2))))


def _seconds(values: pd.Series) -> str:
    return " or ".join(f"{value:g} s" for value in sorted(set(values)))
