"""When each revision took traffic, as grounds behind the marks of a chart with time across, and the axis of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from incident.charts.canvas import Box, Canvas, fit, text_width
from incident.charts.marks import TOLD
from incident.charts.scale import TimeScale

Span = tuple[float, float]

APART = 6
NUDGES = (0, 2, -2, 4, -4, 6, -6)
"""How far a head may be moved from the middle of its band to make room."""

OVERHANG = 2
"""How far a head may stand out over the last band's end."""

TICK_ROOM = {"wide": 76, "phone": 66}


def band_grounds(canvas: Canvas, bands: pd.DataFrame, scale: TimeScale, span: Span) -> None:
    """Every second revision on a band, one that broke something on its tint."""
    for number, band in enumerate(bands.to_dict("records")):
        color = "tint" if band["effect"] == "broke" else ("background", "band")[number % 2]
        box = scale.x(band["start"]), span[0], scale.x(band["end"]), span[1]
        canvas.rect(box, color, label=f"band {band['number']}", zorder=0)


def band_rules(canvas: Canvas, bands: pd.DataFrame, scale: TimeScale, spans: Sequence[Span], clear: Box | None) -> None:
    """A hairline where a revision took over, within the spans of y, and not through the box that is to be clear."""
    for start in bands["start"].iloc[1:]:
        x = round(scale.x(start)) + 0.5
        for top, bottom in spans:
            crosses = clear is not None and clear[0] - 2 < x < clear[2] + 2 and top < clear[3] and clear[1] < bottom
            parts = [(top, clear[1]), (clear[3], bottom)] if crosses and clear else [(top, bottom)]
            for part in parts:
                canvas.line((x, x), part)


def band_head(canvas: Canvas, bands: pd.DataFrame, scale: TimeScale, y: float) -> None:
    """The number of each revision over its band, and `broke` or `fixed` in words.

    Where they collide leading zeros go, then those that changed nothing, then whatever has no room.
    """
    size = canvas.layout.small
    for short, apart in ((False, APART), (True, APART / 2)):
        rows = [_head_row(band, scale, short, size) for band in bands.to_dict("records")]
        kept = _without_collisions(rows, apart)
        if len(kept) == len(rows):
            break
    for center, number, effect, _ in kept:
        canvas.text(center, y, number, size, "ink" if effect else "mute", bool(effect), "center")
        if effect:
            canvas.text(center, y + size * 1.25, effect, size, "ink", True, "center")


Head = tuple[float, str, str, float]


def _head_row(band: dict[str, Any], scale: TimeScale, short: bool, size: float) -> Head:
    effect = str(band["effect"]) if band["effect"] in TOLD else ""
    number = str(band["number"])
    number = (number.lstrip("0") or number) if short else number
    if not number.isdigit():
        room = scale.x(band["end"]) - scale.x(band["start"]) - APART
        number = fit(number, max(room, text_width("00000", size)), (size,))[1]
    width = max(text_width(number, size, bool(effect)), text_width(effect, size, True))
    middle = (scale.x(band["start"]) + scale.x(band["end"])) / 2
    center = min(max(middle, scale.left + width / 2), scale.right + OVERHANG - width / 2)
    return center, number, effect, width


def _without_collisions(rows: Sequence[Head], apart: float) -> list[Head]:
    """The heads that have room: `broke` is placed first, then `fixed`, then the others, each from the left."""
    kept: list[Head] = []
    for center, *rest in sorted(rows, key=lambda row: ("broke", "fixed", "").index(row[2])):
        nudged: list[Head] = [(center + nudge, *rest) for nudge in NUDGES]  # type: ignore[misc]
        free = (row for row in nudged if all(_clear(row, other, apart) for other in kept))
        kept += [row for row in [next(free, None)] if row]
    return sorted(kept)


def _clear(row: Head, other: Head, apart: float) -> bool:
    return abs(row[0] - other[0]) >= (row[3] + other[3]) / 2 + apart


def time_axis(canvas: Canvas, scale: TimeScale, y: float, utc: str = "") -> float:
    """Ticks below `y` with their times, and `UTC` at the left or at the right; returns the labels' baseline."""
    size, apart = canvas.layout.small, TICK_ROOM[canvas.layout.name]
    baseline, last = y + 6 + size * 1.3, 0.0
    for x, time in scale.ticks(apart):
        canvas.line((round(x) + 0.5,) * 2, (y, y + 5), "mute")
        label = scale.tick_label(time, apart)
        half = text_width(label, size) / 2
        center = min(max(x, canvas.layout.margin + half), canvas.right - half)
        if last and center - half < last + APART:  # the last one, moved in from the edge
            continue
        last = canvas.text(center, baseline, label, size, "mute", align="center")[2]
    if utc == "left":
        canvas.text(canvas.layout.margin, baseline, "UTC", size, "mute")
    elif utc == "right" and canvas.right - text_width("UTC", size) > last + APART:
        canvas.text(canvas.right, baseline, "UTC", size, "mute", align="right")
    return baseline
