"""Which errors are no part of the incident: they were there before it, at the same rate.

Reads error entries, their groups, the requests, and the stretch of time in which requests failed beyond the usual.
Rates are counted in requests, since a busy hour has more of every error. Without such a stretch there is no before:
then what every revision shows alike, three or more of them, is set apart. It cannot tell an old error that has become
harmful without becoming more frequent; so nothing about the WebSocket path, and nothing that failing handshakes follow,
is ever set apart.
"""

from __future__ import annotations

import pandas as pd

from incident.analysis.effects import ENOUGH
from incident.analysis.intervals import share_interval
from incident.analysis.onset import Incident

SEEN_BEFORE = 5
"""The fewest entries before the incident that make an error an old one."""

MOST_TIMES = 2.0
"""An old error whose rate has grown beyond this many times is not the same any more, however few its entries."""

REVISIONS = 3


def background(
    entries: pd.DataFrame, groups: pd.DataFrame, requested: pd.DataFrame, during: Incident | None
) -> pd.Series:
    """Whether each group (a row of `groups`, in their order) is background, by the rate of its entries."""
    if groups.empty:
        return pd.Series([], dtype="bool")
    old = _steady(entries, requested, during) if during else _spread(entries, groups)
    asked_about = entries["websocket"].fillna(False).astype(bool).groupby(entries["group"]).any()
    return (groups["group"].map(old) & ~groups["group"].map(asked_about)).astype("bool")


def _steady(entries: pd.DataFrame, requested: pd.DataFrame, during: Incident) -> pd.Series:
    """By group, whether it came before the incident and did not come more often in it."""
    exposed = requested.assign(group="").pipe(_before_and_during, during).loc[""]
    counts = _before_and_during(entries, during)
    return counts.apply(lambda row: is_steady((row["before"], row["during"]), tuple(exposed)), axis=1)


def _before_and_during(rows: pd.DataFrame, during: Incident) -> pd.DataFrame:
    """The weight of the rows of each group before the incident and in it."""
    before = rows["weight"].where(rows["ended"] < during.start, 0)
    inside = rows["weight"].where(rows["ended"].between(during.start, during.end), 0)
    return pd.DataFrame({"before": before, "during": inside}).groupby(rows["group"]).sum()


def is_steady(counts: tuple[int, int], exposed: tuple[int, int]) -> bool:
    """Whether an error with these counts before and during the incident kept its rate, by requests on both sides.

    The count during is compared with its part of the requests by an exact interval.

    >>> is_steady((50, 12), (1000, 240)), is_steady((50, 60), (1000, 240)), is_steady((2, 0), (1000, 240))
    (True, False, False)
    """
    (before, during), (requests_before, requests_during) = counts, exposed
    if before < SEEN_BEFORE or min(exposed) < ENOUGH:
        return False
    expected = requests_during / (requests_before + requests_during)
    grown = during * requests_before > MOST_TIMES * before * requests_during
    return not grown and share_interval(during, before + during)[0] <= expected


def rule(during: Incident | None) -> str:
    """What makes an error background here, in words.

    >>> rule(None)
    'on 3 revisions or more'
    """
    return f"there before {during.start:%H:%M:%S}, at the same rate" if during else f"on {REVISIONS} revisions or more"


def _spread(entries: pd.DataFrame, groups: pd.DataFrame) -> pd.Series:
    """By group, whether three revisions or more show it, the first one with errors among them."""
    first = entries["revision_name"].dropna().head(1).tolist()
    spread = [len(names) >= REVISIONS and names[:1] == first for names in groups["revisions"]]
    return pd.Series(spread, index=groups["group"], dtype="bool")
