"""How long sockets lived: one dot a socket, at the time it opened, and the request timeout as a line on its mark.

Draws the rows of `analysis.durations`. A dot on a timeout that could be longer is in the colour of failure. What opened
less than one timeout before the evidence was pulled stands on a darker ground, since of it only the short ones are
known. A wide sheet has the counts of one revision beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
import pandas as pd

from incident.analysis import bars
from incident.analysis.case import Case
from incident.analysis.changes import short_name
from incident.analysis.durations import LONGEST_S, timeout_spans, timeouts
from incident.charts.bands import band_grounds, band_head, band_rules, time_axis
from incident.charts.canvas import Box, Canvas, Chart, overlaps, text_width
from incident.charts.durations_titles import Told, durations_caption, durations_title, none_ended, seconds, told
from incident.charts.scale import TimeScale
from incident.charts.style import Layout, Theme
from incident.charts.words import moment, of

SIDES = {"wide": (92.0, 860.0), "phone": (58.0, 376.0)}
HEIGHT = {"wide": 330, "phone": 300}
HEADS = {"wide": 42, "phone": 38}
"""The room above the plot for the revisions' numbers, two lines."""

ROOM = 44
"""The room within the plot above the longest life, for the words on it."""

TICKS = (
    (0.001, "1 ms"), (0.01, "10 ms"), (0.1, "100 ms"), (1.0, "1 s"), (5.0, "5 s"), (30.0, "30 s"), (60.0, "1 min"),
    (300.0, "5 min"), (900.0, "15 min"), (3600.0, "1 h"), (14400.0, "4 h"), (86400.0, "1 d"),
)  # fmt: skip
TICKS_APART = 22
RADIUS = 4.4
FEW_SPANS = 2
"""Only so few timeouts leave room for words that are longer than the time that they held."""

CELL = 6
"""Dots whose centres share a square of so many pixels would cover each other."""

LEAST_SPAN = pd.Timedelta("10s")
"""Sockets that opened within less are drawn over the window: lives are seldom shorter than what is left out."""

COUNTS, BAR = 884, 96
"""Where the counts of one revision stand, and how long the bar of all its sockets would be."""


@dataclass(frozen=True)
class LifeScale:
    """Lives in seconds laid between two y, on a log scale, the longest on top."""

    low: float
    high: float
    top: float
    bottom: float

    def y(self, lived_s: float) -> float:
        """Where a life lies; one outside the scale lies at its edge."""
        part = log(min(max(lived_s, self.low), self.high) / self.low) / log(self.high / self.low)
        return self.bottom - part * (self.bottom - self.top)

    def ticks(self) -> list[tuple[float, str]]:
        """Round lives at their y, at least TICKS_APART from each other, the longest first."""
        kept: list[tuple[float, str]] = []
        for lived_s, words in reversed(TICKS):
            if self.low <= lived_s <= self.high and (not kept or self.y(lived_s) - kept[-1][0] >= TICKS_APART):
                kept.append((self.y(lived_s), words))
        return kept


@dataclass(frozen=True)
class Frames:
    """What is drawn: revisions' bands, spans of timeouts, sockets, live handshakes that were ended, and their scales.

    `edge` is the time from which on sockets may still be open, None where that is after the picture.
    """

    time: TimeScale
    bands: pd.DataFrame
    spans: pd.DataFrame
    sockets: pd.DataFrame
    ended: pd.DataFrame
    edge: pd.Timestamp | None


