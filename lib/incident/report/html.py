"""Blocks as one HTML file that asks nobody for anything: no script, no font, no address.

Whatever is not markup of this module's own is escaped where it is put in; what is not printable (control characters,
marks that turn text around) is replaced. The Content-Security-Policy allows the one style sheet by its hash and
pictures that are in the file, so that a mistake here could still load and run nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from functools import singledispatch
from importlib.resources import files

from incident.http1 import printable
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
from incident.report.pictures import Drawn
from incident.sentences import safe

VOID = frozenset({"img", "link", "meta", "source"})
LONGEST_LINE = 2000
VARIANTS = (("dark", "phone"), ("light", "phone"), ("dark", "wide"))
"""The pictures that a media query asks for, the narrower first; the light wide one is there without any."""

PHONE_MEDIA = "(max-width: 760px)"
DARK_MEDIA = "(prefers-color-scheme: dark)"

Pictures = Mapping[str, Drawn | str]
"""Charts by name, or what went wrong with one."""


class Html(str):
    """Finished markup; any other text is escaped where it is put in."""

    __slots__ = ()


def tag(name: str, /, *content: object, **attributes: str) -> Html:
    """One element; text and attributes are escaped. A trailing underscore keeps a name from Python's own words.

    >>> tag("p", "a < b", class_="how")
    '<p class="how">a &lt; b</p>'
    """
    named = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value}
    opened = "".join(f' {key}="{html.escape(value)}"' for key, value in named.items())
    inner = "".join(part if isinstance(part, Html) else html.escape(safe(part)) for part in content)
    return Html(f"<{name}{opened}>" if name in VOID else f"<{name}{opened}>{inner}</{name}>")


def joined(parts: Sequence[Html]) -> Html:
    """Elements one after the other, a line each."""
    return Html("\n".join(parts))


def page(title: str, head: Html, sections: Sequence[Section], drawn: Pictures) -> str:
    """The whole file: `head` is the first screen, the sections follow with a list of links before them."""
    style = files("incident.report").joinpath("report.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    # Policy first: it counts for what comes after it. The empty icon keeps a browser from asking for one.
    top = [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        Html(f"<style>{style}</style>"),
    ]
    links = [tag("li", tag("a", part.title, href=f"#{part.anchor}")) for part in sections]
    contents = tag("nav", tag("ul", *links), aria_label="Parts of this report")
    main = tag("main", Html("\n"), head, contents, *(section(part, drawn) for part in sections))
    body = tag("html", tag("head", joined(top)), Html("\n"), tag("body", main), lang="en")
    return f"<!doctype html>\n{body}\n"


def head(status_word: str, headline: str, origin: str, blocks: Sequence[Block]) -> Html:
    """The first screen: what was looked at, the verdict, and what is to be known and done first."""
    title = tag("h1", headline, class_=f"status {status_word}")
    return tag("header", joined([tag("p", origin, class_="scope"), title, *map(block, blocks)]))


def section(part: Section, drawn: Pictures) -> Html:
    """A section with its heading; a block that is a picture is looked up in `drawn`."""
    blocks = [picture(b.name, drawn) if isinstance(b, Picture) else block(b) for b in part.blocks]
    heading = tag("h2", part.title, id=f"{part.anchor}-heading")
    inner = joined([heading, *blocks])
    return Html(f"\n{tag('section', inner, id=part.anchor, aria_labelledby=f'{part.anchor}-heading')}\n")


@singledispatch
def block(part: Block) -> Html:
    """One block as markup."""
    raise TypeError(f"no markup for {type(part).__name__}")


@block.register
def _(part: Paragraph) -> Html:
    return tag("p", part.text)


@block.register
def _(part: Items) -> Html:
    return tag("ul", *(tag("li", text) for text in part.texts))


@block.register
def _(part: Facts) -> Html:
    return tag("dl", *(tag("div", tag("dt", label), tag("dd", text)) for label, text in part.pairs))


@block.register
def _(part: Grid) -> Html:
    head = tag("tr", *(tag("th", name, scope="col") for name in part.columns))
    anchors = part.anchors or [""] * len(part.rows)
    rows = [
        tag("tr", *(tag("td", text, **_status(text)) for text in row), id=anchor)
        for row, anchor in zip(part.rows, anchors, strict=True)
    ]
    table = tag("table", tag("thead", head), tag("tbody", *rows))
    # A box that scrolls must be reachable by keyboard, and so needs a role and a name.
    return tag("div", table, class_="wide", tabindex="0", role="region", aria_label=f"Table: {', '.join(part.columns)}")


@block.register
def _(part: Command) -> Html:
    return tag("pre", tag("code", part.text), class_="command")


@block.register
def _(part: Excerpt) -> Html:
    text = tag("code", Html(html.escape(lines(part.text))))
    return tag("pre", text, class_="log", tabindex="0", role="region", aria_label="Log lines")


@block.register
def _(part: Heading) -> Html:
    badge = Html(f" {status(part.status)}") if part.status else Html("")
    return tag("h3", part.title, badge, id=part.anchor)


@block.register
def _(part: Computed) -> Html:
    links = [Html(f" {tag('a', name, href=f'#how-{name}')}") for name in part.frames]
    return tag("p", tag("b", "How computed."), Html(" "), part.text, *links, class_="how")


def status(word: str) -> Html:
    """A status as a word that also has a colour."""
    return tag("span", word, class_=f"status {word}")


def picture(name: str, drawn: Pictures) -> Html:
    """A chart in two layouts and two themes, chosen by the browser; its words for who cannot see it."""
    chart = drawn.get(name)
    if chart is None:
        return tag("p", f"The chart {name} was left out. The table has the same numbers.", class_="how")
    if isinstance(chart, str):
        return tag("p", f"The chart {name} could not be drawn: {chart}. The table has the same numbers.", class_="how")
    sources = [
        tag("source", media=_media(theme, layout), srcset=_data(chart.svg[theme, layout])) for theme, layout in VARIANTS
    ]
    image = tag("img", src=_data(chart.svg["light", "wide"]), alt=safe(f"{chart.title}. {chart.caption}"))
    return tag("figure", tag("picture", *sources, image))


def lines(text: str) -> str:
    """Lines of a log, each without what would move a cursor or turn text around, and none too long.

    >>> lines("a\\x1b[2J\\n\\tb")
    'a\N{REPLACEMENT CHARACTER}[2J\\n    b'
    """
    shown = text.replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return "\n".join(printable(line, LONGEST_LINE) for line in shown)


def _status(text: str) -> dict[str, str]:
    return {"class_": text} if text in ("failed", "uncertain", "ok", "broke", "fixed") else {}


def _media(theme: str, layout: str) -> str:
    asked = [PHONE_MEDIA] if layout == "phone" else []
    return " and ".join([*asked, *([DARK_MEDIA] if theme == "dark" else [])])


def _data(svg: bytes) -> str:
    """An SVG as an address that holds it; the space between its elements, which nobody sees, is left out."""
    start = svg.index(b"<svg")
    packed = re.sub(rb">\s+<", b"><", svg[start:])
    return f"data:image/svg+xml;base64,{base64.b64encode(packed).decode()}"
