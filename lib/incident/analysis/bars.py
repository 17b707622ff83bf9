"""What the charts draw over time, as frames: lanes and bars of errors, the first seconds, bands and shares of traffic.

Reads the frames of a case. Decides how wide a bar of time is and which lanes are folded into one; a chart only places
what is here. It cannot tell how much room there is: that is a parameter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd

from incident.analysis.changes import short_name
from incident.evidence import Evidence


class Fold(NamedTuple):
    """How many lanes are drawn, and, of more, how many of the first and of the largest of the rest are kept."""

    most: int
    first: int
    largest: int


class Edges(NamedTuple):
    """A span of time and how long a bar in it is."""

    start: pd.Timestamp
    end: pd.Timestamp
    width: pd.Timedelta


STEPS = pd.to_timedelta(
    ["1s", "2s", "5s", "10s", "15s", "30s", "1min", "2min", "5min", "10min", "15min", "30min", "1h",
     "3h", "6h", "12h", "1D"]
)  # fmt: skip
"""How long a bar may be; beyond the last one a window is cut in equal parts."""

LEAST_PIXELS = 4
"""Bars and first appearances that are closer than this cannot be told apart."""

FOLDS = {False: Fold(12, 9, 2), True: Fold(4, 2, 1)}
"""For groups, and for those of the background."""

SPARSE = 0.5
"""Entries that fill less than this part of the window are drawn over their own time, not over the window."""

PANEL_SECONDS = 10
"""A request of the first seconds that lasts longer runs out of the panel."""

LANE_COLUMNS = (
    "order", "title", "kind", "count", "first_seen_time", "last_seen_time", "first_ended", "background", "may_be_older",
    "follows", "follows_order", "follows_count", "in_order", "revisions", "groups",
)  # fmt: skip


def drawn_span(evidence: Evidence) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The time that a chart covers, UTC: the window; where entries fill less than half of it, the time they fill.

    Logs with a gap are drawn over the window, so that what is missing is seen; a tail that may still come is no gap.
    """
    scope, times, gap = evidence.scope, evidence.service_logs["timestamp"], evidence.gap("logs")
    filled = times.empty or times.max() - times.min() >= SPARSE * (scope.end - scope.start)
    if filled or (gap and gap.kind != "unsettled"):
        return scope.start, scope.end
    room = max((times.max() - times.min()) / 50, pd.Timedelta("1s"))
    start = max(scope.start, (times.min() - room).floor("s"))
    return start, min(scope.end, (times.max() + room).ceil("s"))


def bar_width(start: pd.Timestamp, end: pd.Timestamp, pixels: float) -> pd.Timedelta:
    """The shortest of STEPS that leaves a bar LEAST_PIXELS wide where the span is `pixels` wide.

    >>> day = pd.Timestamp("2025-09-07", tz="UTC")
    >>> str(bar_width(day, day + pd.Timedelta("4h"), 430))
    '0 days 00:05:00'
    """
    least = (end - start) * LEAST_PIXELS / pixels
    return next((step for step in STEPS if step >= least), least)


def bar_edges(
    start: pd.Timestamp, end: pd.Timestamp, width: pd.Timedelta, cuts: Iterable[pd.Timestamp]
) -> pd.DatetimeIndex:
    """Where bars begin and end: multiples of `width`, and the `cuts`, so that no bar lies on two revisions."""
    grid = pd.date_range(start.floor(width), end, freq=width)
    inside = [time for time in (*grid, *cuts) if start < time < end]
    return pd.DatetimeIndex([start, *inside, end]).unique().sort_values()


def revision_bands(revisions: pd.DataFrame, changes: pd.DataFrame, entries: pd.DataFrame, edges: Edges) -> pd.DataFrame:
    """When each revision took traffic, within the span: `revision_name`, `number`, `start`, `end`, `effect`.

    A revision's band lasts until the next one takes traffic; one that never did has none. Instances start just before
    they are sent requests: an error entry less than a bar earlier begins the band, or it would stand on the revision
    before. `effect` is empty for the revision that was there before any change.
    """
    start, end, width = edges
    took = revisions.dropna(subset="traffic_start_time").sort_values("traffic_start_time", kind="stable")
    erred = took["revision_name"].map(entries.groupby("revision_name", observed=True)["timestamp"].min().to_dict())
    began = pd.to_datetime(erred, utc=True)
    early = (began < took["traffic_start_time"]) & (began > took["traffic_start_time"] - width)
    took = took.assign(traffic_start_time=took["traffic_start_time"].mask(early, began))
    effects = dict(zip(changes["revision_name"], changes["effect"], strict=True))
    bands = pd.DataFrame(
        {
            "revision_name": took["revision_name"],
            "number": took["revision_name"].map(short_name),
            "start": took["traffic_start_time"].clip(lower=start),
            "end": took["traffic_start_time"].shift(-1).fillna(end).clip(upper=end),
            "effect": took["revision_name"].map(lambda name: effects.get(name, "")),
        }
    )
    return bands[bands["start"] < bands["end"]].reset_index(drop=True)


