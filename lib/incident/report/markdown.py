"""Blocks as Markdown for a pull request or a chat, where text of the other side's stays text.

A word with a character that Markdown, HTML, or a chat could act upon (a link, a mention, a reference, an emoji, a
formula) becomes a code span, in which none of them acts; all other prose stays as it reads. Log lines stand in a fenced
block whose fence is longer than any that they hold. What is not printable is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import singledispatch

from incident.report.blocks import (
    Block,
    Command,
    Computed,
    Excerpt,
    Facts,
    Grid,
    Heading,
    Items,
    Paragraph,
    Picture,
    Section,
)
from incident.report.html import lines
from incident.sentences import safe

RISKY = r"\S*(?:[`*_{}\[\]<>#|~$&@\\]|://|www\.|:[a-z_+]+:)\S*"
CODE = re.compile(rf"{RISKY}(?: {RISKY})*", re.IGNORECASE)
MARKER = re.compile(r"(?:[-+=]+|\d+[.)])(?= |$)")
"""What would begin a list, a rule or a heading where a line begins with it."""

LONGEST_EXCERPT = 20


def prose(text: str) -> str:
    """A text in which every word that could be more than text is a code span.

    >>> prose("NameError: <b>x</b> of @all; see https://x.example")
    'NameError: `<b>x</b>` of `@all;` see `https://x.example`'
    """
    shown = CODE.sub(lambda found: code(found[0]), safe(text))
    return MARKER.sub(lambda found: code(found[0]), shown, count=1) if MARKER.match(shown) else shown


def code(text: str) -> str:
    """A text as a code span, whatever backticks it has.

    >>> code("a`b"), code("`")
    ('``a`b``', '`` ` ``')
    """
    shown = safe(text)
    fence = "`" * (_longest_run(shown) + 1)
    room = " " if shown[:1] == "`" or shown[-1:] == "`" else ""
    return f"{fence}{room}{shown}{room}{fence}" if shown else ""


def fenced(text: str, most: int = LONGEST_EXCERPT) -> str:
    """Lines in a fenced block; the last `most` of them, since an exception stands at a traceback's end."""
    shown = lines(text).strip("\n").split("\n")
    kept = shown if len(shown) <= most else [f"… ({len(shown) - most} before)", *shown[-most:]]
    body = "\n".join(line.rstrip() for line in kept)
    fence = "`" * max(3, _longest_run(body) + 1)
    return f"{fence}text\n{body}\n{fence}"


def document(title: str, lead: Sequence[Block], sections: Sequence[Section]) -> str:
    """The whole file."""
    parts = [f"# {prose(title)}", *map(block, lead)]
    for section in sections:
        parts += [f"## {prose(section.title)}", *map(block, section.blocks)]
    return "\n\n".join(part for part in parts if part) + "\n"


@singledispatch
def block(part: Block) -> str:
    """One block as Markdown; a picture has none, since a file of text cannot hold it."""
    raise TypeError(f"no Markdown for {type(part).__name__}")


@block.register
def _(part: Paragraph) -> str:
    return prose(part.text)


@block.register
def _(part: Items) -> str:
    return "\n".join(f"- {prose(text)}" for text in part.texts)


@block.register
def _(part: Facts) -> str:
    return "\n".join(f"- **{label}:** {prose(text)}" for label, text in part.pairs)


@block.register
def _(part: Grid) -> str:
    rows = [part.columns, ["---"] * len(part.columns), *([_cell(text) for text in row] for row in part.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


@block.register
def _(part: Command) -> str:
    return fenced(part.text)


@block.register
def _(part: Excerpt) -> str:
    return fenced(part.text)


@block.register
def _(part: Heading) -> str:
    return f"### {prose(part.title)}"


@block.register
def _(part: Picture) -> str:
    return ""


@block.register
def _(part: Computed) -> str:
    return f"*How computed:* {prose(part.text)}"


def _cell(text: str) -> str:
    """A table's cell, as one code span where it would have several.

    A backslash before a bar is set apart, since readers differ on what the two of them mean.
    """
    shown = prose(text) if len(CODE.findall(text)) < 2 else code(text)
    return shown.replace("\\|", "\\ |").replace("|", "\\|")


def _longest_run(text: str) -> int:
    return max(map(len, re.findall(r"`+", text)), default=0)
