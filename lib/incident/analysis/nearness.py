"""Which entries have one of another group shortly before them, for all groups at once.

Reads error entries. Near means within a minute, on the same instance or in the same trace; on the same revision, where
the entry names no instance or the other group never spoke of that instance. An entry stands at its end: a request's
time is its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd

WITHIN = pd.Timedelta("60s")

Side = Literal["before", "after"]


def near(entries: pd.DataFrame, leaders: Sequence[str], side: Side = "before") -> pd.DataFrame:
    """For each entry (row) and each leading group (column), whether one of that group is near, on one side of it."""
    same_instance = near_by(entries, leaders, "instance_id", side)
    same_revision = near_by(entries, leaders, "revision_name", side)
    led_traces = entries.loc[entries["group"].isin(leaders), "trace"].dropna()
    same_trace = near_by(entries[entries["trace"].isin(led_traces)], leaders, "trace", side)
    spoken_of = pd.crosstab(entries["instance_id"].astype("object"), entries["group"]) > 0
    instances = entries["instance_id"].astype("object")
    known = spoken_of.reindex(columns=leaders, fill_value=False).reindex(instances, fill_value=False)
    same_trace = same_trace.reindex(entries.index, fill_value=False)
    return same_instance | same_trace | (same_revision & ~known.set_axis(entries.index))


def near_by(entries: pd.DataFrame, leaders: Sequence[str], by: str, side: Side) -> pd.DataFrame:
    """As `near`, for entries that name the same `by` alone."""
    named = entries[entries[by].notna()]
    led = named["group"].isin(leaders)
    # Of two at the same moment the leading one comes first, so that it is seen from the other.
    in_time = named.assign(led=led if side == "after" else ~led).sort_values(["ended", "led"], kind="stable")
    own = pd.DataFrame({leader: in_time["ended"].where(in_time["group"] == leader) for leader in leaders})
    place = in_time[by].astype("object")
    last = own.groupby(place).ffill() if side == "before" else own.groupby(place).bfill()
    distance = last.rsub(in_time["ended"], axis=0).abs()
    return (distance <= WITHIN).reindex(entries.index, fill_value=False)
