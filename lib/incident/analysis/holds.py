"""Whether a fix holds: no failure again, for one request timeout and longer, and past one restart of an instance.

Reads the requests, log entries and live handshakes since the fix took traffic, and the request timeout of the
revisions that serve. Sockets end at that timeout at the latest, and then every client has to connect anew; an instance
that took the place of another has started anew. A fix that was seen to pass both holds as far as evidence goes. It
cannot tell what a load does that has not come yet; nor, where the log has no instances or has gaps, whether it holds.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pandas as pd

from incident.analysis.before_after import STATES, standing
from incident.analysis.intervals import share_interval
from incident.analysis.ongoing import accepted_on
from incident.analysis.requests import SWITCHING_PROTOCOLS
from incident.scope import rfc3339

if TYPE_CHECKING:
    from incident.analysis.case import Case

State = Literal["holds", "not yet", "broke again", "fails", "unknown"]
CLOCK = "%Y-%m-%d %H:%M:%S UTC"
COLUMNS = ("condition", "met", "detail")
SERVER_ERROR = 500


@dataclass(frozen=True)
class Condition:
    """One thing that a fix which holds was seen to pass; `met` is None where that is not known."""

    name: str
    met: bool | None
    detail: str


@dataclass(frozen=True)
class Holding:
    """Whether a fix holds, and why; `since` is when it took traffic and `at` when it can be judged, UTC or NaT.

    `fails` is a fix that never worked, `broke again` one that did. `remedy` is the command that settles it and when to
    run it, empty where there is nothing to settle.
    """

    state: State
    because: str
    conditions: tuple[Condition, ...] = ()
    since: pd.Timestamp = pd.NaT
    at: pd.Timestamp = pd.NaT
    remedy: str = ""

    def table(self) -> pd.DataFrame:
        """The conditions as a table: `condition`, `met` (yes, no, unknown), `detail`."""
        words = {True: "yes", False: "no", None: "unknown"}
        rows = [(one.name, words[one.met], one.detail) for one in self.conditions]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def holds(case: Case) -> Holding:
    """Whether the fix of a case holds.

    The conditions: nothing fails again, the serving revisions held all traffic for one request timeout, a socket opened
    after it, and an instance that took the place of another opened one.
    """
    if not is_live(case):
        return Holding("not yet", "the fix does not hold all traffic", remedy=run_again(case))
    timeout, since, at = request_timeout(case), live_since(case), holds_at(case)
    if timeout is None or pd.isna(at):
        because = "since when it holds traffic, or the revision's request timeout, is not known"
        return Holding("unknown", because, since=since, remedy=run_again(case))
    seen = f"{lasting(case.evidence.pulled - since)} and {len(case.after_fix):,} requests since it took traffic"
    if failing := [*still_failing(case), *relapses(case)]:
        worked = bool((case.after_fix["websocket"] & ~case.after_fix["failed"]).any())
        some = ", ".join(failing[:3]) + (f", {len(failing) - 3} more" if len(failing) > 3 else "")
        again = (Condition("no failure again", False, some),)
        return Holding("broke again" if worked else "fails", f"{seen}; fails now: {some}", again, since)
    over = case.evidence.pulled >= at
    lasted = [_outlasted(case, timeout), *([_opened_after(case, at)] if over else [])]
    return _judged(case, seen, (_quiet(case), *lasted, _restarted(case, since)), since, at)


def _judged(
    case: Case, seen: str, conditions: tuple[Condition, ...], since: pd.Timestamp, at: pd.Timestamp
) -> Holding:  # fmt: skip
    """What conditions come to: one that is not met yet can still be, one that is not known may never be."""
    still_open = [one for one in conditions if not one.met]
    if not still_open:
        return Holding("holds", "; ".join([seen, *(one.detail for one in conditions[1:])]), conditions, since, at)
    state: State = "not yet" if any(one.met is False for one in still_open) else "unknown"
    because = f"{seen}; still to be seen: {'; '.join(one.detail for one in still_open)}"
    when = max(at.ceil("s"), case.evidence.pulled.ceil("s"))
    return Holding(state, because, conditions, since, at, f"after {when:{CLOCK}}: {run_again(case)}")


def is_live(case: Case) -> bool:
    """Whether none of the failing revisions serves any more, and another one does."""
    return bool(case.serving) and not set(case.serving) & set(case.fix.replaces)


def request_timeout(case: Case) -> pd.Timedelta | None:
    """The longest request timeout of the revisions that serve now, by their settings; None where none says it."""
    revisions = case.evidence.revisions
    settings = revisions.loc[revisions["revision_name"].isin(case.serving), "settings"].dropna()
    seconds = [value for text in settings if (value := json.loads(text).get("timeout_s"))]
    return pd.Timedelta(seconds=max(seconds)) if seconds else None


def live_since(case: Case) -> pd.Timestamp:
    """When the revisions that serve now took traffic from the failing ones, UTC; NaT where that is not known.

    One that traffic went back to served before: there it is the first request after the fault began.
    """
    if case.fix.went_back:
        return case.after_fix["timestamp"].min()
    revisions = case.evidence.revisions
    return revisions.loc[revisions["revision_name"].isin(case.serving), "traffic_start_time"].min()


def holds_at(case: Case) -> pd.Timestamp:
    """When the fix will have held for one request timeout, UTC; NaT where it is not live or a part is not known."""
    timeout = request_timeout(case)
    return live_since(case) + timeout if is_live(case) and timeout is not None else pd.NaT


def still_failing(case: Case) -> list[str]:
    """The checks and kinds of request that fail now, by name."""
    rows = case.before_after.to_dict("records")
    return [str(row["subject"]) for row in rows if standing(row) == STATES[0]]


def relapses(case: Case) -> list[str]:
    """The kinds of request that went well after the fix and whose last ones all fail, as before it; in words.

    As many in a row as leave no doubt that more than half fail, with a status that the fix was to end, or an error of
    the server. Only settled ones count, since a socket that is open has no entry yet; a live handshake that was
    accepted afterwards ends the row.
    """
    after = case.after_fix[case.after_fix.index.isin(case.settled_requests.index)]
    before = case.failed_requests[case.failed_requests["revision_name"].isin(case.fix.replaces)]
    mended = set(before.loc[before["websocket"], "http_request_status"])
    return [words for kind, own in after.groupby("request_kind") if (words := _relapse(case, str(kind), own, mended))]


def _relapse(case: Case, kind: str, own: pd.DataFrame, mended: set[int]) -> str:
    good = own.loc[~own["failed"], "timestamp"]
    last = own[own["timestamp"] > good.max()]
    again = last["http_request_status"].isin(mended) & last["websocket"] | (last["http_request_status"] >= SERVER_ERROR)
    if good.empty or not len(last) or not again.all() or share_interval(len(last), len(last))[0] <= 0.5:
        return ""
    accepted = _accepted(case)
    if last["websocket"].all() and (accepted > last["timestamp"].max()).any():
        return ""
    return f"{kind}, {len(last)} in a row since {last['timestamp'].min():%H:%M:%S} UTC"


def _accepted(case: Case) -> pd.Series:
    """When live handshakes were accepted by the revisions that serve now."""
    tried = case.evidence.endpoint_handshakes
    return pd.concat([accepted_on(tried, name, case.serving)["time"] for name in case.serving]).dropna()


def _quiet(case: Case) -> Condition:
    """Nothing failed again, in a log that would have it; a tail that has not settled is looked at the next time."""
    gap = case.evidence.gap("logs")
    if gap and gap.kind != "unsettled":
        return Condition("no failure again", None, f"no failure in a whole log ({gap.reason})")
    return Condition("no failure again", True, "nothing fails again")


def _outlasted(case: Case, timeout: pd.Timedelta) -> Condition:
    """It held traffic for longer than a socket may live."""
    name, at = "one request timeout", holds_at(case)
    left = at - case.evidence.pulled
    if left > pd.Timedelta(0):
        of = f"of the request timeout of {lasting(timeout)}, which is over at {at.ceil('s'):{CLOCK}}"
        return Condition(name, False, f"{lasting(left)} more {of}")
    return Condition(name, True, f"longer than the request timeout of {lasting(timeout)}; {_longest(case, timeout)}")


def _longest(case: Case, timeout: pd.Timedelta) -> str:
    """How long the longest socket was open, and what that shows about the timeout."""
    sockets = case.after_fix[case.after_fix["http_request_status"] == SWITCHING_PROTOCOLS]
    lived = [*sockets["http_request_latency"].dropna(), *case.evidence.endpoint_handshakes["held_s"].dropna()]
    longest = pd.Timedelta(seconds=max(lived, default=0.0))
    if longest >= timeout:
        return f"a socket lived {lasting(longest)}"
    return f"the longest socket lived {lasting(longest)}, which says nothing about the timeout"


def _opened_after(case: Case, at: pd.Timestamp) -> Condition:
    """Clients that connected anew after the timeout were let in: silence is no sign of it."""
    opened = case.after_fix.loc[case.after_fix["http_request_status"] == SWITCHING_PROTOCOLS, "timestamp"]
    last = pd.concat([opened, _accepted(case)]).max()
    name = "a socket opened after it"
    if pd.isna(last) or last < at:
        known = f" (the last one known opened at {last:%H:%M:%S})" if pd.notna(last) else " (none is known)"
        return Condition(name, False, f"a socket that opens after {at.ceil('s'):%H:%M:%S}{known}")
    return Condition(name, True, f"a socket opened after it, at {last:%H:%M:%S}")


def _restarted(case: Case, since: pd.Timestamp) -> Condition:
    """An instance whose first sign came after another's last one opened a socket: it had to start anew."""
    name, signs = "past one restart", _signs(case, since)
    if signs.empty:
        return Condition(name, None, "an instance that takes another's place (the log names none)")
    later = signs[(signs["first"] > signs["last"].min()) & signs["opened"].notna()]
    if later.empty:
        words = f"an instance that takes another's place and opens a socket ({len(signs)} seen so far)"
        return Condition(name, False, words)
    began = later["first"].min()
    return Condition(name, True, f"an instance that began at {began:%H:%M:%S} took another's place and opened sockets")


