"""How charts look: two themes, two layouts, one type face.

Contrast to the background carries the meaning and hue repeats it: bad > good > mid > soft in luminance, so that grey
print keeps the order. Text is ink or mute only. DejaVu Sans is shipped with matplotlib, so that a machine without
fonts measures and draws the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from incident.findings import UsageError

FONTS = ["DejaVu Sans", "sans-serif"]


@dataclass(frozen=True)
class Theme:
    """The colours of a chart, as hexadecimal RGB; `tint` is the ground under what is bad, `on_good` text on `good`.

    Each is a colour of its own, a shade off `ink` where it looks like it: a report exchanges the colours of one theme
    for those of the same name in the other.
    """

    name: str
    background: str
    ink: str
    mute: str
    rule: str
    band: str
    band2: str
    bad: str
    tint: str
    good: str
    mid: str
    soft: str
    on_good: str


LIGHT = Theme(
    "light", "#FFFFFF", "#1A1F24", "#57606A", "#D3D9DF", "#F2F4F6", "#E6EAEE", "#A83200", "#F9E6DC", "#3F8FCB",
    "#98A2AC", "#C8CFD6", "#1A1F25",
)  # fmt: skip
DARK = Theme(
    "dark", "#14181D", "#E8ECF0", "#A2ADB8", "#363F48", "#1B2127", "#242B32", "#FF9A5E", "#3A251A", "#4C93CF",
    "#65707B", "#454F59", "#14181E",
)  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """Widths and type sizes in pixels; `scale` is how many dots of a PNG one pixel has."""

    name: str
    width: int
    margin: int
    title: float
    text: float
    small: float
    scale: int


WIDE = Layout("wide", 1100, 28, 20, 14, 12.5, 1)
PHONE = Layout("phone", 390, 14, 16, 13, 11.5, 3)

TITLE_LEADING = 1.3
CAPTION_LEADING = 1.4

THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
LAYOUTS = {layout.name: layout for layout in (WIDE, PHONE)}


def style(layout: str, theme: str) -> tuple[Layout, Theme]:
    """The layout and the theme of these names; another name is a `UsageError`.

    >>> style("wide", "dark")[0].width
    1100
    """
    if layout not in LAYOUTS:
        raise UsageError(f"layout {layout!r} is not known: use one of {', '.join(LAYOUTS)}")
    if theme not in THEMES:
        raise UsageError(f"theme {theme!r} is not known: use one of {', '.join(THEMES)}")
    return LAYOUTS[layout], THEMES[theme]
