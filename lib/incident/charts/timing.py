"""Where the time of each handshake goes: one row a check, its stages one after the other on a scale of time.

Draws the rows of `analysis.timings`. Where one check took much longer than the others, the scale is theirs, its bar is
cut, and a wide sheet has a panel of the whole beside it. The stage in which no answer came is in the colour of failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from incident.analysis.case import Case
from incident.analysis.timings import STAGES, timings
from incident.charts.canvas import Box, Canvas, Chart, text_width
from incident.charts.handshake_titles import timing_caption, timing_title
from incident.charts.marks import check_mark
from incident.charts.style import Layout, Theme
from incident.charts.words import SPACE, came_to, short_time, stage_word

FILLS = {"resolve": "soft", "connect": "mid", "tls": "soft", "status": "good", "headers": "mid", "open": "ink"}
ON_FILLS = {"soft": "ink", "mid": "ink", "good": "on_good", "ink": "background", "bad": "background"}
"""The colour of the text on each fill, by the same names in both themes."""

CUT = 4
"""How many times the median a check may take before it is cut, so that the stages of the others can be seen."""

STEPS = tuple(digit * 10.0**power for power in range(-5, 4) for digit in (1, 2, 5))
TICKS = {"wide": 5, "whole": 3, "phone": 4}
BAR = 16
ROW = {"wide": 36, "phone": 56}
DENSE, DENSE_ROW = 16, 28
"""From so many checks on, the rows of a wide sheet are closer together."""

NAME, SIDE, SIDE_END, LOG = 220, 236, 376, 976
TOTAL_WIDTH = 84
LABEL_PAD = 5
ANSWER_GAP, ANSWER_ROOM = 16, 146
PHONE_BAR = 30
"""How much of a row on a phone is its bar's, below the name."""

FAILED = 0


@dataclass(frozen=True)
class Scale:
    """Seconds from nought to `end` laid between two x."""

    end: float
    left: float
    right: float

    def x(self, seconds: float) -> float:
        """Where a moment lies; one beyond the end lies at it."""
        return self.left + min(seconds / self.end, 1) * (self.right - self.left)

    def ticks(self, most: int) -> list[float]:
        """Round moments, at most so many beside nought."""
        step = next((step for step in STEPS if self.end / step <= most), STEPS[-1])
        return [number * step for number in range(int(self.end / step + 1e-9) + 1)]


def draw_timing(case: Case, layout: Layout, theme: Theme) -> Chart:
    """The chart of a case; without timings it says why there are none."""
    times = timings(case.evidence)
    longest, shown = scale_ends(times["total_s"])
    cut = shown < longest
    canvas = Canvas(layout, theme)
    top = canvas.head(timing_title(case, times)) + 22
    if times.empty:
        canvas.text(layout.margin, top + 21, "no timings", layout.text, "mute")
        bottom = top + ROW[layout.name]
        canvas.line((layout.margin, canvas.right), (round(bottom) + 0.5,) * 2)
    elif layout.name == "wide":
        bottom = _wide(canvas, times, top, longest, shown)
    else:
        bottom = _phone(canvas, times, top, shown)
    return canvas.finish(bottom + 2.1 * layout.small, timing_caption(case, times, cut, layout.name))


def scale_ends(totals: pd.Series) -> tuple[float, float]:
    """The longest time, and the longest that is drawn whole; the same where none is far from the others.

    >>> scale_ends(pd.Series([0.1, 0.12, 7.0]))
    (7.0, 0.12)
    """
    if totals.empty or not totals.max():
        return 1.0, 1.0
    near = totals[totals <= CUT * totals.median()]
    return float(totals.max()), float(near.max() if len(near) and near.max() > 0 else totals.max())