def _signs(case: Case, since: pd.Timestamp) -> pd.DataFrame:
    """One row an instance of the revisions that serve: its `first` and `last` sign, the first socket that it `opened`.

    The entries of our own handshakes count: they were there, and an instance had to answer them.
    """
    logs = case.evidence.logs
    own = logs[logs["revision_name"].isin(case.serving) & (logs["timestamp"] >= since) & logs["instance_id"].notna()]
    ended = own["timestamp"] + pd.to_timedelta(own["http_request_latency"].fillna(0), unit="s")
    opened = own["timestamp"].where(own["http_request_status"] == SWITCHING_PROTOCOLS)
    by = own.assign(ended=ended, opened=opened).groupby(own["instance_id"].astype("str"))
    return by.agg(first=("timestamp", "min"), last=("ended", "max"), opened=("opened", "min"))


def run_again(case: Case) -> str:
    """The command that looks again, over the same window and on to now."""
    scope = case.evidence.scope
    words = ["incident", "run", "websocket-outage", "--project", scope.project, "--region", scope.region]
    return shlex.join([*words, "--service", scope.service, "--start", rfc3339(scope.start)])


def lasting(time: pd.Timedelta) -> str:
    """A duration as a sentence says it, cut to whole seconds where it has some.

    >>> lasting(pd.Timedelta("5min 20.4s"))
    '5 min 20 s'
    """
    seconds = time.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes and rest else f"{minutes} min" if minutes else f"{rest} s"
