"""Which kinds of clients something happens to more often than not, by a count that leaves no doubt."""

from __future__ import annotations

import pandas as pd

from incident.analysis.effects import ENOUGH
from incident.analysis.intervals import share_interval


def mostly(tried: pd.DataFrame, hit: pd.Series, *, since: bool = False, enough: int = ENOUGH) -> pd.DataFrame:
    """The rows of `tried` where `hit`, of those clients, on one revision, for whom it is more than half for certain.

    A scanner, or a few bad tokens among many good ones, is daily life and no incident. With `since` only what a client
    tried from its first hit to its last is counted, for what comes and goes while a revision serves.
    """
    if since:
        tried = tried[_meanwhile(tried, hit)]
        hit = hit[tried.index]
    by = [tried["revision_name"].astype("str"), tried["client"]]
    weighed = pd.DataFrame({"hit": hit * tried["weight"], "of": tried["weight"]})
    shares = weighed.groupby(by)[["hit", "of"]].sum()
    clear = [key for key, count, of in shares.itertuples() if of >= enough and _is_most(int(count), int(of))]
    kind = pd.MultiIndex.from_frame(tried[["revision_name", "client"]].astype("str"))
    return tried[hit & kind.isin(clear)]


def _meanwhile(tried: pd.DataFrame, hit: pd.Series) -> pd.Series:
    """Whether each row is between the first and the last hit of its client on its revision."""
    key = tried["revision_name"].astype("str") + " " + tried["client"]
    times = tried["timestamp"].where(hit).groupby(key)
    return tried["timestamp"].between(times.transform("min"), times.transform("max"))


def _is_most(count: int, of: int) -> bool:
    return share_interval(count, of)[0] > 0.5