def _wide(canvas: Canvas, times: pd.DataFrame, top: float, longest: float, shown: float) -> float:
    """Heads, the panel of the whole where bars are cut, rows, axes; returns the baseline of the axes' labels."""
    cut, size = shown < longest, canvas.layout.small
    known = times["server_s"].notna().any()
    left, right = SIDE_END + 40 if cut else SIDE, (LOG - 66 if known else canvas.right - TOTAL_WIDTH)
    scale = Scale(shown, left, right - ANSWER_GAP - ANSWER_ROOM)
    whole = Scale(longest, SIDE, SIDE_END) if cut else None
    base = top + size * 1.2
    heads = {"check": canvas.layout.margin + 22, "answer": scale.right + ANSWER_GAP}
    heads |= {"the whole": SIDE, f"its first {short_time(shown)}, by stage": left} if whole else {"by stage": left}
    for head, x in heads.items():
        canvas.text(x, base, head, size, "mute")
    canvas.text(canvas.right, base, "total", size, "mute", align="right")
    if known:
        canvas.text(LOG, base, "by the log", size, "mute", align="right")
    y = first = base + 9
    height = DENSE_ROW if len(times) > DENSE else ROW["wide"]
    for row in times.to_dict("records"):
        _wide_row(canvas, row, y, height, scale, whole)
        y += height
    _axis(canvas, scale, [(first, y)], TICKS["wide"])
    if whole:
        _axis(canvas, whole, [(first, y)], TICKS["whole"])
    return y + 6 + size * 1.3


def _wide_row(canvas: Canvas, row: dict[str, Any], y: float, height: float, scale: Scale, whole: Scale | None) -> None:
    failed, margin, small = row["rank"] == FAILED, canvas.layout.margin, canvas.layout.small
    middle = y + height / 2
    canvas.line((margin, canvas.right), (round(y) + 0.5,) * 2)
    check_mark(canvas, row["rank"], margin + 6, middle)
    tries = _tries(row)
    room = NAME - margin - 22 - (text_width(tries, small) + 8 if tries else 0)
    name = canvas.fitted(margin + 22, middle + 5, row["name"], room, bold=failed)
    if tries:
        canvas.text(name[2] + 8, middle + 5, tries, small, "mute")
    if whole:
        _segments(canvas, row, middle, whole, labels=False)
    _segments(canvas, row, middle, scale)
    canvas.fitted(scale.right + ANSWER_GAP, middle + 4.5, outcome(row), ANSWER_ROOM, size=small, bold=failed,
                  color="ink" if failed else "mute")  # fmt: skip
    if not pd.isna(row["server_s"]):
        canvas.text(LOG, middle + 4.5, short_time(row["server_s"]), small, "mute", align="right")
    canvas.text(canvas.right, middle + 5, short_time(row["total_s"]), canvas.layout.text, bold=True, align="right")


def _phone(canvas: Canvas, times: pd.DataFrame, top: float, shown: float) -> float:
    layout = canvas.layout
    cut = shown < times["total_s"].max()
    head = f"first {short_time(shown)} of each, by stage" if cut else "by stage"
    canvas.text(layout.margin, top + 8, head, layout.small, "mute")
    canvas.text(canvas.right, top + 8, "total", layout.small, "mute", align="right")
    scale = Scale(shown, layout.margin, canvas.right - TOTAL_WIDTH + 14)
    y, spans = top + 16, []
    for row in times.to_dict("records"):
        _phone_row(canvas, row, y, scale)
        y += ROW["phone"]
        spans.append((y - PHONE_BAR, y))
    _axis(canvas, scale, spans, TICKS["phone"])
    return y + 6 + layout.small * 1.3


def _phone_row(canvas: Canvas, row: dict[str, Any], y: float, scale: Scale) -> None:
    """The name and what it came to above the bar, the total beside it."""
    failed, margin, small = row["rank"] == FAILED, canvas.layout.margin, canvas.layout.small
    canvas.line((margin, canvas.right), (round(y) + 0.5,) * 2)
    words = " · ".join(filter(None, [_tries(row), outcome(row)]))
    width = min(text_width(words, small, failed), 170)
    check_mark(canvas, row["rank"], margin + 6, y + 15)
    canvas.fitted(margin + 20, y + 20, row["name"], canvas.right - margin - 30 - width, bold=failed)
    canvas.fitted(canvas.right, y + 20, words, 170, size=small, bold=failed, color="ink" if failed else "mute",
                  align="right")  # fmt: skip
    _segments(canvas, row, y + 38, scale)
    canvas.text(canvas.right, y + 43, short_time(row["total_s"]), canvas.layout.text, bold=True, align="right")


