"""Which errors came first, on which revision, and what follows from what: one lane a group, first on top.

Draws lanes, bars and bands of `analysis.bars`. Where first entries are too close to be told apart, a panel of seconds
shares the lanes; on a phone their relation stays in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from incident.analysis import bars
from incident.analysis.case import Case
from incident.charts.bands import Span, band_grounds, band_head, band_rules, time_axis
from incident.charts.canvas import Box, Canvas, Chart, text_width
from incident.charts.panel import first_seconds_panel
from incident.charts.scale import TimeScale
from incident.charts.style import Layout, Theme
from incident.charts.titles import background_words, sequence_caption, sequence_title
from incident.charts.words import counted, of

CLOCK = "%H:%M:%S"
NO_GROUP = "failed request, traceback, exit, error line"
LEAST_BAR = 2
INDENT, WIDE_INDENT = 20, 26
BACKGROUND_BAR = 12
BACKGROUND_HEAD = 38


@dataclass(frozen=True)
class Places:
    """Where things stand in one layout, in pixels: the sides of the bars, of the panel, and the heights of lanes."""

    left: float
    right: float
    counts: float
    lane: float
    small_lane: float
    bar: float
    above: float
    panel: Span | None = None


WIDE = Places(384, 1006, 1072, 58, 27, 38, 0)
WITH_PANEL = Places(384, 786, 842, 58, 27, 38, 0, (872, 1072))
PHONE = Places(14, 336, 376, 74, 42, 30, 16)
"""`above` is the room that the tallest bar's label needs where the lane's own labels stand above the bars."""


@dataclass(frozen=True)
class Frames:
    """What is drawn: lanes, bars, bands, the lanes of the panel, and how long a bar is."""

    scale: TimeScale
    width: pd.Timedelta
    lanes: pd.DataFrame
    bars: pd.DataFrame
    bands: pd.DataFrame
    first: pd.DataFrame
    apart: str

    @property
    def tallest(self) -> dict[str, Any] | None:
        """The bar with the most entries, the earliest on a tie."""
        return None if self.bars.empty else self.bars.loc[self.bars["count"].idxmax()].to_dict()


@dataclass(frozen=True)
class Lines:
    """The baseline of every lane, where the background begins (None without one), and where all ends."""

    bases: list[float]
    background: float | None
    bottom: float


def draw_sequence(case: Case, layout: Layout, theme: Theme) -> Chart:
    """The chart of a case; an empty sequence is one lane that says what was searched."""
    at, drawn = _places_and_frames(case, layout)
    span = drawn.scale.start, drawn.scale.end
    canvas = Canvas(layout, theme)
    top = canvas.head(sequence_title(case)) + 24
    words = "cannot be judged" if case.evidence.gap("logs") else "0 entries"
    axis = draw_lanes(canvas, at, drawn, top, words)
    return canvas.finish(axis + 2.4 * layout.small, sequence_caption(case, span, drawn.width))


def frames(case: Case, at: Places) -> Frames:
    """The frames that the chart draws, for the room it has."""
    start, end = bars.drawn_span(case.evidence)
    scale = TimeScale(start, end, at.left, at.right)
    width = bars.bar_width(start, end, at.right - at.left)
    bands = bars.revision_bands(case.evidence.revisions, case.changes, case.entries, bars.Edges(start, end, width))
    lanes = bars.error_lanes(case.sequence, case.entries, case.evidence.scope.start, width)
    counts = bars.error_bars(case.entries, lanes, bars.bar_edges(start, end, width, bands["start"]))
    first = bars.first_seconds(lanes, scale.pixels(bars.LEAST_PIXELS))
    return Frames(scale, width, lanes, counts, bands, first, background_words(case))


def _places_and_frames(case: Case, layout: Layout) -> tuple[Places, Frames]:
    """The places of a layout; the wide one gives room to a panel only where first entries are too close."""
    if layout.name == "phone":
        return PHONE, frames(case, PHONE)
    narrow = frames(case, WITH_PANEL)
    return (WITH_PANEL, narrow) if len(narrow.first) else (WIDE, frames(case, WIDE))


def draw_lanes(canvas: Canvas, at: Places, drawn: Frames, top: float, words: str) -> float:
    """Lanes under the heads of revisions, and the axis of time below; returns the axis' baseline.

    `words` stand in the one lane that is drawn where there is no group.
    """
    small = canvas.layout.small
    below_head = top + 2.9 * small
    lines = _lines(at, drawn, below_head)
    band_grounds(canvas, drawn.bands, drawn.scale, (top, lines.bottom))
    band_head(canvas, drawn.bands, drawn.scale, top + small * 1.2)
    clear = _tallest(canvas, at, drawn, lines) if len(drawn.lanes) else _nothing(canvas, at, lines.bases[0], words)
    band_rules(canvas, drawn.bands, drawn.scale, _rule_spans(at, drawn, lines, below_head), clear)
    if not at.above and len(drawn.lanes):
        _column_heads(canvas, at, top)
    for lane, row in enumerate(drawn.lanes.to_dict("records")):
        raised = at.above if drawn.tallest and lane == drawn.tallest["lane"] else 0
        _lane(canvas, at, row, lines.bases[lane], raised, WIDE_INDENT if len(drawn.lanes) > 9 else INDENT)
    _bars(canvas, at, drawn, lines)
    if lines.background is not None:
        _background_head(canvas, at, lines.background, drawn.apart)
    if at.panel:
        first_seconds_panel(canvas, at.panel, drawn.lanes, drawn.first, drawn.bands, lines.bases, top)
    return time_axis(canvas, drawn.scale, lines.bottom, "right" if at.above else "")


def _lines(at: Places, drawn: Frames, y: float) -> Lines:
    bases: list[float] = []
    background: float | None = None
    tallest = drawn.tallest["lane"] if drawn.tallest else None
    for lane, is_background in enumerate(drawn.lanes["background"]):
        if is_background and background is None:
            background = y + 16
            y += BACKGROUND_HEAD
        y += at.small_lane if is_background else at.lane
        y += at.above if lane == tallest else 0
        bases.append(y)
    if not bases:
        bases.append(y := y + at.lane)
    return Lines(bases, background, y + 6)


def _rule_spans(at: Places, drawn: Frames, lines: Lines, top: float) -> list[Span]:
    """Where hairlines run: from top to bottom, or, where labels stand above the bars, beside the bars only."""
    if not at.above:
        return [(top, lines.bottom)]
    heights = [BACKGROUND_BAR if background else at.bar for background in drawn.lanes["background"]] or [at.bar]
    return [(base - height, base) for base, height in zip(lines.bases, heights, strict=True)]


def _column_heads(canvas: Canvas, at: Places, top: float) -> None:
    size, left = canvas.layout.small, canvas.layout.margin
    canvas.text(left, top + size * 1.2, "Error groups in order of first appearance", size, "mute")
    canvas.text(left, top + size * 2.45, "first – last entry, UTC; relation", size, "mute")
    canvas.text(at.counts, top + size * 1.2, "entries", size, "mute", align="right")


def _lane(canvas: Canvas, at: Places, row: dict[str, Any], base: float, raised: float, indent: float) -> None:
    small, margin = canvas.layout.small, canvas.layout.margin
    color, bold = ("mute", False) if row["background"] else ("ink", True)
    canvas.line((at.left, at.right), (base + 0.5, base + 0.5))
    size = small if row["background"] else canvas.layout.text
    canvas.text(at.counts, base - 3, f"{row['count']:,}", size, color, bold, "right")
    if row["background"]:
        _background_labels(canvas, at, row, base - raised)
        return
    title, below, limit = _label_room(canvas, at, base - raised, indent)
    if not pd.isna(row["order"]):
        canvas.text(margin, title, f"{row['order']:.0f}", canvas.layout.text, bold=True)
    canvas.fitted(margin + indent, title, row["title"], limit, bold=True)
    canvas.fitted(margin + indent, below, times(row), limit, size=small, color="mute")


def _label_room(canvas: Canvas, at: Places, base: float, indent: float) -> tuple[float, float, float]:
    """The baselines of a lane's two lines of label, and how wide they may be."""
    left = canvas.layout.margin + indent
    if not at.above:
        return base - 25, base - 6.5, at.left - left - 8
    top = base - at.bar - 23
    return top, top + 17, canvas.right - left


