"""Before and after the fix, check by check: what went well of how many tries, and how sure so few tries make us.

Draws the rows of `analysis.before_after.before_after` in their order. A line is the exact interval of a share, a
hollow point the share before, a filled one the share after. It cannot tell whether the tries of one run were
independent; the caption says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from incident.analysis.case import Case
from incident.charts.before_after_titles import before_after_caption, before_after_title, fails, further, share_words
from incident.charts.canvas import Canvas, Chart, text_width
from incident.charts.marks import EFFECT_WORDS, TOLD, effect_mark
from incident.charts.style import Layout, Theme
from incident.charts.words import SPACE, of

SIDES = {"wide": (520.0, 850.0), "phone": (152.0, 372.0)}
"""Where 0 % and 100 % lie."""


@dataclass(frozen=True)
class Heights:
    """Of a row: all of it, how far down its subject's baseline is, its lines of before and after, the rules' span."""

    row: int
    subject: int
    before: int
    after: int
    rules: tuple[int, int]


FULL = {"wide": Heights(54, 23, 18, 39, (1, 54)), "phone": Heights(88, 19, 37, 56, (28, 64))}
SHORT = {"wide": Heights(40, 25, 11, 29, (1, 40)), "phone": Heights(68, 19, 36, 54, (28, 62))}
"""Of a check that was tried once on each side: there is no more to say of it than how it went."""

THIN, THICK = 1.5, {"before": 2.0, "after": 4.5}
"""The width of an interval: of one try, which says next to nothing, and of more."""

COUNTS_LEFT, VERDICT, APART = 336, 330, 14
SHARE = 882
BLEED = {"wide": 8, "phone": 14}
RADIUS = 5
MOST_ROWS = 16
"""More rows than this are folded into one line below the others, which are the more urgent ones."""


def draw_before_after(case: Case, layout: Layout, theme: Theme) -> Chart:
    """The chart of a case; with nothing to compare it says what is missing."""
    return draw_rows(case, case.before_after, layout, theme)


def draw_rows(case: Case, rows: pd.DataFrame, layout: Layout, theme: Theme) -> Chart:
    """The chart of rows that are made already; the case gives the caption its runs, window and gaps."""
    canvas = Canvas(layout, theme)
    top = round(canvas.head(before_after_title(case, rows)) + (24 if layout.name == "wide" else 20))
    if layout.name == "wide":
        _column_heads(canvas, top + layout.small)
        top += round(layout.small * 1.9)
    canvas.line((layout.margin, canvas.right), (top + 0.5,) * 2)
    shown = rows if len(rows) <= MOST_ROWS else rows.head(MOST_ROWS - 1)
    bottom = top
    for row in shown.to_dict("records"):
        bottom = _row(canvas, row, bottom)
    if len(shown) < len(rows) or rows.empty:
        bottom = _words_row(canvas, folded_words(rows.iloc[len(shown) :]), bottom)
    axis = _axis(canvas, bottom)
    return canvas.finish(axis + 2 * layout.small, before_after_caption(case, rows))


def folded_words(rest: pd.DataFrame) -> str:
    """What the rows are that have no room, by effect.

    >>> folded_words(pd.DataFrame({"effect": ["fixed", "none", "none"]}))
    '3 more: 1 fixed, 2 no effect'
    """
    if rest.empty:
        return "no check, no request"
    kinds = rest["effect"].value_counts(sort=False)
    return f"{len(rest)} more: " + ", ".join(f"{count} {EFFECT_WORDS.get(kind, kind)}" for kind, count in kinds.items())


def _column_heads(canvas: Canvas, y: float) -> None:
    size, left = canvas.layout.small, SIDES["wide"][0]
    canvas.text(canvas.layout.margin, y, "check or kind of request, and the fix's effect on it", size, "mute")
    canvas.text(left, y, "share that went well", size, "mute")
    canvas.text(SHARE, y, f"after, true share (95{SPACE}%)", size, "mute")


def _row(canvas: Canvas, row: dict[str, Any], y: int) -> int:
    """One row; returns where it ends."""
    name, margin = canvas.layout.name, canvas.layout.margin
    at = (SHORT if is_short(row) else FULL)[name]
    if fails(row):
        box = margin - BLEED[name], y + 1, canvas.right + BLEED[name], y + at.row
        canvas.rect(box, "tint", label="row failed", zorder=0)
    left, right = SIDES[name]
    for x in (left, (left + right) / 2, right):
        canvas.line((round(x) + 0.5,) * 2, (y + at.rules[0], y + at.rules[1]))
    for side, color, down in zip(("before", "after"), side_colors(row), (at.before, at.after), strict=True):
        _interval(canvas, row, side, color, y + down)
        _counts(canvas, row, side, y + down + 5)
    _wide_labels(canvas, row, y, at) if name == "wide" else _phone_labels(canvas, row, y, at)
    canvas.line((margin, canvas.right), (y + at.row + 0.5,) * 2)
    return y + at.row


def _interval(canvas: Canvas, row: dict[str, Any], side: str, color: str, y: float) -> None:
    """The interval as a line and the share as a point on it; dashes from 0 to 100 % where nothing was tried."""
    left, right = SIDES[canvas.layout.name]
    label, tries = f"{side} {row['subject']}", tried(row, side)
    if not tries:
        canvas.line((left, right), (y, y), "mid", 1, linestyle=(0, (2, 3)), label=f"untried {label}")
        return
    low, high, share = (
        left + (right - left) * float(part)
        for part in (row[f"{side}_low"], row[f"{side}_high"], row[f"{side}_count"] / tries)
    )
    canvas.line((low, high), (y, y), color, THIN if tries == 1 else THICK[side], label=f"interval {label}", zorder=3)
    canvas.dot(share, y, RADIUS, color, hollow=side == "before", label=f"share {label}")


def _counts(canvas: Canvas, row: dict[str, Any], side: str, base: float) -> None:
    """The side's name and its counts, ranged right before the axis; the name goes where both have no room."""
    size = canvas.layout.text if canvas.layout.name == "wide" else canvas.layout.small
    left = COUNTS_LEFT if canvas.layout.name == "wide" else canvas.layout.margin
    right = SIDES[canvas.layout.name][0] - APART
    tries, bold = tried(row, side), side == "after"
    words = of(int(row[f"{side}_count"]), tries) if tries else "not tried"
    told_with = f"{side} {words}"
    shown = told_with if text_width(told_with, size, bold and bool(tries)) <= right - left else words
    color = "ink" if tries else "mute"
    canvas.fitted(right, base, shown, right - left, bold and bool(tries), size=size, color=color, align="right")


