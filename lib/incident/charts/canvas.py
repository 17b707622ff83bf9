"""A sheet measured in pixels from its upper left corner, on which charts place text, lines and shapes.

A chart here is mostly labels set beside marks, so that its places are computed from measured text. Whatever text
comes from a log is shown as text: no mathtext, nothing that is not printable. The same marks make the same bytes.
"""

from __future__ import annotations

import io
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from incident.charts.style import CAPTION_LEADING, FONTS, TITLE_LEADING, Layout, Theme
from incident.http1 import printable

POINTS = 72
"""With this many dots to the inch a point of type is a pixel."""

SAVING: Any = {"svg.fonttype": "none", "svg.hashsalt": "incident", "path.simplify": False}
WITHOUT_ORIGIN: dict[str, dict[str, None]] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}
LONGEST_TEXT = 2000

Box = tuple[float, float, float, float]


@contextmanager
def plain() -> Iterator[None]:
    """Matplotlib as it comes, whatever this machine's or notebook's settings are, and silent about missing glyphs."""
    with rc_context(), warnings.catch_warnings():
        rcdefaults()
        rcParams.update(SAVING)
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


class Chart(Figure):
    """A figure that a notebook shows once, as the value of a cell's last line, and that saves to the same bytes.

    `title` and `caption` are its text, whole. It is not known to pyplot, so no backend shows it a second time.
    """

    title: str = ""
    caption: str = ""
    scale: int = 1

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save as matplotlib does, without date and software, with the text of an SVG kept as text."""
        form = options.get("format") or str(fname).rpartition(".")[2]
        with plain():
            super().savefig(fname, **{"metadata": WITHOUT_ORIGIN.get(form), "dpi": POINTS * self.scale, **options})

    def png(self, scale: int | None = None) -> bytes:
        """The picture as PNG; `scale` dots a pixel, the layout's own by default."""
        return self._bytes("png", dpi=POINTS * (scale or self.scale))

    def svg(self) -> bytes:
        """The picture as SVG; text in it can be selected and searched."""
        return self._bytes("svg")

    def _bytes(self, form: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format=form, **options)
        return buffer.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """What Jupyter shows: sharp on a dense display, at the layout's width; the words where no picture can be."""
        width, height = (round(inches * POINTS) for inches in self.get_size_inches())
        data = {"image/png": self.png(max(2, self.scale)), "text/plain": f"{self.title}\n\n{self.caption}"}
        return data, {"image/png": {"width": width, "height": height}}


class Canvas:
    """One chart while it is drawn; y grows downwards, and `finish` cuts the sheet to its height."""

    def __init__(self, layout: Layout, theme: Theme) -> None:
        """An empty sheet of the layout's width."""
        self.layout, self.theme = layout, theme
        self.chart = Chart(dpi=POINTS, facecolor=theme.background)
        FigureCanvasAgg(self.chart)
        self.axes = self.chart.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.axes.set_xlim(0, layout.width)

    @property
    def right(self) -> float:
        """The right margin."""
        return self.layout.width - self.layout.margin

    def text(
        self, x: float, y: float, text: str, size: float, color: str = "ink", bold: bool = False, align: str = "left",
        label: str = "",
    ) -> Box:  # fmt: skip
        """A line of text with its baseline at `y`; returns the box it fills."""
        shown = clean(text)
        self.axes.text(
            x, y, shown, fontsize=size, color=getattr(self.theme, color), fontproperties=_font(size, bold), ha=align,
            va="baseline", parse_math=False, label=label, zorder=5,
        )  # fmt: skip
        width = text_width(shown, size, bold)
        left = x - {"left": 0, "center": width / 2, "right": width}[align]
        return left, y - size, left + width, y + size * 0.3

    def fitted(self, x: float, y: float, text: str, limit: float, bold: bool = False, **options: Any) -> Box:
        """A line of text within `limit` pixels: in the small size where it must, else cut at its end."""
        size, shown = fit(text, limit, (options.pop("size", self.layout.text), self.layout.small), bold)
        return self.text(x, y, shown, size, bold=bold, **options)

    def paragraph(
        self, y: float, text: str, size: float, leading: float, color: str = "ink", bold: bool = False
    ) -> float:
        """Lines of text from margin to margin, the first baseline at `y`; returns the last baseline."""
        lines = wrap(clean(text), self.right - self.layout.margin, size, bold)
        for number, line in enumerate(lines):
            self.text(self.layout.margin, y + number * size * leading, line, size, color, bold)
        return y + (len(lines) - 1) * size * leading

    def rect(self, box: Box, color: str, label: str = "", zorder: float = 1) -> None:
        """A filled rectangle between two corners, without an edge."""
        left, top, right, bottom = box
        self.axes.add_artist(
            Rectangle(
                (left, top), right - left, bottom - top, facecolor=getattr(self.theme, color), linewidth=0,
                label=label, zorder=zorder, snap=True,
            )
        )  # fmt: skip

    def line(
        self, x: Sequence[float], y: Sequence[float], color: str = "rule", width: float = 1, **options: Any
    ) -> None:
        """A line through some points; a hairline by default."""
        options = {"zorder": 2, "solid_capstyle": "butt", **options}
        self.axes.add_artist(Line2D(x, y, color=getattr(self.theme, color), linewidth=width, **options))

    def dot(self, x: float, y: float, radius: float, color: str, hollow: bool = False, label: str = "") -> None:
        """A disc, or a ring."""
        shade = getattr(self.theme, color)
        fill = self.theme.background if hollow else shade
        edge = 1.8 if hollow else 0
        self.axes.add_artist(
            Circle((x, y), radius, facecolor=fill, edgecolor=shade, linewidth=edge, label=label, zorder=4)
        )

    def arrow(self, points: Sequence[tuple[float, float]], label: str = "") -> None:
        """A thin arrow through some points, its head at the last."""
        for begin, end in pairwise(points[:-1]):
            self.line((begin[0], end[0]), (begin[1], end[1]), "ink", 1, zorder=3, solid_capstyle="projecting")
        self.axes.add_artist(
            FancyArrowPatch(
                points[-2], points[-1], arrowstyle="-|>,head_width=2.6,head_length=5", color=self.theme.ink,
                linewidth=1, shrinkA=0, shrinkB=5, mutation_scale=1, label=label, zorder=3, joinstyle="miter",
            )
        )  # fmt: skip

    def head(self, title: str) -> float:
        """The title, bold, from the top margin; returns the baseline of its last line."""
        layout = self.layout
        top = layout.margin + layout.title * (0.8 if layout.name == "wide" else 0.9)
        self.chart.title = clean(title)
        return self.paragraph(top, title, layout.title, TITLE_LEADING, bold=True)

    def finish(self, y: float, caption: str) -> Chart:
        """The caption, its first baseline at `y`, then the sheet cut to its height."""
        layout = self.layout
        self.chart.caption = clean(caption)
        last = self.paragraph(y, caption, layout.small, CAPTION_LEADING, "mute")
        height = round(last + layout.margin)
        self.axes.set_ylim(height, 0)
        self.chart.set_size_inches(layout.width / POINTS, height / POINTS)
        self.chart.scale = layout.scale
        return self.chart


