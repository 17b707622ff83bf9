"""What each change did to the rate of failing requests, decided by count.

Reads requests by revision and kind, and the changes. A change is judged by the requests its revision served against
those of the last revision before it that served enough. It cannot tell an effect of the change from one of something
else that happened at the same moment, and says `unknown` while too few requests came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pandas as pd

from incident.analysis.intervals import difference_interval

Effect = Literal["broke", "fixed", "none", "unknown"]
Counts = Mapping[str, tuple[int, int]]

ENOUGH = 10
"""The fewest requests of one kind, on each side, that a rate is compared by."""

MARGIN = 0.10
"""A difference whose whole interval lies within this many points of zero is no difference."""


def change_effects(
    changes: pd.DataFrame, counts: pd.DataFrame, before: pd.DataFrame | None = None, enough: int = ENOUGH
) -> pd.DataFrame:
    """`changes` with `effect`, `on` (the kinds that decided), `compared_with` and `confounded`.

    `confounded` is true where the revision just before had too few requests of its own, so that two changes, or
    more, lie between the rates compared. `counts` are each revision's requests as it began, `before` as it ended, where
    these differ: a policy that was closed on a revision later is no effect of that revision.
    """
    by_revision = {name: _counts(part) for name, part in counts.groupby("revision_name", observed=True)}
    ending = by_revision if before is None else {
        name: _counts(part) for name, part in before.groupby("revision_name", observed=True)
    }  # fmt: skip
    rows = []
    for change in changes.itertuples():
        base = _base(changes, change.Index, ending, enough)
        effect, on = _effect(ending.get(base, {}), by_revision.get(change.revision_name, {}), enough)
        confounded = base != change.previous
        rows.append({"effect": effect, "on": on, "compared_with": base, "confounded": confounded})
    columns = ["effect", "on", "compared_with", "confounded"]
    return pd.concat([changes, pd.DataFrame(rows, columns=columns, index=changes.index)], axis=1)


def effect_of(before: tuple[int, int], after: tuple[int, int], enough: int = ENOUGH) -> Effect:
    """The effect between two counts of (failed, requests).

    >>> effect_of((60, 60), (60, 60)), effect_of((0, 60), (12, 12)), effect_of((0, 60), (3, 3))
    ('none', 'broke', 'unknown')
    """
    if min(before[1], after[1]) < enough:
        return "unknown"
    low, high = difference_interval(before, after)
    if low >= -MARGIN and high <= MARGIN:
        return "none"
    return "broke" if low > 0 else "fixed" if high < 0 else "unknown"


def _effect(before: Counts, after: Counts, enough: int) -> tuple[Effect, list[str]]:
    """The worst clear effect over all kinds of requests, and the kinds that show it; `none` only where all agree."""
    by_kind = {kind: effect_of(before[kind], after[kind], enough) for kind in sorted({*before} & {*after})}
    compared = {kind: effect for kind, effect in by_kind.items() if min(before[kind][1], after[kind][1]) >= enough}
    for effect in ("broke", "fixed", "unknown", "none"):
        if on := [kind for kind, found in compared.items() if found == effect]:
            return effect, on
    return "unknown", []


def _base(changes: pd.DataFrame, position: int, by_revision: Mapping[str, Counts], enough: int) -> str | None:
    """The nearest revision before a change that served enough of any kind; else the one before, however little."""
    earlier = list(changes["previous"].iloc[: position + 1])[::-1]
    served = (name for name in earlier if any(tries >= enough for _, tries in by_revision.get(name, {}).values()))
    return next(served, earlier[0] if earlier else None)


def _counts(part: pd.DataFrame) -> Counts:
    return {row.request_kind: (row.failed, row.count) for row in part.itertuples()}
