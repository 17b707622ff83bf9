"""How long sockets lived, and whether they end where the request timeout ends them.

Reads the entries of sockets that have ended (status 101, whose latency is the socket's life) and the revisions'
settings. Cloud Run ends a socket at the revision's request timeout; an entry within a second of it, or within a tenth
of a short one, is taken for such an end. It cannot tell who ended a socket before that: the client, the application
or a proxy. A socket that is still open has no entry, so of those opened less than one timeout before the evidence was
pulled only the short ones are known: `settled` leaves them out of every share.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from incident.analysis.effects import ENOUGH
from incident.analysis.intervals import share_interval

NEAR_S, NEAR_PART = 1.0, 0.1

LONGEST_S = 3600.0
"""The longest request timeout of Cloud Run (docs.cloud.google.com/run/docs/configuring/request-timeout)."""

ALIKE = 0.2
"""Two lives of sockets within this part of each other are alike."""

LEAST_S = 0.2
"""Lives shorter than this are those of clients that open a socket and leave: nothing waits so briefly."""

BACK = pd.Timedelta("10s")
"""A client that opens a socket so soon after its last one ended came back for it."""

COLUMNS = {
    "timestamp": "datetime64[ns, UTC]", "revision_name": "str", "request_kind": "str", "client": "str",
    "duration_s": "float64", "timeout_s": "float64", "at_timeout": "bool", "weight": "int64",
}  # fmt: skip

SHARES = ("revision_name", "client", "timeout_s", "long", "cut", "low", "high")


def durations(opened: pd.DataFrame, revisions: pd.DataFrame) -> pd.DataFrame:
    """One row a socket that has ended, oldest first, with COLUMNS and the keys of its log entry.

    `timestamp` is when it opened, UTC, `duration_s` its life and `timeout_s` its revision's request timeout, both in
    seconds, the latter null where it is not known; `at_timeout` is whether it ended there.
    """
    sockets = opened[opened["http_request_latency"].notna()].copy()
    sockets["duration_s"] = sockets["http_request_latency"].astype("float64")
    sockets["timeout_s"] = timeouts(sockets, revisions)
    sockets["at_timeout"] = at_timeout(sockets["duration_s"], sockets["timeout_s"])
    return sockets.sort_values("timestamp", kind="stable")


def timeouts(requested: pd.DataFrame, revisions: pd.DataFrame) -> pd.Series:
    """The request timeout, in seconds, of the revision that answered each request; null where it is not known."""
    return requested["revision_name"].astype("object").map(limits(revisions)).astype("float64")


def limits(revisions: pd.DataFrame) -> Mapping[str, float | None]:
    """The request timeout of each revision by its name, in seconds; None where its settings do not say it."""
    return {name: timeout(text) for name, text in zip(revisions["revision_name"], revisions["settings"], strict=True)}


def at_timeout(lasted_s: pd.Series, timeout_s: pd.Series) -> pd.Series:
    """Whether each time is that of a request timeout: within a second of it, within a tenth of a short one.

    >>> at_timeout(pd.Series([300.4, 298.0, 2.1]), pd.Series([300.0, 300.0, 2.0])).to_list()
    [True, False, True]
    """
    return (lasted_s - timeout_s).abs() <= (timeout_s * NEAR_PART).clip(upper=NEAR_S)


def timeout(settings: object) -> float | None:
    """The request timeout in a revision's settings, in seconds.

    >>> timeout('{"timeout_s": 300.0}')
    300.0
    """
    found = json.loads(settings).get("timeout_s") if isinstance(settings, str) and settings else None
    return float(found) if isinstance(found, int | float) else None


def settled(sockets: pd.DataFrame, pulled: pd.Timestamp) -> pd.Series:
    """Whether each socket opened so long ago that its entry would be there however long it lived.

    False where the timeout is not known.
    """
    return sockets["timestamp"] + pd.to_timedelta(sockets["timeout_s"], unit="s") <= pulled


def cut_shares(sockets: pd.DataFrame, pulled: pd.Timestamp) -> pd.DataFrame:
    """One row a revision and kind of client of which a settled socket ended at the timeout: SHARES.

    `long` counts its settled sockets that lived for half the timeout or longer, `cut` those of them that ended at it;
    `low` and `high` are the exact 95 % interval of the share. Clients that leave when they like spread their ends over
    the second half of a timeout, and few fall on its last second; visits that were short anyway say nothing of it.
    """
    known = sockets[settled(sockets, pulled)]
    known = known[known["duration_s"] >= known["timeout_s"] / 2]
    known = known.assign(cut=known["at_timeout"] * known["weight"])
    by = [known["revision_name"].astype("str"), known["client"]]
    counted = known.groupby(by).agg(timeout_s=("timeout_s", "first"), long=("weight", "sum"), cut=("cut", "sum"))
    shares = counted[counted["cut"] > 0].reset_index()
    both = [share_interval(int(row.cut), int(row.long)) for row in shares.itertuples()]
    return shares.assign(low=[low for low, _ in both], high=[high for _, high in both])[list(SHARES)]


def clear_cuts(shares: pd.DataFrame) -> pd.DataFrame:
    """The rows of `cut_shares` where enough were cut, for certain most, at a timeout that could be longer."""
    return shares[(shares["timeout_s"] < LONGEST_S) & (shares["cut"] >= ENOUGH) & (shares["low"] > 0.5)]


def timeout_spans(bands: pd.DataFrame, revisions: pd.DataFrame) -> pd.DataFrame:
    """When which request timeout held, by the bands of `bars.revision_bands`: `start`, `end`, `timeout_s`.

    Revisions one after the other with the same timeout are one span; one whose timeout is not known has none.
    """
    known = bands.assign(timeout_s=bands["revision_name"].astype("object").map(limits(revisions)).astype("float64"))
    turn = (known["timeout_s"] != known["timeout_s"].shift()).cumsum()
    spans = known.groupby(turn).agg(start=("start", "min"), end=("end", "max"), timeout_s=("timeout_s", "first"))
    return spans.dropna(subset="timeout_s").reset_index(drop=True)


def ends(sockets: pd.DataFrame) -> tuple[int, int, int]:
    """How many sockets ended before their request timeout, at it, and later, where it is known."""
    weight, cut = sockets["weight"], sockets["at_timeout"]
    shorter, longer = (sockets["duration_s"] < sockets["timeout_s"]), (sockets["duration_s"] > sockets["timeout_s"])
    return int(weight[shorter & ~cut].sum()), int(weight[cut].sum()), int(weight[longer & ~cut].sum())


def came_back(cut: pd.DataFrame, opened: pd.DataFrame, pulled: pd.Timestamp) -> tuple[int, int]:
    """Of the sockets that were cut, after how many the client opened another within ten seconds, and of how many.

    A client is an address with a user agent. The next socket has an entry only once it ended, so a cut counts from one
    timeout before the pull back; (0, 0) where the log has no addresses.
    """
    who = ["http_request_remote_ip", "http_request_user_agent"]
    ended = cut.dropna(subset=who).assign(at=cut["timestamp"] + pd.to_timedelta(cut["duration_s"], unit="s"))
    ended = ended[ended["at"] + pd.to_timedelta(ended["timeout_s"], unit="s") + BACK <= pulled].sort_values("at")
    next_ones = (
        opened.dropna(subset=who).sort_values("timestamp")[[*who, "timestamp"]].rename(columns={"timestamp": "back"})
    )
    if ended.empty:
        return 0, 0
    for name in who:
        ended[name], next_ones[name] = ended[name].astype("str"), next_ones[name].astype("str")
    found = pd.merge_asof(ended, next_ones, left_on="at", right_on="back", by=who, direction="forward", tolerance=BACK)
    return int(found["back"].notna().sum()), len(found)


def alike(sockets: pd.DataFrame) -> pd.DataFrame:
    """The sockets of those kinds of clients most of which lived equally long, and not until the request timeout."""
    short = sockets[~sockets["at_timeout"] & (sockets["duration_s"] > LEAST_S)]
    parts = []
    for client, own in short.groupby("client", observed=True):
        middle = own["duration_s"].median()
        same = own[near(own["duration_s"], middle, ALIKE / 2)]
        if len(same) >= ENOUGH and share_interval(len(same), int((sockets["client"] == client).sum()))[0] > 0.5:
            parts.append(same)
    return pd.concat(parts) if parts else short[:0]


def near(lived_s: pd.Series, other_s: float, part: float = ALIKE) -> pd.Series:
    """Which lives are within a part of another one.

    >>> near(pd.Series([30.0, 35.0, 40.0]), 30.0).to_list()
    [True, True, False]
    """
    return (lived_s - other_s).abs() <= part * other_s


def lived_through(sockets: pd.DataFrame, ended: pd.DataFrame, lived_s: float) -> pd.DataFrame:
    """The sockets that were open while those of `ended` were ended after `lived_s`, and lived for longer than that."""
    first = (ended["timestamp"] + pd.to_timedelta(ended["duration_s"], unit="s")).min()
    until = sockets["timestamp"] + pd.to_timedelta(sockets["duration_s"], unit="s")
    return sockets[(sockets["duration_s"] > lived_s * (1 + ALIKE)) & (until > first)]
