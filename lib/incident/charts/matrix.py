"""Which handshakes are not as expected, and where in the handshake they stop: one row a check, failed ones on top.

Draws the rows of `analysis.rows.handshake_rows`. Who refused is left out: a probe alone cannot tell. The revision
that answered has a column where the service's log named it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.analysis.rows import handshake_rows
from incident.charts.canvas import Canvas, Chart, text_width
from incident.charts.marks import check_mark
from incident.charts.style import Layout, Theme
from incident.charts.titles import matrix_caption, matrix_title
from incident.charts.words import came_to, stage_word
from incident.handshake import RULES

STAGES = ("resolve", "connect", "tls", "request", "status", "headers", "open")
NAMED_STAGES = {"resolve": "resolve", "tls": "TLS", "status": "status", "open": "open"}
STEP = {"wide": 22.0, "phone": 13.0}

ROW, ROW_GAP, PART = 32, 2, 8
EXPECTED, OBSERVED, STAGE, CODE, REVISION = 232, 344, 764, 928, 1018
WITHOUT_REVISION = 54
"""How far stages and code move to the right where no revision is known."""
FAILED, UNDECIDED, EXPECTED_RANK = 0, 1, 2

PHONE_ROW, PHONE_FOLDED = 66, 31

KNOWN_RULE = RULES["status-101"].words.partition("{detail}")[2]
"""What the probe adds to every refusal; a row has no room for what is the same in all of them."""


def draw_matrix(case: Case, layout: Layout, theme: Theme) -> Chart:
    """The chart of a case; without handshakes it says why there are none."""
    rows = handshake_rows(case.evidence.handshakes)
    canvas = Canvas(layout, theme)
    top = canvas.head(matrix_title(case)) + 22
    if layout.name == "wide":
        shift = 0 if rows["revision_name"].notna().any() else WITHOUT_REVISION
        top = _column_heads(canvas, top + layout.small * 1.2, shift)
        bottom = _rows(canvas, rows, top, partial(_wide_row, shift=shift))
    else:
        bottom = _rows(canvas, rows, top, _phone_row)
    canvas.line((layout.margin, canvas.right), (round(bottom) + 0.5,) * 2)
    return canvas.finish(bottom + 1.9 * layout.small, matrix_caption(case))


def _rows(
    canvas: Canvas, rows: pd.DataFrame, y: float, draw: Callable[[Canvas, dict[str, Any], float], float]
) -> float:
    """The rows one below the other, a line where what is expected of a reader changes; returns where the last ends."""
    above: int | None = None
    for row in rows.to_dict("records"):
        if above is not None and row["rank"] != above:
            canvas.line((canvas.layout.margin, canvas.right), (round(y + PART / 2) + 0.5,) * 2, "mute")
            y += PART
        above = row["rank"]
        y = draw(canvas, row, y)
    if rows.empty:
        canvas.text(canvas.layout.margin, y + 21, "no handshake", canvas.layout.text, "mute")
        y += ROW
    return y + PART / 2


def _column_heads(canvas: Canvas, y: float, shift: int) -> float:
    size, margin = canvas.layout.small, canvas.layout.margin
    for x, word in ((margin + 22, "check"), (EXPECTED, "expected"), (OBSERVED, "observed"), (CODE + shift, "code")):
        canvas.text(x, y, word, size, "mute")
    if not shift:
        canvas.text(REVISION, y, "revision", size, "mute")
    for number, stage in enumerate(STAGES):
        if stage in NAMED_STAGES:
            canvas.text(STAGE + shift + number * STEP["wide"], y, NAMED_STAGES[stage], 11, "mute", align="center")
    return y + 9


def _wide_row(canvas: Canvas, row: dict[str, Any], y: float, shift: int) -> float:
    failed, margin = row["rank"] == FAILED, canvas.layout.margin
    if failed:
        canvas.rect((margin - 8, y, canvas.right + 8, y + ROW - ROW_GAP), "tint", label="row failed", zorder=0)
    middle, base = y + (ROW - ROW_GAP) / 2, y + (ROW - ROW_GAP) / 2 + 5
    quiet = "mute" if row["rank"] == EXPECTED_RANK else "ink"
    check_mark(canvas, row["rank"], margin + 6, middle)
    canvas.fitted(margin + 22, base, row["name"], EXPECTED - margin - 32, bold=failed)
    canvas.fitted(EXPECTED, base, row["expected"], OBSERVED - EXPECTED - 10, color="mute")
    canvas.fitted(OBSERVED, base, observed(row), STAGE + shift - OBSERVED - 30, color=quiet)
    stages(canvas, row, STAGE + shift, middle)
    canvas.fitted(CODE + shift, base, row["code"], REVISION - CODE - 8, bold=failed, color=quiet)
    if isinstance(row["revision_name"], str):
        canvas.fitted(REVISION, base, short_name(row["revision_name"]), canvas.right - REVISION, color="mute")
    return y + ROW


def _phone_row(canvas: Canvas, row: dict[str, Any], y: float) -> float:
    """Three lines for a check that is not as expected or undecided, one for a check that is."""
    if row["rank"] == EXPECTED_RANK:
        return _folded_row(canvas, row, y)
    failed, margin, small = row["rank"] == FAILED, canvas.layout.margin, canvas.layout.small
    if failed:
        canvas.rect((0, y, canvas.layout.width, y + PHONE_ROW - 5), "tint", label="row failed", zorder=0)
    left, right = margin + 20, canvas.right
    first = right - 10 - STEP["phone"] * (len(STAGES) - 1)
    check_mark(canvas, row["rank"], margin + 6, y + 13)
    canvas.fitted(left, y + 18, row["name"], first - left - 14, bold=failed)
    stages(canvas, row, first, y + 13)
    stopped = f"stopped at {stage_word(row['stage'])}" if failed and isinstance(row["stage"], str) else ""
    canvas.text(right, y + 36, stopped, small, "mute", align="right")
    limit = right - left - text_width(stopped, small) - 10
    canvas.fitted(left, y + 36, f"expected {row['expected']}", limit, size=small, color="mute")
    canvas.fitted(left, y + 53, observed(row), right - left, size=small, bold=failed)
    return y + PHONE_ROW


def _folded_row(canvas: Canvas, row: dict[str, Any], y: float) -> float:
    margin, small = canvas.layout.margin, canvas.layout.small
    words = came_to(row) if row["verdict"] == "accepted" else observed(row)
    width = min(text_width(words, small), 170)
    check_mark(canvas, row["rank"], margin + 6, y + 13)
    canvas.fitted(margin + 20, y + 18, row["name"], canvas.right - margin - 30 - width)
    canvas.fitted(canvas.right, y + 18, words, 170, size=small, color="mute", align="right")
    return y + PHONE_FOLDED


def observed(row: dict[str, Any]) -> str:
    """What was seen, in the probe's own words; in ours where it has none."""
    said = row["because"] if isinstance(row["because"], str) else ""
    return said.replace(KNOWN_RULE, "") or came_to(row)


