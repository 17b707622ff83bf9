"""What each revision changed and what it did: one row a revision, oldest first, its share of traffic over time.

Draws the rows of `analysis.rows` and the shares of `analysis.bars`. An effect is a word, a shape and a colour; a
number that no revision bears has a row of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from incident.analysis import bars
from incident.analysis.case import Case
from incident.analysis.rows import revision_rows
from incident.charts.bands import time_axis
from incident.charts.canvas import Canvas, Chart, fit, text_width
from incident.charts.marks import EFFECT_COLORS, EFFECT_WORDS, TOLD, effect_mark
from incident.charts.scale import TimeScale
from incident.charts.style import Layout, Theme
from incident.charts.titles import timeline_caption, timeline_title
from incident.charts.words import SPACE, counted, lasting, of

BAR = 26
ROW = {"wide": 58, "phone": 85}
SIDES = {"wide": (96, 530), "phone": (14, 376)}
REQUESTS, EFFECT, CHANGED = 598, 622, 728


@dataclass(frozen=True)
class Frames:
    """What is drawn: rows, each revision's share of the requests, and how long a bar is."""

    scale: TimeScale
    width: pd.Timedelta
    rows: pd.DataFrame
    shares: pd.DataFrame


def draw_timeline(case: Case, layout: Layout, theme: Theme) -> Chart:
    """The chart of a case; without revisions it says what is missing."""
    drawn = frames(case, layout)
    canvas = Canvas(layout, theme)
    top = canvas.head(timeline_title(case)) + (24 if layout.name == "wide" else 20)
    axis = draw_rows(canvas, drawn, top)
    span = drawn.scale.start, drawn.scale.end
    return canvas.finish(axis + 2 * layout.small, timeline_caption(case, span, drawn.width, layout.name == "wide"))


def frames(case: Case, layout: Layout) -> Frames:
    """The frames that the chart draws, for the room it has."""
    evidence = case.evidence
    start, end = bars.drawn_span(evidence)
    scale = TimeScale(start, end, *SIDES[layout.name])
    width = bars.bar_width(start, end, scale.right - scale.left)
    bands = bars.revision_bands(evidence.revisions, case.changes, case.entries, bars.Edges(start, end, width))
    shares = bars.traffic_shares(case.requests, bars.bar_edges(start, end, width, bands["start"]))
    rows = revision_rows(case.revisions, case.changes, case.requests, case.missing_revisions, evidence.builds)
    return Frames(scale, width, rows, shares)


def draw_rows(canvas: Canvas, drawn: Frames, top: float) -> float:
    """The rows and the axis of time below; returns the axis' baseline."""
    wide, height = canvas.layout.name == "wide", ROW[canvas.layout.name]
    if wide:
        _column_heads(canvas, top + canvas.layout.small * 1.2)
        top += canvas.layout.small * 2.5
    canvas.line((canvas.layout.margin, canvas.right), (round(top) + 0.5,) * 2)
    count = max(len(drawn.rows), 1)
    bottom = round(top) + height * count
    for number, row in enumerate(drawn.rows.to_dict("records")):
        y = round(top) + number * height
        _strip(canvas, drawn, row, y + (43 if wide else 72), (y + 1, y + height) if wide else (y + 44, y + height))
        _wide_labels(canvas, row, y) if wide else _phone_labels(canvas, row, y)
        canvas.line((canvas.layout.margin, canvas.right), (y + height + 0.5,) * 2)
    if drawn.rows.empty:
        canvas.text(canvas.layout.margin, top + height / 2 + 5, "no revision", canvas.layout.text, "mute")
    return time_axis(canvas, drawn.scale, bottom, "left" if wide else "right")


def _column_heads(canvas: Canvas, y: float) -> None:
    size = canvas.layout.small
    canvas.text(canvas.layout.margin, y, "revision", size, "mute")
    canvas.text(SIDES["wide"][0], y, f"share of traffic (full height: 100{SPACE}%)", size, "mute")
    canvas.text(REQUESTS, y, "requests", size, "mute", align="right")
    canvas.text(EFFECT, y, "effect", size, "mute")
    canvas.text(CHANGED, y, "what changed, and the evidence", size, "mute")