def draw_durations(case: Case, layout: Layout, theme: Theme) -> Chart:
    """The chart of a case; without a socket that ended it says so, or what is missing."""
    drawn, about = frames(case, layout), told(case)
    canvas = Canvas(layout, theme)
    began = drawn.bands.loc[drawn.bands["revision_name"] == about.revision, "start"].min()
    head = canvas.head(durations_title(case, about, began)) + (24 if layout.name == "wide" else 20)
    top = round(head) + HEADS[layout.name]
    lives = life_scale(drawn, top, HEIGHT[layout.name])
    ground(canvas, drawn, lives, head, top)
    taken = timeout_lines(canvas, drawn, lives)
    thinned = dots(canvas, drawn, lives)
    words_on_plot(canvas, case, drawn, lives, taken, top)
    if layout.name == "wide" and about.total > 1:
        counts(canvas, about, top + 30)
    elif about.at and about.timeout_s is not None:
        _here(canvas, drawn, about, lives.y(about.timeout_s), taken)
    axis = time_axis(canvas, drawn.time, lives.bottom)
    caption = durations_caption(case, drawn.time.start, drawn.edge, thinned, len(drawn.ended))
    return canvas.finish(axis + 2 * layout.small, caption)


def frames(case: Case, layout: Layout) -> Frames:
    """The frames that the chart draws, for the room it has."""
    evidence = case.evidence
    start, end = bars.drawn_span(evidence)
    if end - start < LEAST_SPAN:
        start, end = evidence.scope.start, evidence.scope.end
    tried = evidence.endpoint_handshakes
    ended = tried[(tried["verdict"] == "accepted") & (tried["status"] == "failed") & (tried["held_s"] > 0)]
    end = max([end, *ended["time"].dropna().clip(upper=evidence.scope.end)])
    time = TimeScale(start, end, *SIDES[layout.name])
    width = bars.bar_width(start, end, time.right - time.left)
    bands = bars.revision_bands(evidence.revisions, case.changes, case.entries, bars.Edges(start, end, width))
    return Frames(time, bands, timeout_spans(bands, evidence.revisions), case.durations, ended, _edge(case, start, end))


def _edge(case: Case, start: pd.Timestamp, end: pd.Timestamp) -> pd.Timestamp | None:
    """One request timeout of the serving revisions before the pull, at the earliest `start`; None after the picture."""
    serving = pd.DataFrame({"revision_name": case.serving}, dtype="str")
    limit = timeouts(serving, case.evidence.revisions).max()
    edge = case.evidence.pulled - pd.to_timedelta(limit, unit="s") if pd.notna(limit) else end
    return max(edge, start) if edge < end else None


def life_scale(drawn: Frames, top: float, height: float) -> LifeScale:
    """From the shortest life to the longest, timeouts among them, with room above for words."""
    lived = [*drawn.sockets["duration_s"], *drawn.ended["held_s"].dropna(), *drawn.spans["timeout_s"]]
    low, high = max(min(lived, default=1.0), 0.001), max(*lived, 1.0, 0.002) if lived else 3600.0
    low = min(low / 1.25, high / 10)
    return LifeScale(low, high, top + ROOM, top + height)


def ground(canvas: Canvas, drawn: Frames, lives: LifeScale, head: float, top: float) -> None:
    """The revisions' bands with their numbers, what may still be open, and the rules of the scale of lives."""
    size, time = canvas.layout.small, drawn.time
    band_grounds(canvas, drawn.bands, time, (head, lives.bottom))
    if drawn.edge is not None:
        x = time.x(drawn.edge)
        canvas.rect((x, top, time.right, lives.bottom), "band2", label="may be open", zorder=0.5)
        canvas.line((round(x) + 0.5,) * 2, (top, lives.bottom), "mid", 1, linestyle=(0, (2, 2)))
    band_head(canvas, drawn.bands, time, head + size * 1.2)
    for y, words in lives.ticks():
        canvas.line((time.left, time.right), (round(y) + 0.5,) * 2)
        canvas.text(time.left - 7, y + size * 0.36, words, size, "mute", align="right")
    band_rules(canvas, drawn.bands, time, [(head, lives.bottom)], None)
    canvas.line((time.left, time.right), (round(lives.bottom) + 0.5,) * 2, "mute")


