"""When requests began to fail more than they did before, and until when.

Reads requests. Each is weighed against the usual share of its own kind over the window, so that a kind which always
fails, or a change in who calls, is no onset. The incident is the stretch of time whose requests failed most beyond
that. It cannot tell a window that begins inside the incident from a service that was always like this: there is no
onset then. Of two incidents in one window the worse one counts.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from incident.analysis.effects import ENOUGH, effect_of


class Incident(NamedTuple):
    """The first and the last failing request of the stretch, by the time their entries were written, UTC."""

    start: pd.Timestamp
    end: pd.Timestamp


def incident(requested: pd.DataFrame, enough: int = ENOUGH) -> Incident | None:
    """The stretch of `requested` (rows of `analysis.requests.requests`) that failed beyond what is usual; or None.

    It is one only where a kind of request clearly failed more inside it than outside, by the rule that judges a change.
    """
    if requested.empty or not requested["failed"].any():
        return None
    rows = requested.sort_values("ended", kind="stable", ignore_index=True)
    first, last = _worst_stretch(_beyond_usual(rows))
    inside = pd.Series(False, index=rows.index)
    inside.iloc[first : last + 1] = True
    if not _clearly_worse(rows, inside, enough):
        return None
    failed = rows.loc[inside & rows["failed"], "ended"]
    return Incident(failed.iloc[0], failed.iloc[-1])


def _beyond_usual(rows: pd.DataFrame) -> pd.Series:
    """How much each request failed beyond its kind's share, in requests."""
    failed = rows["failed"] * rows["weight"]
    by_kind = rows["request_kind"]
    usual = failed.groupby(by_kind).transform("sum") / rows["weight"].groupby(by_kind).transform("sum")
    return failed - usual * rows["weight"]


def _worst_stretch(beyond: pd.Series) -> tuple[int, int]:
    """The positions of the stretch with the largest sum (Bentley, CACM 27 no. 9, 1984), by running sums."""
    total = beyond.cumsum()
    lowest = total.shift(fill_value=0.0).cummin()
    last = int((total - lowest).to_numpy().argmax())
    before = total.shift(fill_value=0.0).iloc[: last + 1]
    return int(before.to_numpy().argmin()), last


def _clearly_worse(rows: pd.DataFrame, inside: pd.Series, enough: int) -> bool:
    counts = rows.assign(failed=rows["failed"] * rows["weight"], inside=inside)
    totals = counts.groupby(["request_kind", "inside"])[["failed", "weight"]].sum()
    for kind in totals.index.unique("request_kind"):
        of_kind = {at: (int(failed), int(weight)) for at, failed, weight in totals.loc[kind].itertuples()}
        if len(of_kind) == 2 and effect_of(of_kind[False], of_kind[True], enough) == "broke":
            return True
    return False