def _strip(canvas: Canvas, drawn: Frames, row: dict[str, Any], base: float, rules: tuple[float, float]) -> None:
    """One revision's share of the requests over time, its build before it, over the ticks of the axis."""
    scale = drawn.scale
    for x, _ in scale.ticks(76 if canvas.layout.name == "wide" else 66):
        canvas.line((round(x) + 0.5,) * 2, rules)
    canvas.line((scale.left, scale.right), (base + 0.5,) * 2)
    color = EFFECT_COLORS.get(row["state"], "soft")
    own = drawn.shares[drawn.shares["revision_name"] == row["revision_name"]]
    for bar in own.to_dict("records"):
        box = scale.x(bar["start"]), base - BAR * bar["share"], scale.x(bar["end"]), base
        canvas.rect(box, color, label=f"share {row['number']}", zorder=3)
    if not pd.isna(row["build_start"]):
        _build(canvas, scale, row, base - BAR / 2, own["start"].min())


def _build(canvas: Canvas, scale: TimeScale, row: dict[str, Any], y: float, served: pd.Timestamp) -> None:
    """The build as a thin line between two stops, its length in words beside it; none outside the span."""
    end = row["build_end"] if not pd.isna(row["build_end"]) else scale.end
    if end <= scale.start or row["build_start"] >= scale.end:
        return
    left, right = scale.x(row["build_start"]), scale.x(end)
    canvas.line((left, right), (y, y), "mute", 1.5, label=f"build {row['number']}")
    for x in (left, right):
        canvas.line((x, x), (y - 4, y + 4), "mute", 1.5)
    size, text = canvas.layout.small, f"build {_took(end - row['build_start'])}"
    width = text_width(text, size)
    if left - 8 - width >= scale.left:
        canvas.text(left - 8, y + 4.5, text, size, "mute", align="right")
    elif pd.isna(served) or scale.x(served) - right >= width + 16:
        canvas.text(right + 8, y + 4.5, text, size, "mute")
    elif right - left > width:
        canvas.text((left + right) / 2, y - 6, text, size, "mute", align="center")


def _took(time: pd.Timedelta) -> str:
    return lasting(time, short=True) if time >= pd.Timedelta("1s") else f"under 1{SPACE}s"


def _wide_labels(canvas: Canvas, row: dict[str, Any], y: float) -> None:
    text, small, margin = canvas.layout.text, canvas.layout.small, canvas.layout.margin
    told = row["state"] in TOLD
    canvas.fitted(margin, y + 25, row["number"], SIDES["wide"][0] - margin - 6, bold=told)
    limit = canvas.right - CHANGED
    _changed(canvas, row, CHANGED, y + 25, text, told)
    canvas.fitted(CHANGED, y + 43, beside(row), limit, size=small, color="mute")
    known = row["state"] not in ("before", "missing")
    when = ("" if pd.isna(row["time"]) else f"{row['time']:%H:%M:%S}") if known else row["state"]
    canvas.text(margin, y + 43, when, small, "mute")
    if row["state"] == "missing":
        return
    canvas.text(REQUESTS, y + 34, f"{row['count']:,.0f}", text, align="right")
    _effect(canvas, row, EFFECT, y + 25)


def _phone_labels(canvas: Canvas, row: dict[str, Any], y: float) -> None:
    small, margin, right = canvas.layout.small, canvas.layout.margin, canvas.right
    number = canvas.fitted(margin, y + 18, row["number"], 90, bold=True)
    after = number[2] + 10
    if row["state"] in ("before", "missing"):
        after = canvas.text(after, y + 18, row["state"], canvas.layout.text, "mute")[2]
    else:
        after = _effect(canvas, row, after, y + 18)
    left = max(after + 14, 165)
    _changed(canvas, row, left, y + 18, small, False)
    words = "" if row["state"] == "missing" else counted(int(row["count"]), "request")
    canvas.text(right, y + 37, words, small, "mute", align="right")
    limit = right - margin - text_width(words, small) - 10
    canvas.fitted(margin, y + 37, beside(row, short=True), limit, size=small, color="mute")


