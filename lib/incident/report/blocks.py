"""What a report is made of: sections of a few kinds of blocks, plain text in them, no markup.

Decides nothing. `report.html` and `report.markdown` turn the same blocks into their own form, so that there is one
place for each form in which text of the other side's is made safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Paragraph:
    """One paragraph of prose."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    texts: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """Labels with what each stands for."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Grid:
    """A table; `anchors`, one a row where there are any, are what a link names a row by."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    anchors: Sequence[str] = ()


@dataclass(frozen=True)
class Command:
    """A line to copy into a terminal."""

    text: str


@dataclass(frozen=True)
class Excerpt:
    """Lines of a log, as they came."""

    text: str


@dataclass(frozen=True)
class Picture:
    """A chart, by the name that its file bears."""

    name: str


@dataclass(frozen=True)
class Heading:
    """A heading of its own within a section, which a link may name."""

    title: str
    anchor: str
    status: str = ""


@dataclass(frozen=True)
class Computed:
    """How the numbers beside it were computed, and from which frames."""

    text: str
    frames: Sequence[str] = ()


Block = Paragraph | Items | Facts | Grid | Command | Excerpt | Picture | Heading | Computed


@dataclass(frozen=True)
class Section:
    """A part of a report under its heading."""

    title: str
    anchor: str
    blocks: Sequence[Block]