def _wide_labels(canvas: Canvas, row: dict[str, Any], y: int, at: Heights) -> None:
    margin, small = canvas.layout.margin, canvas.layout.small
    known = bool(tried(row, "after"))
    color = "ink" if known else "mute"
    canvas.fitted(SHARE, y + at.after + 5, share_words(row), canvas.right - SHARE, known, color=color)
    left = VERDICT - 16 - text_width(*_verdict(row, small))
    base = y + (at.subject if further(row) else at.row / 2 + 5)
    _effect(canvas, row, left, base, small)
    canvas.fitted(margin, base, row["subject"], left - margin - 12, fails(row))
    canvas.fitted(margin, base + 20, further(row), VERDICT - margin, size=small, color="mute")


def _phone_labels(canvas: Canvas, row: dict[str, Any], y: int, at: Heights) -> None:
    margin, small, right = canvas.layout.margin, canvas.layout.small, canvas.right
    left = right - 16 - text_width(*_verdict(row, small))
    _effect(canvas, row, left, y + at.subject, small)
    canvas.fitted(margin, y + at.subject, row["subject"], left - margin - 12, fails(row))
    if at is SHORT["phone"]:
        return
    known = f"true share {share_words(row)}" if tried(row, "after") else ""
    share = canvas.text(margin, y + 79, known, small, bold=True)
    canvas.fitted(right, y + 79, further(row), right - share[2] - 12, size=small, color="mute", align="right")


def _effect(canvas: Canvas, row: dict[str, Any], x: float, y: float, size: float) -> float:
    """The mark and the word of a row; returns where the word ends."""
    word, _, bold = _verdict(row, size)
    effect_mark(canvas, "broke" if fails(row) else row["effect"], x + 5, y - 4.5)
    return canvas.text(x + 16, y, word, size, "ink" if bold else "mute", bold)[2]


def _verdict(row: dict[str, Any], size: float) -> tuple[str, float, bool]:
    """The word of a row, its size, and whether it is bold: what fails, without being broken by the fix, says so."""
    effect = row["effect"]
    if fails(row) and effect != "broke":
        return ("still fails" if effect in ("none", "fixed") else "fails"), size, True
    return EFFECT_WORDS.get(effect, effect), size, effect in TOLD


def _words_row(canvas: Canvas, words: str, y: int) -> int:
    canvas.fitted(canvas.layout.margin, y + 21, words, canvas.right - canvas.layout.margin, color="mute")
    canvas.line((canvas.layout.margin, canvas.right), (y + 32.5,) * 2)
    return y + 32


def _axis(canvas: Canvas, y: float) -> float:
    """The shares below the rows; returns the labels' baseline."""
    left, right = SIDES[canvas.layout.name]
    size = canvas.layout.small
    for share in (0, 50, 100):
        x, words = left + (right - left) * share / 100, f"{share}{SPACE}%"
        canvas.line((round(x) + 0.5,) * 2, (y, y + 5), "mute")
        center = min(x, canvas.right - text_width(words, size) / 2)
        canvas.text(center, y + 6 + size * 1.3, words, size, "mute", align="center")
    return y + 6 + size * 1.3


def is_short(row: dict[str, Any]) -> bool:
    """Whether a row is one check, tried at most once on each side, with nothing further to say of it."""
    return row["source"] == "checks" and max(tried(row, "before"), tried(row, "after")) == 1 and not further(row)


def tried(row: dict[str, Any], side: str) -> int:
    """How often it was tried on a side."""
    tries = row[f"{side}_tries"]
    return 0 if pd.isna(tries) else int(tries)


def side_colors(row: dict[str, Any]) -> tuple[str, str]:
    """The colours of before and after: of what an effect says first, else good for all, bad for none, mid for some."""
    if row["effect"] in ("fixed", "broke"):
        return ("bad", "good") if row["effect"] == "fixed" else ("good", "bad")
    before, after = (_color(row, side) for side in ("before", "after"))
    return before, after


def _color(row: dict[str, Any], side: str) -> str:
    tries, count = tried(row, side), row[f"{side}_count"]
    if not tries:
        return "mid"
    return {0: "bad", tries: "good"}.get(int(count), "mid")
