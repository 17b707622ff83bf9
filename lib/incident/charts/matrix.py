"""Which handshakes are not as expected, where in the handshake they stop and who refused: one row a check.

Draws the rows of `analysis.both_sides` in the order of `analysis.rows.handshake_rows`, failed ones on top. A probe
alone cannot tell who refused: the layer, and the revision that answered, have a column where the service's log named
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from incident.analysis.both_sides import LAYER_WORDS, both_sides, of_the_endpoint
from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.analysis.rows import handshake_rows, in_brief
from incident.charts.canvas import Canvas, Chart, text_width
from incident.charts.handshake_titles import matrix_caption, matrix_title
from incident.charts.marks import check_mark
from incident.charts.style import Layout, Theme
from incident.charts.words import came_to, stage_word

STAGES = ("resolve", "connect", "tls", "request", "status", "headers", "open")
NAMED_STAGES = {"resolve": "resolve", "tls": "TLS", "status": "status", "open": "open"}
STEP = {"wide": 22.0, "phone": 13.0}

ROW, ROW_GAP, PART = 32, 2, 8
EXPECTED, OBSERVED = 232, 344
LAST_WIDTHS = {"refused by": 142, "code": 88, "revision": 54}
STAGES_WIDTH = 164
FAILED, UNDECIDED, EXPECTED_RANK = 0, 1, 2

PHONE_ROW, PHONE_FOLDED = 66, 31


@dataclass(frozen=True)
class Columns:
    """Where the stages begin, and the columns after them by their heads: only those that say something."""

    stages: float
    after: dict[str, float]


def columns(rows: pd.DataFrame, right: float) -> Columns:
    """The columns that these rows need, against the right margin."""
    needed = {"refused by": (rows["refused_by"] != "").any(), "code": True,
              "revision": rows["revision_name"].notna().any()}  # fmt: skip
    after, x = {}, right
    for head, width in reversed(LAST_WIDTHS.items()):
        if needed[head]:
            x -= width
            after[head] = x
    return Columns(x - STAGES_WIDTH, after)


def draw_matrix(case: Case, layout: Layout, theme: Theme) -> Chart:
    """The chart of a case; without handshakes it says why there are none."""
    rows = handshake_rows(of_the_endpoint(both_sides(case.evidence)))
    canvas = Canvas(layout, theme)
    top = canvas.head(matrix_title(case, rows)) + 22
    if layout.name == "wide":
        placed = columns(rows, canvas.right)
        top = _column_heads(canvas, top + layout.small * 1.2, placed)
        bottom = _rows(canvas, rows, top, partial(_wide_row, placed=placed))
    else:
        bottom = _rows(canvas, rows, top, _phone_row)
    canvas.line((layout.margin, canvas.right), (round(bottom) + 0.5,) * 2)
    return canvas.finish(bottom + 1.9 * layout.small, matrix_caption(case, rows))


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


def _column_heads(canvas: Canvas, y: float, placed: Columns) -> float:
    size, margin = canvas.layout.small, canvas.layout.margin
    heads = {"check": margin + 22, "expected": EXPECTED, "observed": OBSERVED, **placed.after}
    for word, x in heads.items():
        canvas.text(x, y, word, size, "mute")
    for number, stage in enumerate(STAGES):
        if stage in NAMED_STAGES:
            canvas.text(placed.stages + number * STEP["wide"], y, NAMED_STAGES[stage], 11, "mute", align="center")
    return y + 9


def _wide_row(canvas: Canvas, row: dict[str, Any], y: float, placed: Columns) -> float:
    failed, margin = row["rank"] == FAILED, canvas.layout.margin
    if failed:
        canvas.rect((margin - 8, y, canvas.right + 8, y + ROW - ROW_GAP), "tint", label="row failed", zorder=0)
    middle, base = y + (ROW - ROW_GAP) / 2, y + (ROW - ROW_GAP) / 2 + 5
    quiet = "mute" if row["rank"] == EXPECTED_RANK else "ink"
    check_mark(canvas, row["rank"], margin + 6, middle)
    canvas.fitted(margin + 22, base, row["name"], EXPECTED - margin - 32, bold=failed)
    canvas.fitted(EXPECTED, base, row["expected"], OBSERVED - EXPECTED - 10, color="mute")
    canvas.fitted(OBSERVED, base, observed(row), placed.stages - OBSERVED - 30, color=quiet)
    stages(canvas, row, placed.stages, middle)
    number = short_name(row["revision_name"]) if isinstance(row["revision_name"], str) else ""
    texts = {"refused by": row["refused_by"], "code": row["code"], "revision": number}
    for head, x in placed.after.items():
        bold, color = (False, "mute") if head == "revision" else (failed, quiet)
        canvas.fitted(x, base, texts[head], LAST_WIDTHS[head] - 8, bold=bold, color=color)
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
    by = f"{LAYER_WORDS[row['refused_by']]}: " if row["refused_by"] else ""
    canvas.fitted(left, y + 53, by + observed(row), right - left, size=small, bold=failed)
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
    return in_brief(row["because"]) or came_to(row)


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
