"""In which order the errors came, and which of them is a consequence of which.

Reads error entries and groups. A group follows another when most of its entries have one of the other shortly before
them on the same instance (on the same revision, where an entry names no instance). Order in time is not cause: that
is why the count is always said beside it. A request is placed at its end, because its timestamp is its start and it
can only have failed later.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd

from incident.scope import Scope

Direction = Literal["backward", "forward", "nearest"]

WITHIN = pd.Timedelta("60s")
MOST = 0.8
BACKGROUND_REVISIONS = 3
LEADERS = 24

PRECEDENCE = {"exception": 0, "system": 1, "line": 2}
"""What is named as the origin where several groups came before: the traceback says most."""


def error_sequence(entries: pd.DataFrame, groups: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Error groups numbered from 1 in the order they first appeared; the busier one first on a tie.

    The columns of `error_groups` and: `order`; `follows`, the group that this one is a consequence of, else null;
    `follows_count`, how many of its entries have one of that group before them; `background`, whether it was there
    before any change, over three revisions or more, and is not about the WebSocket path. Background groups come last.
    """
    follows = [_follows(group, entries, groups) for group in groups.itertuples()]
    sequence = groups.assign(
        follows=pd.Series([found[0] for found in follows], dtype="str"),
        follows_count=pd.Series([found[1] for found in follows], dtype="int64"),
        background=pd.Series([_is_background(group, scope) for group in groups.itertuples()], dtype="bool"),
    )
    sequence = sequence.sort_values("background", kind="stable", ignore_index=True)
    return sequence.assign(order=range(1, len(sequence) + 1))


def _follows(group: tuple, entries: pd.DataFrame, groups: pd.DataFrame) -> tuple[str | None, int]:  # type: ignore[type-arg]
    own = entries[entries["group"] == group.group]  # type: ignore[attr-defined]
    best: tuple[tuple[int, float], str, int] | None = None
    for leader in _leaders(group, groups).itertuples():
        theirs = entries[entries["group"] == leader.group]
        count = int(_preceded(own, theirs, direction="nearest" if _repeats(own, theirs) else "backward").sum())
        rank = PRECEDENCE[leader.kind], -count
        if count >= MOST * len(own) and (best is None or rank < best[0]):
            best = rank, leader.group, count
    return (best[1], best[2]) if best else (None, 0)


def _leaders(group: tuple, groups: pd.DataFrame) -> pd.DataFrame:  # type: ignore[type-arg]
    """The groups that another one could follow: no request leads, and an exception follows only exceptions."""
    kinds = {"exception": ["exception"]}.get(group.kind, list(PRECEDENCE))  # type: ignore[attr-defined]
    able = groups[groups["kind"].isin(kinds) & (groups["group"] != group.group)]  # type: ignore[attr-defined]
    return able.nlargest(LEADERS, "count")


def _repeats(own: pd.DataFrame, theirs: pd.DataFrame) -> bool:
    """Whether a line only repeats an exception's message: it was printed about it, a moment before or after."""
    message = theirs["exception_message"].iloc[0]
    return bool(message) and own["kind"].iloc[0] == "line" and message in str(own["text"].iloc[0])


def _preceded(own: pd.DataFrame, theirs: pd.DataFrame, direction: Direction) -> pd.Series:
    """For each of `own`, whether one of `theirs` came within a minute of it on the same instance or revision."""
    by_instance = near(own, theirs, "instance_id", direction)
    nameless = own["instance_id"].isna() | ~own["instance_id"].isin(theirs["instance_id"].dropna())
    return by_instance | (nameless & near(own, theirs, "revision_name", direction))


def near(own: pd.DataFrame, theirs: pd.DataFrame, by: str, direction: Direction) -> pd.Series:
    """For each entry of `own`, whether one of `theirs` with the same `by` came within a minute, on one side of it."""
    matched = pd.merge_asof(
        _timed(own, by), _timed(theirs, by)[[by, "ended"]].assign(found=True), on="ended", by=by,
        tolerance=WITHIN, direction=direction,
    )  # fmt: skip
    return own.index.to_series().isin(matched.loc[matched["found"].notna(), "row"])


def _timed(entries: pd.DataFrame, by: str) -> pd.DataFrame:
    """Entries that name `by`, in the order of their ends, each with the row it came from."""
    named = entries[entries[by].notna()]
    plain = pd.DataFrame({"row": named.index, by: named[by].astype("str"), "ended": named["ended"]})
    return plain.sort_values("ended", kind="stable")


def _is_background(group: tuple, scope: Scope) -> bool:  # type: ignore[type-arg]
    asked_about = group.kind == "request" and f" on {scope.websocket_path}" in group.title  # type: ignore[attr-defined]
    return len(group.revisions) >= BACKGROUND_REVISIONS and not asked_about  # type: ignore[attr-defined]