def timeout_lines(canvas: Canvas, drawn: Frames, lives: LifeScale) -> list[Box]:
    """Each request timeout as a line over the time that it held, its words on it; returns the room that these take."""
    taken: list[Box] = []
    before: float | None = None
    over = len(drawn.spans) <= FEW_SPANS
    for span in drawn.spans.to_dict("records"):
        left, right = drawn.time.x(span["start"]), drawn.time.x(span["end"])
        y = lives.y(span["timeout_s"])
        if before is not None:
            canvas.line((round(left) + 0.5,) * 2, (before, y), "ink", 1, linestyle=(0, (2, 2)))
        canvas.line((left, right), (y, y), "ink", 2.2, label=f"timeout {span['timeout_s']:g}", zorder=3)
        taken += _timeout_words(canvas, seconds(span["timeout_s"]), (left, right), y, taken, over)
        before = y
    return taken


def _timeout_words(
    canvas: Canvas, limit: str, span: tuple[float, float], y: float, taken: list[Box], over: bool
) -> list[Box]:  # fmt: skip
    """The words above the line at its right end, or its left one: whole, beyond its end where it may, else cut."""
    size = canvas.layout.small
    sheet = SIDES[canvas.layout.name]
    tries = [(f"request timeout {limit}", span), (f"timeout {limit}", span), (limit, span)]
    for text, (low, high) in [*tries[:1], *([(tries[0][0], sheet)] if over else []), *tries[1:]]:
        width = text_width(text, size, True)
        for left in (span[1] - width - 4, span[0] + 4):
            box = left, y - 6 - size, left + width, y - 2
            if low <= left and left + width <= high and not any(overlaps(box, other) for other in taken):
                canvas.text(left, y - 7, text, size, bold=True)
                return [box]
    return []