def error_lanes(
    sequence: pd.DataFrame, entries: pd.DataFrame, window_start: pd.Timestamp, width: pd.Timedelta
) -> pd.DataFrame:
    """One row a lane, in order, the background last, with the columns of LANE_COLUMNS.

    `first_ended` is when the first entry was written; `may_be_older` whether that entry lies within one bar of the
    window's start; `in_order` whether the first entry came after the first one of the group it follows; `groups` the
    ids that share the lane, several where groups were folded.
    """
    if sequence.empty:
        return pd.DataFrame(columns=list(LANE_COLUMNS))
    ends = entries.groupby("group")["ended"].first()
    rows = sequence.assign(first_ended=sequence["group"].map(ends))
    rows["may_be_older"] = rows["first_seen_time"] < window_start + width
    leader = rows.set_index("group")
    rows["follows_order"] = rows["follows"].map(leader["order"])
    rows["in_order"] = rows["first_ended"] >= rows["follows"].map(leader["first_seen_time"])
    rows["groups"] = [[group] for group in rows["group"]]
    parts = [_folded(rows[rows["background"] == background], background) for background in (False, True)]
    return pd.DataFrame([row for part in parts for row in part], columns=list(LANE_COLUMNS))


def error_bars(entries: pd.DataFrame, lanes: pd.DataFrame, edges: pd.DatetimeIndex) -> pd.DataFrame:
    """How many entries of each lane lie between two edges: `lane` (row of `lanes`), `start`, `end`, `count`."""
    lane_of = {group: lane for lane, groups in enumerate(lanes["groups"]) for group in groups}
    counts = _counted(entries.assign(lane=entries["group"].map(lane_of)), "lane", edges)
    return counts.astype({"lane": int})


def first_seconds(lanes: pd.DataFrame, closer_than: pd.Timedelta) -> pd.DataFrame:
    """The largest set of lanes whose first entries come one within `closer_than` of another; the earliest on a tie.

    The rows of `lanes`, with their index; none where no two are so close. Background and folded lanes take no part.
    """
    if lanes.empty:
        return lanes
    apart = lanes[~lanes["background"].astype(bool) & (lanes["groups"].map(len) == 1)]
    apart = apart.sort_values("first_seen_time", kind="stable")
    cluster = (apart["first_seen_time"].diff() >= closer_than).cumsum()
    sizes = cluster.value_counts(sort=False).sort_index()
    return apart[cluster == sizes.idxmax()] if len(sizes) and sizes.max() > 1 else apart.head(0)


def panel_span(first: pd.DataFrame) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The time that the panel of first seconds covers, with room for labels, more on the right."""
    start, last = first["first_seen_time"].min(), first["first_seen_time"].max()
    longest = max(pd.Timedelta(seconds=PANEL_SECONDS), last - start)
    end = max(last, min(first["first_ended"].max(), start + longest))
    length = max(end - start, pd.Timedelta("5ms"))
    return start - length * 0.12, end + length * 0.3


def traffic_shares(requested: pd.DataFrame, edges: pd.DatetimeIndex) -> pd.DataFrame:
    """Which part of the requests each revision served between two edges.

    Columns `revision_name`, `start`, `end`, `count`, and `share`, 0 to 1.
    """
    counts = _counted(requested.dropna(subset="revision_name"), "revision_name", edges)
    total = counts.groupby("start")["count"].transform("sum")
    return counts.assign(share=counts["count"] / total)


def _folded(rows: pd.DataFrame, background: bool) -> list[dict[str, Any]]:
    """The rows themselves, or, where they are too many, the first, the largest of the rest, and one for all others."""
    records: list[dict[str, Any]] = rows.to_dict("records")
    fold = FOLDS[background]
    if len(rows) <= fold.most:
        return records
    later = rows.iloc[fold.first :]
    largest = set(later.nlargest(fold.largest, "count", keep="first")["order"])
    rest = later[~later["order"].isin(largest)]
    kept = [row for row in records if row["order"] not in set(rest["order"])]
    return [*kept, _fold(rest)]


def _fold(rest: pd.DataFrame) -> dict[str, Any]:
    total = int(rest["count"].sum())
    return {
        "order": None, "title": f"{len(rest)} more groups, {total:,} entries", "kind": "folded", "count": total,
        "first_seen_time": rest["first_seen_time"].min(), "last_seen_time": rest["last_seen_time"].max(),
        "first_ended": rest["first_ended"].min(), "background": bool(rest["background"].iloc[0]),
        "may_be_older": False, "follows": None, "follows_order": None, "follows_count": 0, "in_order": False,
        "revisions": [], "groups": list(rest["group"]),
    }  # fmt: skip


def _counted(rows: pd.DataFrame, by: str, edges: pd.DatetimeIndex) -> pd.DataFrame:
    """How many rows of each `by` have their timestamp between two edges, the last edge outside."""
    at = edges.searchsorted(rows["timestamp"], side="right") - 1
    placed = pd.DataFrame({by: rows[by].to_numpy(), "at": at})
    placed = placed[(placed["at"] >= 0) & (placed["at"] < len(edges) - 1)]
    counts = placed.groupby([by, "at"], observed=True).size().rename("count").reset_index()
    return counts.assign(start=edges[counts["at"]], end=edges[counts["at"] + 1]).drop(columns="at")
