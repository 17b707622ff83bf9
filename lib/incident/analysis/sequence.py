"""In which order the errors came, and which of them is a consequence of which.

Reads error entries and groups. A group follows another when most of its entries have one of the other shortly before
them on the same instance (on the same revision, where an entry names no instance). Order in time is not cause: that
is why the count is always said beside it. A request is placed at its end, because its timestamp is its start and it
can only have failed later.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from incident.analysis.nearness import Side, near
from incident.scope import Scope

MOST = 0.8
"""A group follows another when this share of its entries does."""

BACKGROUND_REVISIONS = 3
LEADERS = 24

PRECEDENCE = {"exception": 0, "system": 1, "line": 2}
"""What is named as the origin where several groups came before: the traceback says most. A request leads nothing."""


def error_sequence(entries: pd.DataFrame, groups: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Error groups numbered from 1 in the order they first appeared; the busier one first on a tie.

    The columns of `error_groups` and: `order`; `follows`, the group that this one is a consequence of, else null;
    `follows_count`, how many of its entries have one of that group before them; `background`, whether it was there
    before any change, over three revisions or more, and is not about the WebSocket path. Background groups come last.
    """
    follows = _followed(entries, groups)
    sequence = groups.join(follows, on="group").astype({"follows": "str"})
    sequence["follows_count"] = sequence["follows_count"].fillna(0).astype("int64")
    first = entries["revision_name"].dropna().head(1).tolist()
    sequence["background"] = pd.Series([_is_background(row, scope, first) for row in groups.itertuples()], dtype="bool")
    sequence = sequence.sort_values("background", kind="stable", ignore_index=True)
    return sequence.assign(order=range(1, len(sequence) + 1))


def _followed(entries: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """What each group follows, by group: columns `follows` and `follows_count`."""
    leaders = groups[groups["kind"].isin(PRECEDENCE)].nlargest(LEADERS, "count")
    if leaders.empty:
        return pd.DataFrame(columns=["follows", "follows_count"], index=pd.Index([], dtype="str", name="group"))
    pairs = _pairs(entries, groups, list(leaders["group"]))
    able = (pairs["group"] != pairs["leader"]) & (pairs["follows_count"] >= MOST * pairs["count"])
    able &= (pairs["kind"] != "exception") | (pairs["leader_kind"] == "exception")
    able &= pairs["repeats"] | (pairs["leader_began"] <= pairs["began"])
    ranked = pairs[able].assign(rank=pairs["leader_kind"].map(PRECEDENCE))
    best = ranked.sort_values(["rank", "follows_count"], ascending=[True, False], kind="stable").drop_duplicates(
        "group"
    )
    return best.rename(columns={"leader": "follows"}).set_index("group")[["follows", "follows_count"]]


def _pairs(entries: pd.DataFrame, groups: pd.DataFrame, leaders: list[str]) -> pd.DataFrame:
    """Each group with each that could lead it: how many of its entries have one of the other near, and their facts."""
    first = entries.drop_duplicates("group").set_index("group")
    facts = groups.set_index("group")[["kind", "count"]].assign(
        began=entries.groupby("group")["ended"].min(), text=first["text"], message=first["exception_message"]
    )
    counts = pd.DataFrame({"before": _counts(entries, leaders, "before"), "after": _counts(entries, leaders, "after")})
    pairs = counts.rename_axis(["group", "leader"]).reset_index()
    pairs = pairs.join(facts, on="group").join(facts.add_prefix("leader_"), on="leader")
    pairs["repeats"] = [_repeats(pair) for pair in pairs.itertuples()]
    pairs["follows_count"] = pairs["before"].mask(pairs["repeats"], pairs[["before", "after"]].max(axis=1))
    return pairs


def _counts(entries: pd.DataFrame, leaders: list[str], side: Side) -> pd.Series:
    return near(entries, leaders, side).groupby(entries["group"]).sum().stack()


def _repeats(pair: Any) -> bool:
    """Whether a line only repeats an exception's message: it was printed about it, a moment before or after."""
    return pair.kind == "line" and bool(pair.leader_message) and pair.leader_message in str(pair.text)


def _is_background(group: Any, scope: Scope, first: list[str]) -> bool:
    """Whether a group is no part of the incident; one that the first revision with errors did not show came later."""
    asked_about = group.kind == "request" and f" on {scope.websocket_path}" in group.title
    spread = len(group.revisions) >= BACKGROUND_REVISIONS and group.revisions[:1] == first
    return spread and not asked_about