def dots(canvas: Canvas, drawn: Frames, lives: LifeScale) -> bool:
    """A dot a socket, those that were cut on top; returns whether some were left out because another covers them."""
    sockets = drawn.sockets
    time = drawn.time
    part = (sockets["timestamp"] - time.start) / (time.end - time.start)
    x = time.left + part.clip(0, 1).to_numpy() * (time.right - time.left)
    lived = sockets["duration_s"].clip(lives.low, lives.high).to_numpy()
    shares = np.log(lived / lives.low) / log(lives.high / lives.low)
    placed = pd.DataFrame({"x": x, "y": lives.bottom - shares * (lives.bottom - lives.top)})
    placed["cut"] = (sockets["at_timeout"] & (sockets["timeout_s"] < LONGEST_S)).to_numpy()
    seen = placed.assign(x=(placed["x"] // CELL), y=(placed["y"] // CELL)).drop_duplicates().index
    kept = placed.loc[seen]
    for cut, color, zorder in ((False, "mid", 4.0), (True, "bad", 4.2)):
        _scatter(canvas, kept[kept["cut"] == cut], color, "cut" if cut else "ended", zorder)
    for row in drawn.ended.itertuples():
        canvas.dot(time.x(row.time), lives.y(row.held_s), RADIUS, "bad", hollow=True, label="held")
    return len(kept) < len(placed)


def _scatter(canvas: Canvas, places: pd.DataFrame, color: str, label: str, zorder: float) -> None:
    """Dots with an edge of the ground's colour, so that neighbours can be told apart; one artist for all of them.

    With two widths of edges matplotlib does not draw them as one marker, whose name in an SVG would hold their colour:
    a dark chart is a light one with its colours exchanged, to the byte.
    """
    if len(places):
        canvas.axes.scatter(
            places["x"], places["y"], s=(2 * RADIUS) ** 2, color=getattr(canvas.theme, color),
            edgecolors=canvas.theme.background, linewidths=(0.9, 0.9), label=label, zorder=zorder,
        )  # fmt: skip


def words_on_plot(
    canvas: Canvas, case: Case, drawn: Frames, lives: LifeScale, taken: list[Box], top: float
) -> None:  # fmt: skip
    """What has no mark: that nothing ended, the one that did, and from when on sockets may be open."""
    time = drawn.time
    if drawn.edge is not None:
        taken.append(_may_be_open(canvas, drawn, drawn.edge, top + canvas.layout.small * 1.3))
    if drawn.sockets.empty:
        words = "cannot be judged" if case.evidence.gap("logs") else none_ended(case)
        middle = (lives.top + lives.bottom) / 2
        canvas.text((time.left + time.right) / 2, middle, words, canvas.layout.text, "mute", align="center")
    if len(drawn.sockets) == 1:
        _only_one(canvas, drawn, lives, taken)


def _may_be_open(canvas: Canvas, drawn: Frames, edge: pd.Timestamp, y: float) -> Box:
    """On the darker ground where there is room, else left of it."""
    size, time = canvas.layout.small, drawn.time
    since = f"opened from {moment(edge)} on: " if edge > time.start else ""
    words = "may be open" if canvas.layout.name == "phone" else f"{since}may be open, no entry yet"
    width, x = text_width(words, size), time.x(edge)
    fits = x + 6 + width <= time.right
    return canvas.text(x + 6 if fits else max(x - 6 - width, time.left + 6), y, words, size, "mute")


def _only_one(canvas: Canvas, drawn: Frames, lives: LifeScale, taken: list[Box]) -> None:
    """The one socket's life beside its dot, where nothing else stands."""
    row, size = drawn.sockets.iloc[0], canvas.layout.small
    words = f"{row['duration_s']:.3g} s, the only one that ended"
    x, y, width = drawn.time.x(row["timestamp"]), lives.y(row["duration_s"]), text_width(words, size)
    places = [(x + 9, y + 4.5), (x - 9 - width, y + 4.5), (x + 9, y + 20), (x - 9 - width, y + 20)]
    inside = [place for place in places if drawn.time.left <= place[0] and place[0] + width <= drawn.time.right]
    free = [p for p in inside if not any(overlaps((p[0], p[1] - size, p[0] + width, p[1] + 3), box) for box in taken)]
    for left, base in free[:1]:
        canvas.text(left, base, words, size)


def counts(canvas: Canvas, about: Told, top: float) -> None:
    """How many sockets of one revision outlived its timeout, ended at it, and before: a bar and a number each."""
    size = canvas.layout.small
    canvas.fitted(COUNTS, top - 18, f"the {about.total:,} on {short_name(about.revision or '')}", canvas.right - COUNTS,
                  size=size, color="mute")  # fmt: skip
    failure = about.timeout_s is not None and about.timeout_s < LONGEST_S
    rows = (
        (about.longer, "longer", "mid"), (about.at, f"at {seconds(about.timeout_s or 0)}", "bad" if failure else "mid"),
        (about.shorter, "shorter", "mid"),
    )  # fmt: skip
    for number, (count, words, color) in enumerate(rows):
        y = top + 20 + number * 62
        length = max(1.0, BAR * count / max(about.total, 1))
        canvas.rect((COUNTS, y, COUNTS + length, y + 16), color if count else "mid", label=f"count {words}", zorder=3)
        canvas.text(COUNTS + length + 8, y + 13, f"{count:,}", canvas.layout.text, bold=True)
        canvas.text(COUNTS, y + 34, words, size, "mute")


def _here(canvas: Canvas, drawn: Frames, about: Told, y: float, taken: list[Box]) -> None:
    """How many end at the line, below it, on a sheet without room for counts beside the plot."""
    size, words = canvas.layout.small, f"{of(about.at, about.total)} end here"
    own = drawn.bands[drawn.bands["revision_name"] == about.revision]
    right = drawn.time.x(own["end"].max()) if len(own) else drawn.time.right
    width = text_width(words, size, True)
    left = max(drawn.time.left + 4, right - width - 4)
    box = left, y + 8, left + width, y + 12 + size
    if not any(overlaps(box, other) for other in taken):
        canvas.text(left, y + 10 + size, words, size, bold=True)
