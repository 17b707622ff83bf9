"""The first seconds of a cascade: one point a lane, where its first entry was, and arrows to what follows from it.

A request is a line from its begin to its end, because its timestamp is its begin: it can be first by clock and still
follow. An arrow is order, not cause, and stands only where the count beside the lane was computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pandas as pd

from incident.analysis.bars import panel_span
from incident.analysis.changes import short_name
from incident.charts.canvas import Box, Canvas, overlaps, text_width
from incident.charts.scale import TimeScale, seconds_label
from incident.charts.words import duration

Point = tuple[float, float]

PAD = 6
STRAIGHT = 5
LINE_SHOWN = pd.Timedelta("1ms")
SECOND = pd.Timedelta("1s")
CLOCK = "%H:%M:%S"


def first_seconds_panel(
    canvas: Canvas, sides: tuple[float, float], lanes: pd.DataFrame, first: pd.DataFrame, bands: pd.DataFrame,
    bases: Sequence[float], top: float,
) -> None:  # fmt: skip
    """The panel between two x: its head, the points of `first`, arrows, and where the other lanes' entries are."""
    start, end = panel_span(first)
    scale = TimeScale(start, end, *sides)
    rows = lanes[~lanes["background"].astype(bool)].to_dict("records")
    bottom = bases[len(rows) - 1] + 14
    _head(canvas, scale, first, bands, top, bottom)
    arrows = _arrows(rows, first, scale, bases)
    taken = [box for points in arrows for box in _boxes(points)]
    for lane, row in enumerate(rows):
        y = bases[lane]
        canvas.line(sides, (y + 0.5, y + 0.5))
        if lane in first.index:
            taken += _point(canvas, scale, row, y)
        else:
            _elsewhere(canvas, scale, row, y)
    for points in arrows:
        canvas.arrow(points, label="is followed by")
    for lane in first.index:
        taken.append(_time_label(canvas, scale, rows[lane], bases[lane], taken))
    _axis(canvas, scale, bottom)


def _head(
    canvas: Canvas, scale: TimeScale, first: pd.DataFrame, bands: pd.DataFrame, top: float, bottom: float
) -> None:
    named = {name for revisions in first["revisions"] for name in revisions[:1]}
    broke = set(bands.loc[bands["effect"] == "broke", "revision_name"])
    color = "tint" if named and named <= broke else "band"
    canvas.rect((scale.left, top, scale.right, bottom), color, label="panel", zorder=0)
    size, left = canvas.layout.small, scale.left + PAD
    where = f"of {short_name(*named)}" if len(named) == 1 else f"at {first['first_seen_time'].min():{CLOCK}}"
    canvas.fitted(left, top + size * 1.2, f"First errors {where}", scale.right - left - PAD, bold=True, size=size)
    canvas.text(left, top + size * 2.45, "arrow: is followed by", size, "mute")


def _point(canvas: Canvas, scale: TimeScale, row: dict[str, Any], y: float) -> list[Box]:
    """The first entry, and the room it takes: a point, or a line with its length in words where that has room."""
    begin, end = scale.x(row["first_seen_time"]), scale.x(row["first_ended"])
    took, words = row["first_ended"] - row["first_seen_time"], []
    if took >= LINE_SHOWN:
        canvas.line((begin, end), (y, y), "bad", 3, zorder=3.5)
        canvas.dot(begin, y, 4, "bad", hollow=True)
        text = f"{duration(took.total_seconds())} long"
        if text_width(text, canvas.layout.small) < end - begin:
            words = [canvas.text(begin, y - 8, text, canvas.layout.small, "mute")]
    canvas.dot(end, y, 5, "bad", label=f"first {row['order']}")
    return [(begin - 6, y - 6, end + 6, y + 6), *words]