def _segments(canvas: Canvas, row: dict[str, Any], middle: float, scale: Scale, labels: bool = True) -> None:
    """The stages from left to right, and the service's own latency under the wait for the status."""
    begin = 0.0
    for stage in STAGES:
        took = row[f"{stage}_s"]
        if pd.isna(took) or begin > scale.end:
            continue
        left, right = scale.x(begin), scale.x(begin + took)
        cut = begin + took > scale.end * (1 + 1e-9)
        _segment(canvas, row, stage, (left, middle - BAR / 2, right, middle + BAR / 2), ends=not cut)
        if labels:
            _label(canvas, row, stage, (left, right, middle), cut)
        if labels and stage == "status" and not pd.isna(row["server_s"]):
            y, end = middle + BAR / 2 + 3.5, scale.x(begin + row["server_s"])
            canvas.line((left, end), (y, y), "ink", 3, label=f"service {row['name']}")
        begin += took


def _segment(canvas: Canvas, row: dict[str, Any], stage: str, box: Box, ends: bool) -> None:
    """One stage, at least a pixel wide, a hairline of the ground after it; a bar where no answer came, if it `ends`."""
    left, top, right, bottom = box
    stopped = row["stopped"] == stage
    gap = 1 if right - left > 4 else 0
    canvas.rect((left, top, max(right - gap, left + 1), bottom), "bad" if stopped else FILLS[stage],
                label=f"{stage} {row['name']}", zorder=3)  # fmt: skip
    if stopped and ends:
        canvas.line((right, right), (top - 4, bottom + 4), "bad", 2.6, label=f"stopped {row['name']}", zorder=4)


def _label(canvas: Canvas, row: dict[str, Any], stage: str, place: tuple[float, float, float], cut: bool) -> None:
    """The stage's name and time on its segment, its time alone, or nothing: what there is room for."""
    left, right, middle = place
    longest, took = row["longest"] == stage, row[f"{stage}_s"]
    color = ON_FILLS["bad" if row["stopped"] == stage else FILLS[stage]]
    size, time = canvas.layout.small - 1.5, short_time(took)
    on = " ▸" if cut else ""
    for text in (f"{stage_word(stage)}{SPACE}{time}{on}", f"{time}{on}", time.split(SPACE)[0]):
        if text_width(text, size, longest) + 2 * LABEL_PAD <= right - left:
            x = right - LABEL_PAD if cut else (left + right) / 2
            canvas.text(x, middle + 4, text, size, color, longest, "right" if cut else "center")
            return


def _axis(canvas: Canvas, scale: Scale, spans: Sequence[tuple[float, float]], most: int) -> None:
    """Upright hairlines behind the bars, within some spans of y, and their times below the last."""
    size, bottom = canvas.layout.small - 1, spans[-1][1]
    canvas.line((canvas.layout.margin, canvas.right), (round(bottom) + 0.5,) * 2)
    for seconds in scale.ticks(most):
        x = scale.x(seconds)
        for top, end in [*spans, (bottom, bottom + 5)]:
            canvas.line((round(x) + 0.5,) * 2, (top, end), zorder=1.5)
        align = "left" if x - scale.left < 12 and scale.left <= canvas.layout.margin else "center"
        canvas.text(x, bottom + 6 + size * 1.2, short_time(seconds) if seconds else "0", size, "mute", align=align)


def outcome(row: dict[str, Any]) -> str:
    """What came in the end: a code, or where it stopped."""
    if row["stopped"]:
        return f"stopped in {stage_word(row['stopped'])}"
    return str(row["code"]) if row["code"] != "none" else came_to(row)


def _tries(row: dict[str, Any]) -> str:
    return f"try {row['attempts']}" if not pd.isna(row["attempts"]) and row["attempts"] > 1 else ""
