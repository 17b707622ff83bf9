"""In which order the errors came, and which of them is a consequence of which, and why that is said.

Reads error entries, groups and requests. A group follows another when most of its entries have one of the other shortly
before them on the same instance (on the same revision, where an entry names no instance) or in the same trace. Order in
time is not cause: that is why the count and the reason are always said beside it. A request is placed at its end,
because its timestamp is its start and it can only have failed later.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from incident import platform
from incident.analysis.background import background
from incident.analysis.nearness import WITHIN, Side, near
from incident.analysis.onset import Incident

MOST = 0.8
"""A group follows another when this share of its entries does."""

LEADERS = 24

PRECEDENCE = {"exception": 0, "system": 1, "line": 2}
"""What is named as the origin where several groups came before: the traceback says most. A request leads nothing."""

INSTANCE_FAILED = frozenset(
    text.name for text in (
        platform.MALFORMED_RESPONSE, platform.INSTANCE_COULD_NOT_START, platform.READINESS_CHECK_FAILED,
        platform.MEMORY_REQUEST,
    )
)  # fmt: skip
"""What the platform says in a request's entry when the instance that had it failed."""

FOLLOWED = ["follows", "follows_count", "follows_because"]


def error_sequence(
    entries: pd.DataFrame, groups: pd.DataFrame, requested: pd.DataFrame, during: Incident | None
) -> pd.DataFrame:
    """Error groups numbered from 1 in the order they first appeared; the busier one first on a tie.

    The columns of `error_groups` and: `order`; `follows`, the group that this one is a consequence of, else null;
    `follows_count`, how many of its entries have one of that group before them; `follows_because`, why that is said,
    else empty; `background`, whether it is an old error that the incident did not change. Background comes last.
    `during` is the stretch in which requests failed beyond the usual, where there is one.
    """
    sequence = groups.join(_followed(entries, groups), on="group").astype({"follows": "str"})
    sequence["follows_count"] = sequence["follows_count"].fillna(0).astype("int64")
    sequence["follows_because"] = sequence["follows_because"].fillna("").astype("str")
    set_apart = background(entries, groups, requested, during)
    leading = set(sequence.loc[~set_apart, "follows"].dropna())  # what the incident follows from is a part of it
    sequence["background"] = set_apart & ~groups["group"].isin(leading)
    sequence = sequence.sort_values("background", kind="stable", ignore_index=True)
    return sequence.assign(order=range(1, len(sequence) + 1))


def _followed(entries: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """What each group follows, by group: columns FOLLOWED."""
    leaders = groups[groups["kind"].isin(PRECEDENCE)].nlargest(LEADERS, "count")
    if leaders.empty:
        return pd.DataFrame(columns=FOLLOWED, index=pd.Index([], dtype="str", name="group"))
    able = _able(_pairs(entries, groups, list(leaders["group"])))
    best = able.drop_duplicates("group").rename(columns={"leader": "follows"}).set_index("group")
    best["follows_because"] = [_because(pair, _between(able, best, pair)) for pair in best.reset_index().itertuples()]
    return best[FOLLOWED]


def _able(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs of a group and one that it may follow, the likeliest origin of each group first."""
    able = (pairs["group"] != pairs["leader"]) & (pairs["follows_count"] >= MOST * pairs["count"])
    able &= (pairs["kind"] != "exception") | (pairs["leader_kind"] == "exception")
    able &= pairs["repeats"] | (pairs["leader_began"] <= pairs["began"])
    ranked = pairs[able].assign(rank=pairs["leader_kind"].map(PRECEDENCE))
    return ranked.sort_values(["rank", "follows_count"], ascending=[True, False], kind="stable")


def _pairs(entries: pd.DataFrame, groups: pd.DataFrame, leaders: list[str]) -> pd.DataFrame:
    """Each group with each that could lead it: how many of its entries have one of the other near, and their facts."""
    first = entries.drop_duplicates("group").set_index("group")
    facts = groups.set_index("group")[["kind", "title"]].assign(
        count=entries.groupby("group").size(), began=entries.groupby("group")["ended"].min(), text=first["text"],
        message=first["exception_message"], said=first["platform_text"],
    )  # fmt: skip
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


def _between(able: pd.DataFrame, best: pd.DataFrame, pair: Any) -> str:
    """The title of what the platform said of the instance between a group and its origin; empty where nothing."""
    others = able.loc[(able["group"] == pair.group) & (able["leader_kind"] == "system"), ["leader", "leader_title"]]
    follows = others["leader"].map(best["follows"])
    return next(iter(others.loc[follows == pair.follows, "leader_title"]), "")


def _because(pair: Any, between: str) -> str:
    """Why a group is said to follow another, in words."""
    if pair.repeats:
        return "it repeats the exception's message"
    near_words = f"on the same instance, or in the same trace, at most {WITHIN.total_seconds():.0f} s before"
    if pair.kind == "request" and pair.said in INSTANCE_FAILED:
        ended = f", which ended: {between}" if between else ""
        return f"the platform says that the instance failed{ended}; {near_words}"
    if pair.kind == "system" and pair.leader_kind == "exception":
        return f"the instance ended after it; {near_words}"
    return near_words
