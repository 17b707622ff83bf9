"""Frames of the charts over time: how wide a bar is, what is folded, and what stands in the panel of first seconds."""

import pandas as pd
import pytest

from incident.analysis import bars
from incident.evidence import Evidence
from incident.findings import Gap
from incident.frames import rows_frame
from incident.scope import Scope

START = pd.Timestamp("2025-09-07T10:00:00Z")


def at(seconds):
    """So many seconds after the start."""
    return START + pd.Timedelta(seconds=seconds)


def entries(*rows):
    """Error entries of (group, seconds, lasting)."""
    made = [{"group": g, "timestamp": at(t), "ended": at(t + lasting)} for g, t, lasting in rows]
    return pd.DataFrame(made, columns=["group", "timestamp", "ended"]).sort_values("timestamp", ignore_index=True)


def sequence(found, follows=None, background=()):
    """The sequence of some entries: in order of first appearance, the background last."""
    follows = follows or {}
    groups = found.groupby("group", sort=False)["timestamp"].agg(["min", "max", "size"]).reset_index()
    groups.columns = ["group", "first_seen_time", "last_seen_time", "count"]
    groups["background"] = groups["group"].isin(background)
    groups = groups.sort_values("background", kind="stable", ignore_index=True)
    return groups.assign(
        order=range(1, len(groups) + 1), title=groups["group"], kind="line", revisions=[["r"]] * len(groups),
        follows=groups["group"].map(follows), follows_count=groups["group"].isin(follows).astype(int),
    )  # fmt: skip


def lanes(found, **options):
    """The lanes of some entries."""
    return bars.error_lanes(sequence(found, **options), found, START, pd.Timedelta("5s"))


def evidence(*seconds, gaps=()):
    """Evidence over an hour with one entry at each of some seconds."""
    scope = Scope("my-project", "us-central1", "chat", "", START, at(3600))
    rows = [{"log_name": "l", "timestamp": at(t), "insert_id": str(t)} for t in seconds]
    return Evidence(scope, at(7200), {"logs": rows_frame("logs", rows)}, gaps=gaps)


def test_few_entries_are_drawn_over_their_own_time():
    """Four minutes of an incident in a window of an hour would be a few pixels."""
    assert bars.drawn_span(evidence(600, 840)) == (at(595), at(845))


def test_a_window_that_is_filled_or_broken_is_drawn_whole():
    """What is missing has to be seen; a tail that may still come is no hole in the window."""
    whole, trimmed = (START, at(3600)), (at(595), at(845))
    capped = Gap("logs", "stopped at 60 calls", "raise the budget", "capped")
    unsettled = Gap("logs", "may still arrive", "run again", "unsettled")
    assert bars.drawn_span(evidence(0, 3000)) == whole
    assert bars.drawn_span(evidence()) == whole
    assert bars.drawn_span(evidence(600, 840, gaps=(capped,))) == whole
    assert bars.drawn_span(evidence(600, 840, gaps=(unsettled,))) == trimmed


@pytest.mark.parametrize(("span", "pixels", "width"), [
    ("40s", 400, "1s"), ("4h", 430, "5min"), ("2h", 600, "1min"), ("7D", 400, "3h"), ("400D", 400, "4D"),
])  # fmt: skip
def test_a_bar_is_never_too_thin_to_see(span, pixels, width):
    """Bars narrower than four pixels melt into a block whose height says nothing."""
    assert bars.bar_width(START, START + pd.Timedelta(span), pixels) == pd.Timedelta(width)


def test_no_bar_spans_a_change():
    """A bar across a deployment would put the new revision's errors on the old one."""
    edges = bars.bar_edges(at(2), at(20), pd.Timedelta("5s"), [at(12), at(99)])
    assert list(edges) == [at(2), at(5), at(10), at(12), at(15), at(20)]


def test_every_entry_is_in_one_bar_and_the_end_is_outside():
    """The window is half-open: an entry at its end belongs to the next one."""
    found = entries(("a", 2, 0), ("a", 4.9, 0), ("a", 5, 0), ("b", 12, 0), ("b", 20, 0))
    edges = bars.bar_edges(at(2), at(20), pd.Timedelta("5s"), [at(12)])
    counted = bars.error_bars(found, lanes(found), edges)
    rows = list(counted[["lane", "start", "end", "count"]].itertuples(index=False, name=None))
    assert rows == [(0, at(2), at(5), 2), (0, at(5), at(10), 1), (1, at(12), at(15), 1)]


