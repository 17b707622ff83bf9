"""Marks that carry a state by shape as well as by colour: of an effect, and of a check."""

from __future__ import annotations

from incident.charts.canvas import Canvas

EFFECT_COLORS = {"before": "soft", "none": "mid", "unknown": "mid", "broke": "bad", "fixed": "good"}
RADIUS = 5.5
EFFECT_WORDS = {"none": "no effect"}
TOLD = ("broke", "fixed")
"""Effects that are told in bold."""


def effect_mark(canvas: Canvas, effect: str, x: float, y: float) -> None:
    """× on a square for `broke`, ✓ on a disc for `fixed`, a dash for `none`, ? in a ring for `unknown`."""
    if effect == "broke":
        canvas.rect((x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS), "bad", label="mark broke", zorder=4)
        for sign in (1, -1):
            canvas.line((x - 2.6, x + 2.6), (y - 2.6 * sign, y + 2.6 * sign), "background", 1.7, zorder=5)
    elif effect == "fixed":
        canvas.dot(x, y, RADIUS + 0.5, "good", label="mark fixed")
        canvas.line((x - 2.8, x - 0.8, x + 3), (y + 0.2, y + 2.4, y - 2.3), "background", 1.7, zorder=5)
    elif effect == "none":
        canvas.line((x - 5, x + 5), (y, y), "mid", 2.5, label="mark none")
    else:
        canvas.dot(x, y, RADIUS, "mid", hollow=True, label="mark unknown")
        canvas.text(x, y + 3.2, "?", 9, "ink", True, "center")


def check_mark(canvas: Canvas, rank: int, x: float, y: float) -> None:
    """≠ on a square for what is not as expected, ? in a frame for what is undecided, = for what is."""
    if rank == 0:
        canvas.rect((x - 6, y - 6, x + 6, y + 6), "bad", label="mark failed", zorder=4)
        canvas.text(x, y + 4, "≠", 11, "background", True, "center")
    elif rank == 1:
        canvas.line((x - 5, x + 5, x + 5, x - 5, x - 5), (y - 5, y - 5, y + 5, y + 5, y - 5), "mid", 1.5,
                    label="mark undecided", solid_joinstyle="miter")  # fmt: skip
        canvas.text(x, y + 3.4, "?", 9, "ink", True, "center")
    else:
        canvas.text(x, y + 5, "=", 14, "mute", True, "center", label="mark ok")
