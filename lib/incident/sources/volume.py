"""How many entries there are, from a small sample of short windows; and what a limit cost, in numbers.

Decides: how many sizing calls are worth making (at most one in twenty of the calls that follow), where in the window
they look, and how many entries a query has from what they saw. A sizing call reads one page of the service's entries
from some moment on; the time that the page spans gives the density there. Cannot tell: a burst between two samples;
every number here is an estimate, and is said to be one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pandas as pd

from incident.evidence import Query
from incident.findings import Gap
from incident.scope import Scope, rfc3339
from incident.sources.calls import FAILURES
from incident.sources.limits import PAGE_SIZE, Allowance, Spent
from incident.sources.log_pages import LogPage, Position, Reader, time_of
from incident.sources.log_queries import LOGS, LogQuery, query_of

SHARE = 0.05
"""The most of a run's calls that may go into sizing."""

MOST_SAMPLES = 32
FEWEST = 50
LEAST_SHARE = 0.05
"""What an estimate from entries that came needs at least: so many of them, from such a share of the window."""

MARGIN = 1.1
"""By how much a number that is advised is larger than the estimate."""

Window = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True)
class Sample:
    """The entries of one short window, counted by the query in `log_queries.BY_USE` that they answer."""

    start: pd.Timestamp
    end: pd.Timestamp
    counts: Mapping[str, int]

    def density(self, query: str) -> float:
        """Entries of a query a nanosecond."""
        return self.counts.get(query, 0) / max(1, span_of((self.start, self.end)))


@dataclass
class Volume:
    """What is known of a window's volume: its samples, and what they cost."""

    window: Window
    samples: list[Sample] = field(default_factory=list)
    calls: int = 0
    seconds: float = 0.0
    is_measured: bool = False

    def measure(self, reader: Reader, page: LogPage) -> None:
        """Make the sizing calls that the reading is worth, once; `page` is its first that is not the last.

        How many pages there will be is a guess at first, by that page, and is corrected by each sample.
        """
        if self.is_measured:
            return
        self.is_measured = True
        pages = min(pages_of(page, self.window), reader.calls.allowance.pages())
        for share in halves():
            if len(self.samples) >= min(MOST_SAMPLES, int(SHARE * pages)):
                return
            start = self.window[0] + share * (self.window[1] - self.window[0])
            try:
                sized = reader.sized(LOGS, Position(start, self.window[1]))
            except (*FAILURES, Spent):  # the reading itself will meet the same, and say it
                return
            self._keep(start, sized)
            whole = sum(self.entries(name, self.window) or 0 for name in self.names())
            pages = min(pages, whole / len(page.entries))

    def _keep(self, start: pd.Timestamp, page: LogPage) -> None:
        is_cut = bool(page.next and page.entries)  # then its last entry ends the sample, and is not in it
        end = time_of(page.entries[-1]) if is_cut else self.window[1]
        self.samples.append(Sample(start, end, Counter(map(query_of, page.entries[: -1 if is_cut else None]))))
        self.samples.sort(key=lambda sample: sample.start)
        self.calls += page.calls
        self.seconds += page.seconds

    def queries(self, scope: Scope) -> list[Query]:
        """What the sizing calls cost, as a manifest holds it; their entries are not kept."""
        if not self.calls:
            return []
        span = rfc3339(self.window[0]), rfc3339(self.window[1])
        return [Query("logs", LOGS.filter(scope), *span, 0, self.calls, round(self.seconds, 6), purpose="sizing")]

    def names(self) -> set[str]:
        """The queries that the samples saw entries of."""
        return {name for sample in self.samples for name in sample.counts}

    def entries(self, query: str, window: Window) -> float | None:
        """About how many entries a query has in a window; None without a sample. Each sample stands for what is
        nearest to it.
        """
        if not self.samples:
            return None
        starts = [sample.start for sample in self.samples]
        inner = [one + (other - one) / 2 for one, other in pairwise(starts)]
        edges = [self.window[0], *inner, self.window[1]]
        spans = [overlap(window, cell) for cell in pairwise(edges)]
        return sum(sample.density(query) * span for sample, span in zip(self.samples, spans, strict=True))


