"""Every chart of a case in both layouts and both themes, as a report holds them.

A chart is drawn once a layout, for the report and for the files beside it, and the dark one is the light one with each
colour exchanged for that of the same name, which a test compares with the drawing. It takes half the time, and drawing
is what takes time in a report.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from incident.analysis.case import Case
from incident.charts import CHARTS
from incident.charts.style import DARK, LAYOUTS, LIGHT

TAG = re.compile(rb"<[^>]*>")
COLOUR = re.compile(rb"(?<=: )#[0-9a-f]{6}")


@dataclass(frozen=True)
class Drawn:
    """A chart: its title and caption, its wide light form as PNG, and its SVG by (theme, layout)."""

    title: str
    caption: str
    png: bytes
    svg: dict[tuple[str, str], bytes]


def drawn(case: Case) -> dict[str, Drawn | str]:
    """Each chart by its name; in its place, what went wrong, where it could not be drawn."""
    return {name: _each(draw, case) for name, draw in CHARTS.items()}


def dark(svg: bytes) -> bytes:
    """A light chart in dark colours; text is left alone, whatever it says.

    >>> dark(b'<text style="fill: #1a1f24">fill: #1a1f24</text>')
    b'<text style="fill: #e8ecf0">fill: #1a1f24</text>'
    """
    return TAG.sub(lambda found: COLOUR.sub(lambda colour: DARKER.get(colour[0], colour[0]), found[0]), svg)


def _each(draw: Callable[..., Any], case: Case) -> Drawn | str:
    try:
        charts = {layout: draw(case, layout, LIGHT.name) for layout in LAYOUTS}
        light = {layout: chart.svg() for layout, chart in charts.items()}
        png = charts["wide"].png()
    except Exception as error:  # a report without a picture is worth more than none: the tables have the same numbers
        return f"{type(error).__name__}: {error}"
    svg = {(LIGHT.name, layout): text for layout, text in light.items()}
    svg |= {(DARK.name, layout): dark(text) for layout, text in light.items()}
    return Drawn(charts["wide"].title, charts["wide"].caption, png, svg)


def _colours() -> dict[bytes, bytes]:
    pairs = {light: asdict(DARK)[name] for name, light in asdict(LIGHT).items() if name != "name"}
    return {light.lower().encode(): other.lower().encode() for light, other in pairs.items()}


DARKER = _colours()
