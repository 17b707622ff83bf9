"""Title and caption of the chart of sockets' lives: whether they end at the request timeout, and since when.

Reads `analysis.durations`; every number comes from it. Few ends at the timeout are said to be few, and that sockets
which are still open have no entry is said with the time from which on it matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import pandas as pd

from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.analysis.durations import LONGEST_S, clear_cuts, cut_shares, ends
from incident.charts.titles import gaps, of_service, reason
from incident.charts.words import SPACE, counted, lasting, moment, of, short_time, window

EXACT_S = 600
"""Lives up to here are said in seconds, as the timeout is."""


SHORT_S = 10
"""Lives below this are alike in whole seconds, so that only the timeout is named."""


@dataclass(frozen=True)
class Told:
    """The revision that the picture is about, and how its sockets ended.

    `clear` where most of those that stayed were cut for certain, `few` where most were not.
    `others` counts, of the sockets on other revisions, those that lived as long as these were allowed to, and all.
    """

    revision: str | None = None
    timeout_s: float | None = None
    shorter: int = 0
    at: int = 0
    longer: int = 0
    clear: bool = False
    few: bool = False
    others: tuple[int, int] = (0, 0)

    @property
    def total(self) -> int:
        """How many sockets ended on it, by a timeout that is known."""
        return self.shorter + self.at + self.longer


def told(case: Case) -> Told:
    """The newest revision on which sockets are cut for certain, else the newest one of which a socket ended."""
    sockets = case.durations.dropna(subset=["timeout_s", "revision_name"])
    if sockets.empty:
        return Told()
    shares = cut_shares(sockets, case.evidence.pulled)
    clear = clear_cuts(shares)
    names = case.age_order(clear["revision_name"] if len(clear) else sockets["revision_name"])
    own = sockets[sockets["revision_name"] == names[-1]]
    limit = float(own["timeout_s"].iloc[0])
    known = case.durations[case.durations["revision_name"] != names[-1]]
    near = known[(known["duration_s"] - limit).abs() <= (own["duration_s"] - limit).abs()[own["at_timeout"]].max()]
    others = int(near["weight"].sum()), int(known["weight"].sum())
    few = bool((shares.loc[shares["revision_name"] == names[-1], "high"] <= 0.5).all())
    return Told(names[-1], limit, *ends(own), len(clear) > 0, few, others)


def durations_title(case: Case, about: Told, began: pd.Timestamp) -> str:
    """Whether sockets end at the request timeout; `began` is when the revision that it is about took traffic."""
    sockets = case.durations
    if sockets.empty:
        gap, none = case.evidence.gap("logs"), none_ended(case)
        return f"Cannot be judged: {none}; {reason(gap)}" if gap else none[:1].upper() + none[1:]
    longest = life(sockets["duration_s"].max())
    if about.revision is None or about.timeout_s is None:
        return f"{_ended(sockets)}, the longest after {longest}; no request timeout is known"
    if about.clear:
        return _clear(case, about, began)
    if about.at:
        where = f"on {short_name(about.revision)} end at the request timeout of {seconds(about.timeout_s)}"
        most = "most end before it" if about.few else "whether most do cannot be judged yet"
        last = ", the longest that there is" if about.timeout_s >= LONGEST_S else f"; {most}"
        return f"{of(about.at, about.total)} sockets {where}{last}"
    if len(sockets) == 1:
        return (
            f"Cannot be judged yet: 1 socket ended, after {longest} of a request timeout of {seconds(about.timeout_s)}"
        )
    return f"No socket ends at its request timeout: {_ended(sockets)}, {_nearest(sockets)}"


def none_ended(case: Case) -> str:
    """That no socket is known to have ended, in how many entries; without a latency only its opening is."""
    entries = counted(len(case.evidence.service_logs), "entry")
    if len(case.opened):
        return f"how long {counted(int(case.opened['weight'].sum()), 'socket')} lived is not in {entries}"
    return f"no socket ended in {entries}"


def durations_caption(case: Case, start: pd.Timestamp, edge: pd.Timestamp | None, thinned: bool, rings: int) -> str:
    """What was counted, how dots are to be read, what is not in the picture, and the gaps.

    `start` is where the picture begins, `edge` the time from which on sockets may still be open, None where all ended.
    """
    scope, sockets = case.evidence.scope, case.durations
    entries = counted(len(case.evidence.service_logs), "log entry")
    over = "; those that would cover each other are drawn once" if thinned else ""
    ring = " A ring is a live handshake that the other side ended." if rings else ""
    since = (
        "the first one on" if edge is not None and edge <= start else f"{moment(edge)} on" if edge is not None else ""
    )
    still = f" A socket that is still open has no entry yet: from {since} this may not be all." if since else ""
    scale = " Durations on a log scale." if len(sockets) else ""
    return (
        f"{counted(len(sockets), 'socket')} that ended (status 101) {of_service(case)}, among {entries}, "
        f"{window(scope.start, scope.end)}. One dot a socket, at the time it opened{over}.{ring}{still}{scale} "
        f"{gaps(case, ('logs', 'revisions'))}"
    )


def life(lived_s: float) -> str:
    """How long a socket lived, in the unit that people compare it in.

    >>> life(0.0098), life(168.2), life(3000)
    ('9.8\\xa0ms', '168\\xa0s', '50\\xa0min')
    """
    if lived_s < 10:
        return short_time(lived_s)
    return f"{lived_s:.0f}{SPACE}s" if lived_s < EXACT_S else lasting(pd.Timedelta(seconds=lived_s), short=True)


def seconds(timeout_s: float) -> str:
    """A request timeout, as its setting says it.

    >>> seconds(300.0)
    '300\\xa0s'
    """
    return f"{timeout_s:g}{SPACE}s"


def _clear(case: Case, about: Told, began: pd.Timestamp) -> str:
    """That most sockets are cut, since when; or were, on a revision that serves no more."""
    name, limit = short_name(about.revision or ""), seconds(about.timeout_s or 0)
    cut = case.durations[(case.durations["revision_name"] == about.revision) & case.durations["at_timeout"]]
    low, high = floor(cut["duration_s"].min()), ceil(cut["duration_s"].max())
    span = f"{low} to {high}{SPACE}s" if high >= SHORT_S else limit
    before = f", against {of(*about.others)} on other revisions" if about.others[1] else ""
    if about.revision not in case.serving:
        many = f"{of(about.at, about.total)} lasted {span}{before}"
        return f"On {name} sockets ended at the request timeout of {limit}: {many}"
    since = f"Since {moment(began.floor('s'))} sockets" if pd.notna(began) else "Sockets"
    return f"{since} end at the request timeout of {limit}: {of(about.at, about.total)} on {name} last {span}{before}"


def _ended(sockets: pd.DataFrame) -> str:
    return f"{counted(int(sockets['weight'].sum()), 'socket')} ended"


def _nearest(sockets: pd.DataFrame) -> str:
    """The socket that came nearest to its timeout."""
    known = sockets.dropna(subset="timeout_s")
    row = known.loc[(known["duration_s"] / known["timeout_s"]).idxmax()]
    return f"the longest after {life(row['duration_s'])} of {seconds(row['timeout_s'])}"
