"""The stretches of time between changes, and what a change outside revisions did, judged by the requests around it.

Reads requests by their start, and the times of changes of either sort. A request counts in the stretch that it began
in, whoever answered it, so that what the platform refused before any instance counts too. It cannot tell an effect of
a change from one of something else that happened at the same moment; two changes with too few requests between them
are confounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from incident.analysis.effects import ENOUGH, effect_of
from incident.analysis.outside import is_effective, times

FIRST, LAST = pd.Timestamp.min.tz_localize("UTC"), pd.Timestamp.max.tz_localize("UTC")
COLUMNS = ["effect", "on", "compared_with", "confounded"]


def outside_effects(
    changes: pd.DataFrame, requested: pd.DataFrame, made: Iterable[pd.Timestamp], enough: int = ENOUGH
) -> pd.DataFrame:
    """`changes` with `effect`, `on`, `compared_with` (null) and `confounded`, judged by time.

    Requests that began between the change before and this one are compared with those until the next, kind by kind.
    `made` are the times of the revisions' own changes, which bound a change's requests as the others do. Confounded
    means that fewer than `enough` requests lie between this change and a neighbour. A call that was refused changed
    nothing, so its effect is `none`.
    """
    effective = is_effective(changes)
    bounds = sorted({FIRST, *changes.loc[effective, "time"], *made, LAST})
    ordered = requested.sort_values("timestamp", kind="stable")
    begun = pd.DatetimeIndex(ordered["timestamp"])
    rows = []
    for time, came_to_be in zip(changes["time"], effective, strict=True):
        if not came_to_be:
            rows.append(_verdict("none", [], False))
            continue
        at = bounds.index(time)
        cuts = [int(begun.searchsorted(bound)) for bound in bounds[at - 1 : at + 2]]
        before, after = ordered.iloc[cuts[0] : cuts[1]], ordered.iloc[cuts[1] : cuts[2]]
        rows.append(_judged(before, after, (bounds[at - 1] != FIRST, bounds[at + 1] != LAST), enough))
    return pd.concat([changes, pd.DataFrame(rows, columns=COLUMNS, index=changes.index)], axis=1)


def first_and_last(
    requested: pd.DataFrame, cuts: Iterable[pd.Timestamp], enough: int = ENOUGH
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The requests of each revision in the first and in the last of the stretches that some times cut its life into.

    Only a stretch with `enough` requests counts; a revision without one keeps all of its requests.
    """
    bounds = pd.DatetimeIndex(sorted(cuts))
    if bounds.empty or requested.empty:
        return requested, requested
    name = requested["revision_name"].astype("object")
    stretch = pd.Series(bounds.searchsorted(requested["timestamp"], side="right"), requested.index)
    many = requested["weight"].groupby([name, stretch]).transform("sum") >= enough
    full = stretch.where(many)
    ends = (full.groupby(name).transform(end) for end in ("min", "max"))
    first, last = (requested[(stretch == end) | (end.isna() & name.notna())] for end in ends)
    return first, last


def crossed(changes: pd.DataFrame, outside: pd.DataFrame, first: pd.DataFrame, last: pd.DataFrame) -> pd.Series:
    """Whether a change outside revisions lies between the requests that each revision's effect was judged by.

    `first` and `last` are those of `first_and_last`: the base's last ones came before it, the revision's first ones
    after it, so that either may have done it. Traffic that is sent to a revision is no second cause: without it, there
    would be no requests to judge the revision by.
    """
    began, ended = (
        part.groupby("revision_name", observed=True)["timestamp"].agg(end)
        for part, end in ((first, "min"), (last, "max"))
    )  # fmt: skip
    moments = times(outside, but=["traffic"])
    found = [
        any(ended[base] < moment <= began[name] for moment in moments) if base in ended and name in began else False
        for name, base in zip(changes["revision_name"], changes["compared_with"], strict=True)
    ]
    return pd.Series(found, index=changes.index, dtype="bool")


def _judged(before: pd.DataFrame, after: pd.DataFrame, neighbours: tuple[bool, bool], enough: int) -> dict[str, Any]:
    """The worst clear effect over all kinds of requests, with the kinds that show it."""
    effects = _by_kind(before, after, enough)
    few = [int(part["weight"].sum()) < enough for part in (before, after)]
    confounded = any(is_few and is_near for is_few, is_near in zip(few, neighbours, strict=True))
    for effect in ("broke", "fixed", "unknown", "none"):
        if on := [kind for kind, found in effects.items() if found == effect]:
            return _verdict(effect, on, confounded)
    return _verdict("unknown", [], confounded)


def _verdict(effect: str, on: list[str], confounded: bool) -> dict[str, Any]:
    return {"effect": effect, "on": on, "compared_with": None, "confounded": confounded}


def _by_kind(before: pd.DataFrame, after: pd.DataFrame, enough: int) -> dict[str, str]:
    counts = [
        rows.assign(failed=rows["failed"] * rows["weight"]).groupby("request_kind")[["failed", "weight"]].sum()
        for rows in (before, after)
    ]  # fmt: skip
    both = counts[0].add_suffix("_before").join(counts[1], how="inner")
    both = both[(both["weight_before"] >= enough) & (both["weight"] >= enough)]
    return {
        str(kind): effect_of(
            (int(row.failed_before), int(row.weight_before)), (int(row.failed), int(row.weight)), enough
        )
        for kind, row in both.iterrows()
    }