def test_bands_follow_one_another_within_the_span():
    """A revision that took no traffic has no band; an instance that fails a moment before it takes some belongs to it."""
    revisions = rows_frame("revisions", [
        {"revision_name": "chat-00135-aaa", "traffic_start_time": at(-900)},
        {"revision_name": "chat-00136-bbb"},
        {"revision_name": "chat-00137-ccc", "traffic_start_time": at(60)},
    ])  # fmt: skip
    changes = pd.DataFrame({"revision_name": ["chat-00136-bbb", "chat-00137-ccc"], "effect": ["unknown", "broke"]})
    erred = pd.DataFrame({"revision_name": ["chat-00136-bbb", "chat-00137-ccc"], "timestamp": [at(5), at(58)]})
    bands = bars.revision_bands(revisions, changes, erred, bars.Edges(START, at(300), pd.Timedelta("5s")))
    rows = list(bands[["number", "start", "end", "effect"]].itertuples(index=False, name=None))
    assert rows == [("00135", START, at(58), ""), ("00137", at(58), at(300), "broke")]
    bands = bars.revision_bands(revisions, changes, erred, bars.Edges(START, at(300), pd.Timedelta("1s")))
    assert bands["start"].iloc[1] == at(60)


def test_a_group_within_the_first_bar_may_be_older():
    """What was there when the window opened may have begun before it."""
    found = entries(("a", 1, 0), ("b", 9, 0))
    assert list(lanes(found)["may_be_older"]) == [True, False]


def test_a_request_is_placed_at_its_end():
    """A 503 that began before the crash but ended after it follows the crash; a line printed before it does not."""
    found = entries(("503", 1, 6), ("line", 4, 0), ("crash", 5, 0))
    drawn = lanes(found, follows={"503": "crash", "line": "crash"})
    assert list(zip(drawn["title"], drawn["in_order"], strict=True)) == [
        ("503", True), ("line", False), ("crash", False),
    ]  # fmt: skip
    assert list(drawn["follows_order"][:2]) == [3, 3]


def test_too_many_lanes_are_folded():
    """Nobody reads thirty lanes: the first, the largest of the rest, and one lane that counts all others."""
    rows = [(f"g{n:02d}", 10 * n + k / 9, 0) for n in range(20) for k in range(9 if n in (12, 17) else 1)]
    drawn = lanes(entries(*rows))
    assert list(drawn["title"]) == [*(f"g{n:02d}" for n in range(9)), "g12", "g17", "9 more groups, 9 entries"]
    assert int(drawn["count"].sum()) == len(rows)
    assert pd.isna(drawn["order"].iloc[-1])
    assert len(drawn["groups"].iloc[-1]) == 9


def test_twelve_lanes_are_not_folded():
    """A fold must hide more than it shows."""
    assert len(lanes(entries(*[(f"g{n}", 10 * n, 0) for n in range(12)]))) == 12


def test_the_background_is_folded_on_its_own():
    """Noise must not push an error out of sight."""
    found = entries(*[(f"noise{n}", n, 0) for n in range(6)], ("error", 90, 0))
    drawn = lanes(found, background=[f"noise{n}" for n in range(6)])
    assert list(drawn["title"]) == ["error", "noise0", "noise1", "noise2", "3 more groups, 3 entries"]
    assert list(drawn["background"]) == [False, True, True, True, True]


def test_first_seconds_are_the_largest_crowd():
    """A panel that shows two early strangers instead of the cascade would answer nothing."""
    found = entries(("a", 0, 0), ("b", 1, 0), ("c", 100, 0), ("d", 101, 0), ("e", 102.5, 0), ("f", 200, 0))
    drawn = lanes(found)
    assert list(bars.first_seconds(drawn, pd.Timedelta("2s"))["title"]) == ["c", "d", "e"]
    assert bars.first_seconds(drawn, pd.Timedelta("500ms")).empty


def test_the_panel_ends_before_a_socket_does():
    """A request entry of an hour would press the seconds that matter into one pixel."""
    found = entries(("a", 100, 3600), ("b", 101, 0))
    start, end = bars.panel_span(bars.first_seconds(lanes(found), pd.Timedelta("2s")))
    assert start < at(100)
    assert at(110) < end < at(115)


def test_shares_of_one_time_add_up_to_one():
    """The height of a bar is read as a part of all requests of its minute."""
    requested = pd.DataFrame({
        "revision_name": pd.Categorical(["old", "old", "old", "new", "new"]),
        "timestamp": [at(1), at(2), at(3), at(4), at(8)],
    })  # fmt: skip
    shares = bars.traffic_shares(requested, bars.bar_edges(START, at(10), pd.Timedelta("5s"), []))
    rows = {(row.revision_name, row.start): row.share for row in shares.itertuples()}
    assert rows == {("old", START): 0.75, ("new", START): 0.25, ("new", at(5)): 1.0}


def test_nothing_is_a_frame_too():
    """A quiet window is drawn with the same code as a loud one."""
    found = entries()
    drawn = lanes(found)
    assert drawn.empty
    assert bars.first_seconds(drawn, pd.Timedelta("2s")).empty
    assert bars.error_bars(found, drawn, bars.bar_edges(START, at(10), pd.Timedelta("5s"), [])).empty