def clean(text: str) -> str:
    """A text as one line that can be shown: what is not printable is replaced, no-break spaces stay.

    >>> clean("a\\x1b[2Jb")
    'a\N{REPLACEMENT CHARACTER}[2Jb'
    """
    parts = str(text).replace("\n", " ").split("\N{NO-BREAK SPACE}")
    return "\N{NO-BREAK SPACE}".join(printable(part, LONGEST_TEXT) for part in parts)


def fit(text: str, limit: float, sizes: Sequence[float], bold: bool = False) -> tuple[float, str]:
    """The first of `sizes` in which a text is at most `limit` wide; in the last one it is cut at the end with `…`.

    >>> fit("NameError: DatabaseSessionManager", 500, (14, 12.5))
    (14, 'NameError: DatabaseSessionManager')
    """
    shown = clean(text)
    for size in sizes:
        if text_width(shown, size, bold) <= limit:
            return size, shown
    fitting = _fitting(len(shown) - 1, limit, lambda n: text_width(shown[:n].rstrip() + "…", sizes[-1], bold))
    return sizes[-1], shown[: max(fitting, 1)].rstrip() + "…"


def wrap(text: str, limit: float, size: float, bold: bool = False) -> list[str]:
    """Lines of at most `limit` pixels, broken at spaces; a word longer than a line is broken where it must."""
    words, lines = text.split(" "), []
    while words:
        line, words = _first_line(words, limit, size, bold)
        lines.append(line)
    return [line for line in lines if line] or [""]


def _first_line(words: list[str], limit: float, size: float, bold: bool) -> tuple[str, list[str]]:
    """The first line of some words, and what is left of them."""
    fit = _fitting(len(words), limit, lambda n: text_width(" ".join(words[:n]).lstrip(), size, bold))
    if fit:
        return " ".join(words[:fit]).lstrip(), words[fit:]
    word = words[0]
    cut = max(1, _fitting(len(word) - 1, limit, lambda n: text_width(word[:n], size, bold)))
    return word[:cut], [word[cut:], *words[1:]]


def _fitting(most: int, limit: float, width: Callable[[int], float]) -> int:
    """How many of `most` parts fit in `limit` pixels; measuring is what costs, so half of what is left at a time."""
    return bisect_right(range(1, most + 1), limit, key=width)


def overlaps(one: Box, other: Box) -> bool:
    """Whether two boxes share any room."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@lru_cache(maxsize=8192)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """How wide a line of text is, in pixels; a letter that the face lacks counts as its box."""
    measure: Any = _measuring()
    return float(measure.get_text_width_height_descent(text, _font(size, bold), ismath=False)[0])


@cache
def _measuring() -> RendererAgg:
    return RendererAgg(1, 1, POINTS)  # type: ignore[no-untyped-call]


@cache
def _font(size: float, bold: bool) -> FontProperties:
    return FontProperties(family=FONTS, size=size, weight="bold" if bold else "normal")
