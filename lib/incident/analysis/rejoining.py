"""Stack traces that came as one entry a line, made whole in their first entry.

Cloud Run usually delivers a stack trace as one entry; a runtime that flushes line by line does not. Lines are joined
within one instance and one log, from the line that opens a stack trace to its last one; lines of other requests that
came between are left where they are. It cannot tell two stack traces that one process wrote at once, line by line.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

import pandas as pd
import pyarrow.compute as pc

from incident.analysis.strings import strings

OPENINGS = (
    r"^(?:  \+ Exception Group )?Traceback \(most recent call last\):|^\s+at \S|^Exception in thread \"|^Caused by: "
    r"|^(?:[^\n]{0,300}\b)?panic(?: serving \S+)?: |^fatal error: |^goroutine \d+ (?:[^\[\n]* )?\["
)
"""What a line is, in RE2's syntax, of a log in which stack traces may have come line by line."""

APART = pd.Timedelta("5s")
"""A process that dies has written its stack trace by then."""

BETWEEN = 50
"""So many lines of others end a stack trace whose end was not seen."""

EXCEPTION = (
    r"(?:[A-Za-z_$][\w$]*\.)*[\w$]*"
    r"(?:Error|Exception|Throwable|Exit|Interrupt|Rejection|Warning|Group|Timeout)"
)
NAMED = re.compile(r"[A-Z]\w*[a-z]\w*(?:: |$)")
"""An error of another name, alone on its line: it opens a stack trace where no other is under way."""

LINK = re.compile(r"The above exception was the direct cause|During handling of the above exception")


@dataclass(frozen=True)
class Shape:
    """How one language's stack trace goes on: `opens` its first line, `goes_on` any later, `ends` its last.

    Without a line that `shows` a frame it is none.
    """

    opens: re.Pattern[str]
    goes_on: re.Pattern[str]
    shows: re.Pattern[str]
    ends: re.Pattern[str] | None = None


SHAPES = (
    Shape(
        re.compile(r"(?:  \+ Exception Group )?Traceback \(most recent call last\):"),
        re.compile(r"\s|Traceback |$"),
        re.compile(r"."),
        re.compile(r"(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*(?:: |$)|[A-Z]\w*[a-z]\w*(?:: |$)| {4}\+-{30,}$"),
    ),
    Shape(
        re.compile(r"(?:[^\n]{0,300}\b)?panic(?: serving \S+)?: |fatal error: |goroutine \d+ (?:[^\[\n]* )?\["),
        re.compile(
            r"\s|goroutine \d+ (?:[^\[\n]* )?\[|\[signal |created by |panic\(|exit status "
            r"|(?:[\w./~\[\]-]|\(\*|(?<=\w)\)){1,400}\(.*\)$|$"
        ),
        re.compile(r"\t\S+:\d+"),
    ),
    Shape(
        re.compile(rf"(?:Exception in thread \".*\" |[^\n]{{0,300}}[\s:\[])?{EXCEPTION}(?: \[\w+\])?(?:: |$)"),
        re.compile(
            r"\s+at \S|\s+\.\.\. \d+ |\s*(?:Caused by|Suppressed): |\s+\[\w+\]: |\s+\w+: .*,?$|\s*[\]}],?$|Node\.js v|$"
        ),
        re.compile(r"\s+at \S"),
    ),
)


@dataclass
class _Run:
    """A stack trace under way: the first entry's index, those of the others and their lines, and when it was begun."""

    shape: Shape
    first: Hashable
    began: pd.Timestamp
    rest: list[Hashable] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    between: int = 0
    has_ended: bool = False
    is_apart: bool = False

    @property
    def is_one(self) -> bool:
        """Whether it is a stack trace at all."""
        return any(map(self.shape.shows.match, self.lines))

    def is_over(self, time: pd.Timestamp) -> bool:
        """Whether nothing can belong to it any more."""
        return time - self.began > APART or self.between > BETWEEN

    def takes(self, line: str) -> bool:
        """Whether a line belongs to it; after its last one, what links it to another or goes on with its message."""
        if self.has_ended:
            return bool(LINK.match(line)) or not line or (line[0].isspace() and not self.is_apart)
        return bool(self.shape.goes_on.match(line)) or self.ends(line)

    def ends(self, line: str) -> bool:
        """Whether a line is its last one."""
        return self.shape.ends is not None and self.shape.ends.match(line) is not None

    def add(self, index: Hashable, line: str) -> None:
        """Take a line."""
        self.rest.append(index)
        self.lines.append(line)
        self.has_ended = (self.has_ended and not LINK.match(line)) or self.ends(line)
        self.is_apart = False

    def pass_by(self) -> None:
        """Leave a line of somebody else's where it is."""
        self.between += 1
        self.is_apart = True


def rejoined(logs: pd.DataFrame) -> pd.DataFrame:
    """`logs`, oldest first, with stack traces that came as one entry a line whole in their first entry.

    The entries that were joined to it are dropped.
    """
    text = strings(logs["text"])
    opens = pc.and_(pc.invert(pc.match_substring(text, "\n")), pc.match_substring_regex(text, OPENINGS))
    writers = logs.groupby(["instance_id", "log_name"], observed=True).ngroup()
    asked = writers[opens.to_numpy(zero_copy_only=False) & (writers >= 0)].unique()
    if not len(asked):
        return logs
    runs = [run for _, part in logs[writers.isin(asked)].groupby(writers) for run in _runs(part)]
    if not runs:
        return logs
    joined = logs["text"].astype("object").copy()
    for run in runs:
        joined[run.first] = "\n".join([joined[run.first], *run.lines])
    dropped = [index for run in runs for index in run.rest]
    return logs.assign(text=joined.astype("str")).drop(index=dropped)


def _runs(part: pd.DataFrame) -> Iterator[_Run]:
    """Each stack trace of more than one line in what one instance wrote to one log."""
    run: _Run | None = None
    for index, line, time in zip(part.index, part["text"].fillna(""), part["timestamp"], strict=True):
        if run and not run.is_over(time) and run.takes(line) and "\n" not in line:
            run.add(index, line)
            continue
        if run and run.is_over(time):
            yield from [run] if run.is_one else []
            run = None
        if shape := _opened(line, run is not None and run.is_one):
            yield from [run] if run and run.is_one else []
            run = _Run(shape, index, time)
        elif run:
            run.pass_by()
    yield from [run] if run and run.is_one else []


def _opened(line: str, is_busy: bool) -> Shape | None:
    """The shape of the stack trace that a line opens; None where it opens none."""
    if "\n" in line:
        return None
    found = next((shape for shape in SHAPES if shape.opens.match(line)), None)
    return found or (SHAPES[-1] if NAMED.match(line) and not is_busy else None)