def halves() -> Iterator[float]:
    """1/2, 1/4, 3/4, 1/8, 3/8 …: however many are taken, they are spread evenly."""
    parts = 2
    while True:
        yield from (number / parts for number in range(1, parts, 2))
        parts *= 2


def overlap(one: Window, other: Window) -> int:
    """The nanoseconds that two windows have in common."""
    return max(0, span_of((max(one[0], other[0]), min(one[1], other[1]))))


def span_of(window: Window) -> int:
    """The nanoseconds of a window."""
    return int((window[1] - window[0]).value)


def pages_of(page: LogPage, window: Window) -> float:
    """About how many such pages a query has in a window that begins, or ends, with `page`."""
    spanned = abs(span_of((time_of(page.entries[0]), time_of(page.entries[-1]))))
    return span_of(window) / max(1, spanned)


@dataclass(frozen=True)
class Cut:
    """A query that a limit ended: how many of its entries came, and where reading would go on; None: nowhere yet."""

    query: LogQuery
    window: Window
    came: int = 0
    at: Position | None = None

    @property
    def rest(self) -> Window:
        """The part of the window that was not read."""
        if self.at is None or self.at.last is None:
            return self.window
        return (self.window[0], self.at.last) if self.query.newest_first else (self.at.last, self.window[1])

    def missing(self, volume: Volume) -> float | None:
        """About how many entries are in that part: by the samples, else by the density of what came, if that is
        enough to tell.
        """
        sampled = None if self.query.frame == "audit" else volume.entries(self.query.name, self.rest)
        rest, whole = span_of(self.rest), span_of(self.window)
        if sampled is not None or not is_enough(self.came, whole - rest, whole):
            return sampled
        return self.came * rest / (whole - rest)


def is_enough(came: int, spanned: int, whole: int) -> bool:
    """Whether so many entries, from `spanned` nanoseconds of `whole`, tell how many there are in all.

    >>> is_enough(1000, 1, 3600), is_enough(1, 1800, 3600), is_enough(1000, 1800, 3600)
    (False, False, True)
    """
    return came >= FEWEST and spanned >= max(1, LEAST_SHARE * whole)


def capped_gaps(cuts: Sequence[Cut], spent: Spent, allowance: Allowance, volume: Volume) -> list[Gap]:
    """A gap for each query that a limit ended: what of it is missing, and the limit that would have been enough."""
    missing = [cut.missing(volume) for cut in cuts]
    remedy = _remedy(missing, spent, allowance)
    return [
        Gap(cut.query.frame, f"{spent.option} {spent.given} was reached: {_what(cut, some)}", remedy, "capped")
        for cut, some in zip(cuts, missing, strict=True)
    ]


def _what(cut: Cut, missing: float | None) -> str:
    number = f", about {float(f'{missing:.2g}'):.0f}" if missing is not None else ""
    if cut.rest == cut.window:
        return f"{cut.query.words} were not read{number}"
    number = number or ", how many is not known"
    edge = cut.rest[1] if cut.query.newest_first else cut.rest[0]
    return f"{rest_words(cut.query, edge)} are missing{number}"


def rest_words(query: LogQuery, edge: pd.Timestamp) -> str:
    """What of a query lies beyond the entry that it came to."""
    return f"{query.words} {'before' if query.newest_first else 'after'} {rfc3339(edge)}"


def _remedy(missing: Sequence[float | None], spent: Spent, allowance: Allowance) -> str:
    known = [MARGIN * some for some in missing if some is not None]
    if spent.option == "--max-entries":
        if not known:
            return "give a higher --max-entries (how many would be enough is not known), or a shorter window"
        enough = allowance.entries + sum(map(math.ceil, known))
    else:
        enough = allowance.calls + sum(math.ceil(some / PAGE_SIZE) for some in known) + missing.count(None)
    number = rounded_up(enough)
    words = f"at least {number}" if None in missing else f"about {number} would have been enough"
    return f"give a higher {spent.option} ({words}), or a shorter window"


def rounded_up(number: float) -> int:
    """A number up to its second digit: an estimate has no more.

    >>> rounded_up(6123), rounded_up(17)
    (6200, 17)
    """
    unit: int = 10 ** max(0, math.floor(math.log10(max(number, 1))) - 1)
    return math.ceil(number / unit) * unit
