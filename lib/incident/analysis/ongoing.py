"""Whether a failure still goes on, judged on each revision by itself.

Reads requests, the revisions that serve now, and the live handshakes. A failure goes on where a revision that serves
showed it and has not worked since: other revisions, other kinds of requests and one lucky answer say nothing. It
cannot tell a failure that has stopped from one whose next occurrence is due: a pause counts as an end only when it is
longer than any before it, and when more was answered well in it than in any before it: an hour without a request is
no pause.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from incident.analysis.effects import ENOUGH


def still_failing(
    failures: pd.DataFrame, requested: pd.DataFrame, kinds: Iterable[str], serving: Sequence[str],
    handshakes: pd.DataFrame,
) -> bool:  # fmt: skip
    """Whether `failures` (rows with `timestamp`, `revision_name`) go on, on any revision of `serving`.

    `kinds` are the kinds of requests that they spoil; none means every handshake.
    """
    wanted = set(kinds)
    spoiled = requested["request_kind"].isin(wanted) if wanted else requested["websocket"]
    for revision in serving:
        own = failures.loc[failures["revision_name"] == revision, "timestamp"].sort_values()
        answered = requested[spoiled & (requested["revision_name"] == revision)]
        if len(own) and not _ended(own, answered, _accepted_times(handshakes, revision, serving)):
            return True
    return False


def accepted_on(handshakes: pd.DataFrame, revision: str, serving: Sequence[str]) -> pd.DataFrame:
    """The live handshakes that a revision accepted: by its own log entry, or because it alone serves."""
    accepted = handshakes[handshakes["verdict"] == "accepted"]
    named = accepted["revision_name"].fillna(revision if list(serving) == [revision] else "")
    return accepted[named == revision]


def _accepted_times(handshakes: pd.DataFrame, revision: str, serving: Sequence[str]) -> pd.Series:
    return accepted_on(handshakes, revision, serving)["time"].dropna()


def _ended(failures: pd.Series, answered: pd.DataFrame, accepted: pd.Series) -> bool:
    """The revision worked after the last failure, for longer, and for more requests, than it ever did between two."""
    last, longest = failures.iloc[-1], failures.diff().max()
    later = answered[answered["timestamp"] > last]
    good = later.loc[~later["failed"], "timestamp"]
    works = bool((accepted > last).any()) or (len(good) >= ENOUGH and not later["failed"].any())
    seen_until = max([last, *good.tail(1), *accepted[accepted > last]])
    is_longer = bool(pd.isna(longest) or seen_until - last > longest)
    return (
        works
        and is_longer
        and _is_more(failures, pd.concat([answered.loc[~answered["failed"], "timestamp"], accepted]))
    )


def _is_more(failures: pd.Series, good: pd.Series) -> bool:
    """Whether more went well after the last failure than between any two before it."""
    before = good.sort_values().searchsorted(failures, side="right")
    return len(good) - int(before[-1]) > max(np.diff(before), default=0)