def stages(canvas: Canvas, row: dict[str, Any], left: float, y: float) -> None:
    """The stages reached as dots on a line, an upright bar where it stopped, a disc where it opened; the rest pale."""
    step, name = STEP[canvas.layout.name], row["name"]
    reached = STAGES.index(row["stage"]) if row["stage"] in STAGES and row["rank"] != UNDECIDED else -1
    xs = [left + number * step for number in range(len(STAGES))]
    color = "bad" if row["rank"] == FAILED else "mid"
    for number, x in enumerate(xs):
        absent = row["without_tls"] and STAGES[number] == "tls"
        if number > reached:
            canvas.dot(x, y, 2.5, "soft", label=f"ahead {name}")
        elif number < reached and not absent:
            canvas.dot(x, y, 3, color, label=f"reached {name}")
    for begin, end in _runs(xs[: reached + 1], row["without_tls"]):
        canvas.line((begin, end), (y, y), color, 2, zorder=3)
    if reached >= 0:
        _stop(canvas, row, xs[reached], y, color)


def _runs(xs: list[float], without_tls: bool) -> list[tuple[float, float]]:
    """The parts of the line: one, or two with a gap around the stage that the address does not have."""
    at = STAGES.index("tls")
    if len(xs) < 2:
        return []
    if without_tls and len(xs) > at + 1:
        return [(xs[0], xs[at - 1]), (xs[at + 1], xs[-1])]
    return [(xs[0], xs[-1])]


def _stop(canvas: Canvas, row: dict[str, Any], x: float, y: float, color: str) -> None:
    """A large disc where a connection opened and stayed or an answer came as expected, else a bar."""
    if row["rank"] != FAILED and row["stage"] == "open":
        canvas.dot(x, y, 5, color, label=f"open {row['name']}")
    else:
        canvas.line((x, x), (y - 7, y + 7), color, 2.6, zorder=4, label=f"stop {row['name']}")