def _effect(canvas: Canvas, row: dict[str, Any], x: float, y: float) -> float:
    """The mark and the word of an effect; returns where the word ends."""
    if row["state"] == "before":
        return x
    effect_mark(canvas, row["state"], x + 5, y - 5)
    told = row["state"] in TOLD
    word = EFFECT_WORDS.get(row["state"], row["state"])
    return canvas.text(x + 16, y, word, canvas.layout.text, "ink" if told else "mute", told)[2]


def _changed(canvas: Canvas, row: dict[str, Any], x: float, y: float, size: float, bold: bool) -> None:
    """What changed, to the right margin: as many fields by name as have room."""
    limit = canvas.right - x
    words = [changed(row, named) for named in (2, 1)]
    words.append(words[-1].removeprefix("image "))
    fitting = next((text for text in words if text_width(text, canvas.layout.small, bold) <= limit), words[-1])
    first, comma, more = fitting.rpartition(", ")
    first, more = (first, comma + more) if more.endswith(" more") else (fitting, "")
    small = canvas.layout.small
    fitted, shown = fit(first, limit - text_width(more, small, bold), (size, small), bold)
    canvas.text(x, y, shown + more, fitted, "mute" if row["state"] == "missing" else "ink", bold)


def changed(row: dict[str, Any], named: int = 2) -> str:
    """What a revision changed: the first fields by name, the others by number.

    >>> changed({"state": "none", "fields": ["env.A added", "env.B removed", "memory changed"]})
    '+ A, − B, 1 more'
    """
    if row["state"] == "missing":
        return "no such revision"
    if row["state"] == "before":
        return "in place before" if pd.isna(row["time"]) else f"in place since {row['time']:%Y-%m-%d %H:%M}"
    fields = [field for field in row["fields"] if field not in ("image", "commit")]
    words = [_field(field) for field in fields]
    if len(fields) < len(row["fields"]):
        words.insert(0, f"image {row['previous_image']} → {row['image']}")
    more = [f"{len(words) - named} more"] if len(words) > named else []
    return ", ".join([*words[:named], *more]) or "nothing that is recorded"


def _field(field: str) -> str:
    name, _, deed = field.rpartition(" ")
    sign = {"added": "+ ", "removed": "− "}.get(deed, "") if name.startswith("env.") else ""
    return f"{sign}{name.removeprefix('env.')}" + ("" if sign else f" {deed}")


def beside(row: dict[str, Any], short: bool = False) -> str:
    """The counts beside a change: those that decided it, else the sockets that opened before and after.

    `short` leaves out what the row above says too.
    """
    if row["state"] == "missing":
        return "it never came to be, or it was deleted"
    if row["state"] == "before":
        return " · ".join(part for part in (f"image {row['image']}", _opened(row["opened"])) if part)
    against = f"; against {row['compared_number']}" if row["confounded"] else ""
    image = [] if short or {"image", "commit"} & set(row["fields"]) else ["same image"]
    return " · ".join([*image, _decided(row)]) + against


def _decided(row: dict[str, Any]) -> str:
    kinds = row["on"]
    if row["state"] in TOLD:
        of_what = f" {kinds[0]}" if len(kinds) == 1 else f", {len(kinds)} kinds"
        return f"failed {of(*row['failed_before'])} → {of(*row['failed'])}{of_what}"
    if row["state"] == "unknown" and not kinds:
        return "too few requests to compare" if row["count"] else "no request reached it"
    if row["opened"][1] and row["opened_before"][1]:
        return f"sockets opened {of(*row['opened_before'])} → {of(*row['opened'])}"
    return f"failed {of(*row['failed_before'])} → {of(*row['failed'])}"


def _opened(opened: tuple[int, int]) -> str:
    return f"sockets opened {of(*opened)}" if opened[1] else ""