def _arrows(
    rows: Sequence[dict[str, Any]], first: pd.DataFrame, scale: TimeScale, bases: Sequence[float]
) -> list[list[Point]]:
    """From each leader's point to its follower's, where both are in the panel and their order is known."""
    lane_of = {row["order"]: lane for lane, row in enumerate(rows) if lane in first.index}
    found = []
    for lane in first.index:
        row = rows[lane]
        leader = lane_of.get(row["follows_order"])
        if leader is None or not row["follows_count"] or not row["in_order"]:
            continue
        begin = scale.x(rows[leader]["first_ended"]), bases[leader]
        end = scale.x(row["first_ended"]), bases[lane]
        found.append(_path(begin, end, is_line=row["first_ended"] - row["first_seen_time"] >= LINE_SHOWN))
    return found


def _path(begin: Point, end: Point, is_line: bool) -> list[Point]:
    """An arrow's corners: a line is met at its end, across its lane, so that the arrow does not lie upon it."""
    if abs(end[0] - begin[0]) <= STRAIGHT:
        return [begin, end]
    return [begin, (end[0], begin[1]) if is_line else (begin[0], end[1]), end]


def _boxes(points: Sequence[Point]) -> list[Box]:
    """The room that an arrow's parts take."""
    sides = [(sorted((a[0], b[0])), sorted((a[1], b[1]))) for a, b in pairwise(points)]
    return [(x[0] - 2, y[0] - 2, x[1] + 2, y[1] + 2) for x, y in sides]


def _time_label(canvas: Canvas, scale: TimeScale, row: dict[str, Any], y: float, taken: Sequence[Box]) -> Box:
    """When the first entry was, beside its point: to the right, the left, above or below, where nothing else stands."""
    size = canvas.layout.small
    text = seconds_label(row["first_ended"], scale.end - scale.start)
    width, x = text_width(text, size), scale.x(row["first_ended"])
    begin = scale.x(row["first_seen_time"])
    places = [(x + 9, y + 4.5), (begin - 9 - width, y + 4.5), (x - width / 2, y - 9), (x + 5, y - 9),
              (x - 5 - width, y - 9), (scale.right - width - 2, y - 9), (x + 5, y + 17)]  # fmt: skip
    inside = [(left, base) for left, base in places if scale.left <= left and left + width <= scale.right] or places
    free = (place for place in inside if not any(overlaps(_box(place, width, size), box) for box in taken))
    left, base = next(free, inside[0])
    return canvas.text(left, base, text, size, "mute")


def _box(place: Point, width: float, size: float) -> Box:
    return place[0], place[1] - size * 0.8, place[0] + width, place[1] + 1


def _elsewhere(canvas: Canvas, scale: TimeScale, row: dict[str, Any], y: float) -> None:
    """Where a lane's entries are that has no first one here."""
    size = canvas.layout.small
    if row["first_seen_time"] >= scale.start:
        late = row["first_seen_time"] - scale.end >= SECOND
        clock = f"{row['first_seen_time']:{CLOCK}}" if late else seconds_label(row["first_seen_time"], SECOND / 2)
        words = f"first at {clock} ▸"
        canvas.text(scale.right - PAD, y - 6, words, size, "mute", align="right")
    elif row["last_seen_time"] < scale.start:
        canvas.text(scale.left + PAD, y - 6, f"◂ last at {row['last_seen_time']:{CLOCK}}", size, "mute")
    else:
        canvas.text(scale.left + PAD, y - 6, f"◂ since {row['first_seen_time']:{CLOCK}}", size, "mute")


def _axis(canvas: Canvas, scale: TimeScale, bottom: float) -> None:
    """Ticks of the panel: the first in full, the others by their seconds."""
    size = canvas.layout.small
    previous = scale.left - 100.0
    for number, (x, moment) in enumerate(scale.ticks(44)):
        canvas.line((round(x) + 0.5,) * 2, (bottom, bottom + 5), "mute")
        label = _tick_label(moment, number == 0)
        half = text_width(label, size) / 2
        x = min(max(x, scale.left + half), scale.right - half)
        if x - half > previous + PAD:
            canvas.text(x, bottom + 6 + size * 1.3, label, size, "mute", align="center")
            previous = x + half


def _tick_label(moment: pd.Timestamp, full: bool) -> str:
    fraction = f"{moment:%f}".rstrip("0")
    seconds = f"{moment:%S}" + (f".{fraction}" if fraction else "")
    return f"{moment:%H:%M}:{seconds}" if full else f":{seconds}"