def times(row: dict[str, Any]) -> str:
    """When a group was seen, and its relation: what it follows, in how many of its entries."""
    seen = f"{row['first_seen_time']:{CLOCK}} – {row['last_seen_time']:{CLOCK}}"
    if row["kind"] == "folded":
        return seen
    return "   ".join(part for part in (seen, relation(row)) if part)


def relation(row: dict[str, Any]) -> str:
    """What a group follows, always with its count; `goes with` where its first entry was not the later one.

    >>> relation({"follows_count": 33, "count": 37, "follows_order": 5, "in_order": True, "may_be_older": False})
    'follows 5 in 33\\xa0of\\xa037'
    """
    if row["follows_count"]:
        verb = "follows" if row["in_order"] else "goes with"
        return f"{verb} {row['follows_order']:.0f} in {of(int(row['follows_count']), int(row['count']))}"
    return "may be older" if row["may_be_older"] else ""


def _background_labels(canvas: Canvas, at: Places, row: dict[str, Any], base: float) -> None:
    size, left = canvas.layout.small, canvas.layout.margin
    seen = f"first {row['first_seen_time']:{CLOCK}}"
    if at.above:
        canvas.fitted(left, base - 18, f"{row['title']} · {seen}", canvas.right - left - 50, size=size, color="mute")
        return
    right = at.left - 12
    canvas.text(right, base - 3, seen, size, "mute", align="right")
    limit = right - text_width(seen, size) - left - 20 - 10
    canvas.fitted(left + 20, base - 3, row["title"], limit, size=size, color="mute")


