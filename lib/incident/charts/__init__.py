"""The charts of a run: each one question, its computed answer as the title, its evidence in the caption.

Each function takes a case and returns a figure; as the last line of a notebook's cell, without a semicolon, it is
shown once. What is drawn comes from `analysis.bars`, `analysis.rows`, `analysis.both_sides`, `analysis.timings`,
`analysis.durations` and `analysis.before_after`; only places on the sheet are computed here.
"""

from __future__ import annotations

from collections.abc import Callable

from incident.analysis.case import Case
from incident.charts.before_after import draw_before_after
from incident.charts.canvas import Chart, plain
from incident.charts.durations import draw_durations
from incident.charts.matrix import draw_matrix
from incident.charts.sequence import draw_sequence
from incident.charts.style import Layout, Theme, style
from incident.charts.timeline import draw_timeline
from incident.charts.timing import draw_timing

__all__ = [
    "CHARTS", "before_after", "connection_durations", "error_sequence", "figures", "handshake_matrix",
    "handshake_timing", "revision_timeline",
]  # fmt: skip


def error_sequence(case: Case, layout: str = "wide", theme: str = "light") -> Chart:
    """Which errors came first, on which revision, and what follows from what.

    `layout` is wide (1100 px) or phone (390 px), `theme` light or dark; another name is a `UsageError`.
    """
    return _drawn(draw_sequence, case, layout, theme)


def revision_timeline(case: Case, layout: str = "wide", theme: str = "light") -> Chart:
    """What each revision changed, and what it did; `layout` and `theme` as in `error_sequence`."""
    return _drawn(draw_timeline, case, layout, theme)


def handshake_matrix(case: Case, layout: str = "wide", theme: str = "light") -> Chart:
    """Which handshakes are not as expected, and where they stop; `layout` and `theme` as in `error_sequence`."""
    return _drawn(draw_matrix, case, layout, theme)


def handshake_timing(case: Case, layout: str = "wide", theme: str = "light") -> Chart:
    """Where the time of each handshake goes, stage by stage; `layout` and `theme` as in `error_sequence`."""
    return _drawn(draw_timing, case, layout, theme)


def connection_durations(case: Case, layout: str = "wide", theme: str = "light") -> Chart:
    """Do sockets end at the request timeout, and since when; `layout` and `theme` as in `error_sequence`."""
    return _drawn(draw_durations, case, layout, theme)


def before_after(case: Case, layout: str = "wide", theme: str = "light") -> Chart:
    """Is it fixed, and how sure do so few tries make us; `layout` and `theme` as in `error_sequence`."""
    return _drawn(draw_before_after, case, layout, theme)


CHARTS: dict[str, Callable[..., Chart]] = {
    "error-sequence": error_sequence,
    "revision-timeline": revision_timeline,
    "handshake-matrix": handshake_matrix,
    "handshake-timing": handshake_timing,
    "connection-durations": connection_durations,
    "before-after": before_after,
}
"""Every chart by the name that its file bears."""


def figures(case: Case, layout: str = "wide", theme: str = "light") -> dict[str, Chart]:
    """All charts of a case by the names that their files bear.

    `chart.png()` and `chart.svg()` are the bytes of a file, the same for the same evidence.
    """
    return {name: draw(case, layout, theme) for name, draw in CHARTS.items()}


def _drawn(draw: Callable[[Case, Layout, Theme], Chart], case: Case, layout: str, theme: str) -> Chart:
    with plain():
        return draw(case, *style(layout, theme))