def _background_head(canvas: Canvas, at: Places, y: float, words: str) -> None:
    canvas.line((canvas.layout.margin, at.counts), (y + 0.5, y + 0.5), "mute")
    canvas.text(canvas.layout.margin, y + canvas.layout.small * 1.4, words, canvas.layout.small, "mute")


def _bars(canvas: Canvas, at: Places, drawn: Frames, lines: Lines) -> None:
    """All bars on one height scale; the background's too, at a third of it."""
    if drawn.tallest is None:
        return
    for bar in drawn.bars.to_dict("records"):
        row, base = drawn.lanes.iloc[bar["lane"]], lines.bases[bar["lane"]]
        height = max(LEAST_BAR, at.bar * bar["count"] / drawn.tallest["count"])
        left, right = drawn.scale.x(bar["start"]), drawn.scale.x(bar["end"])
        right = max(right - 1, left + 1)
        color = "mid" if row["background"] else "bad"
        canvas.rect((left, base - height, right, base), color, label=f"bar {bar['lane']}", zorder=3)


def _tallest(canvas: Canvas, at: Places, drawn: Frames, lines: Lines) -> Box | None:
    """The tallest bar's count above it, which gives all heights their scale."""
    if (bar := drawn.tallest) is None:
        return None
    size = canvas.layout.small
    text = f"tallest: {counted(int(bar['count']), 'entry')}"
    half = text_width(text, size) / 2
    middle = (drawn.scale.x(bar["start"]) + drawn.scale.x(bar["end"])) / 2
    center = min(max(middle, at.left + half), at.right - half)
    return canvas.text(center, lines.bases[bar["lane"]] - at.bar - 5, text, size, "mute", align="center")


def _nothing(canvas: Canvas, at: Places, base: float, words: str) -> Box:
    """One lane without a group, what would have been one, and in words what that means; returns the words' box."""
    canvas.line((at.left, at.right), (base + 0.5, base + 0.5))
    title, below, limit = _label_room(canvas, at, base, 0)
    left = canvas.layout.margin
    canvas.text(left, title, "no error group", canvas.layout.text, "mute")
    canvas.fitted(left, below, NO_GROUP, limit, size=canvas.layout.small, color="mute")
    return canvas.text((at.left + at.right) / 2, base - 5, words, canvas.layout.small, "mute", align="center")
