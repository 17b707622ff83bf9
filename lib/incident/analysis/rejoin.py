"""Stack traces that came as one entry a line, made whole again.

Decides which entries are one trace. Reads the texts of one instance and one log in the order of their times. Cloud Run
usually delivers a trace as one entry; a runtime that flushes line by line does not, and then other threads' lines
stand in between: they are left where they are. Cannot tell apart two traces that one instance writes at once, nor the
further lines of a message that has several; those are left too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from incident.analysis.stacks_python import HEADER

LONGEST_WAIT = np.timedelta64(2, "s")
"""Between two lines of one trace; they are written within milliseconds."""
MOST_FOREIGN = 20
"""Lines of others in a row, after which the trace has ended."""
LOOK_BACK = 12
LONGEST_LINE = 1000
"""Characters of a line that tell what it is."""
MOST_LINES = 5000

PYTHON = r"[ \t]*(?:\+ Exception Group )?Traceback \(most recent call last\):"
GO = r"goroutine [0-9]+ [^\n]*\[[^\n]*\]:"
CALL = r"[ \t]+at [^\n]+"
ANCHOR = rf"^(?:{PYTHON}|{GO}|{CALL})$"
"""In RE2's syntax: an entry of one line by which a trace is found."""

LEVELS = r"(?!(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERR|ERROR|SEVERE|CRITICAL|FATAL|ALERT|EMERGENCY)\b)"
PYTHON_ENDING = re.compile(rf"^{LEVELS}(?:[A-Za-z_][\w<>.]*\.\w+|[A-Z]\w*)(?::(?: .*)?)?$")
PYTHON_CHAIN = re.compile(r"^(?:During handling of the above exception|The above exception was the direct cause)")
NAMED = re.compile(
    rf"^{LEVELS}(?:Exception in thread |(?:[A-Za-z_$][\w$]*\.)*[A-Z][\w$]*(?: \[[A-Z_0-9]+\])?(?:: |$))"
    r"|(?:Error|Exception|Throwable)(?: \[[A-Z_0-9]+\])?(?:: |$)"
)
LABELLED = re.compile(r": [A-Z][\w$]{0,200}: ")
"""An error of any name behind a logger's label, right above its frames."""
PANIC = re.compile(r"^(?:panic|fatal error): |http2?: panic serving |\b[Pp]anic recovered\b")
NODE_PLACE = re.compile(r"^(?:(?:file://)?/[^:]+|node:[\w/]+):\d+$")


@dataclass(frozen=True)
class Shape:
    """How the lines of one kind of trace look: the line it is named by, those before its anchor, those after it."""

    heading: re.Pattern[str]
    before: re.Pattern[str]
    inside: re.Pattern[str]


CALLS = Shape(
    NAMED,
    re.compile(r"^(?:[ \t]|- |Require stack:)"),
    re.compile(r"^(?:[ \t]+\S|(?:Caused by|Wrapped by): |[}\]]|Node\.js v\d|Emitted '\w+' event )"),
)
PANICS = Shape(
    PANIC,
    re.compile(r"^(?:\s|\[signal |runtime|$)"),
    re.compile(r"^(?:\t|goroutine \d+ |created by |exit status \d|\.\.\.|[\w./*()\[\]{}~-]{1,500}\(.*\)$)"),
)


class Lines:
    """The entries of those instances and logs that hold an anchor, in the order in which they were written."""

    def __init__(self, logs: pd.DataFrame, texts: pa.Array, anchors: np.ndarray) -> None:
        """Order the entries; `used` will hold those of traces found, `unnamed` the last anchor that nothing names."""
        group = logs.groupby(["instance_id", "log_name"], observed=True, sort=False).ngroup().to_numpy()
        anchors = anchors & (group >= 0)
        rows = np.flatnonzero(np.isin(group, np.unique(group[anchors])))
        times = logs["timestamp"].to_numpy("datetime64[ns]")[rows]
        order = np.lexsort((times, group[rows]))
        self.rows, self.times, self.group = rows[order], times[order], group[rows][order]
        self.anchors = np.flatnonzero(anchors[self.rows])
        self.used: set[int] = set()
        self.unnamed = -2
        self._texts: list[str | None] = texts.take(pa.array(self.rows)).to_pylist()

    def said(self, at: int) -> str | None:
        """An entry's text, None where it has none."""
        return self._texts[at]

    def text(self, at: int) -> str:
        """The text of an entry that has one."""
        return self.said(at) or ""

    def after(self, at: int) -> Iterator[tuple[int, str]]:
        """The entries of the same instance and log that may continue what stands at `at`."""
        last = min(len(self.rows), at + MOST_LINES)
        for following in range(at + 1, last):
            if self.group[following] != self.group[at]:
                return
            if following not in self.used and (text := self.said(following)) is not None:
                yield following, text[:LONGEST_LINE]

    def before(self, at: int) -> Iterator[tuple[int, str]]:
        """The entries before it, the nearest first."""
        for earlier in range(at - 1, max(-1, at - 1 - LOOK_BACK), -1):
            if earlier in self.used or self.group[earlier] != self.group[at] or self.waited(earlier, at):
                return
            if (text := self.said(earlier)) is not None:
                yield earlier, text[:LONGEST_LINE]

    def waited(self, earlier: int, later: int) -> bool:
        """Whether more time lies between two entries than between two lines of a trace."""
        return bool(self.times[later] - self.times[earlier] > LONGEST_WAIT)


def rejoined(logs: pd.DataFrame) -> pd.DataFrame:
    """`logs` with stack traces that came as one entry a line made whole in their first entry.

    Lines are joined within one instance and one log; the lines joined are dropped. Without such a trace it is `logs`
    itself.
    """
    texts = _strings(logs["text"])
    anchors = pc.fill_null(pc.match_substring_regex(texts, ANCHOR), False).to_numpy(zero_copy_only=False)
    if not anchors.any():
        return logs
    lines = Lines(logs, texts, anchors)
    joined = {int(lines.rows[run[0]]): run for run in _runs(lines)}
    if not joined:
        return logs
    whole = {row: "\n".join(map(lines.text, run)) for row, run in joined.items()}
    dropped = np.concatenate([lines.rows[run[1:]] for run in joined.values()])
    return _replaced(logs, texts, whole).loc[~np.isin(np.arange(len(logs)), dropped)]


def _strings(texts: pd.Series) -> pa.Array:
    array = pa.array(texts, pa.large_string(), from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _replaced(logs: pd.DataFrame, texts: pa.Array, whole: dict[int, str]) -> pd.DataFrame:
    mask = np.zeros(len(logs), dtype=bool)
    mask[list(whole)] = True
    said = pa.array([whole[row] for row in sorted(whole)], pa.large_string())
    column = pc.replace_with_mask(texts, pa.array(mask), said).to_pandas()
    return logs.assign(text=pd.Series(column.array, index=logs.index, dtype="str"))


def _runs(lines: Lines) -> Iterator[list[int]]:
    """The entries of each trace, two at least."""
    for anchor in lines.anchors.tolist():
        run = [] if anchor in lines.used else _run(lines, anchor)
        lines.used.update(run)
        if len(run) > 1:
            yield run


def _run(lines: Lines, anchor: int) -> list[int]:
    text = lines.text(anchor)
    if HEADER in text:
        return _traceback(lines, anchor)
    shape = PANICS if text.startswith("goroutine ") else CALLS
    if lines.unnamed == anchor - 1:
        lines.unnamed = anchor
        return []
    if start := _start(lines, anchor, shape):
        return [*start, anchor, *_rest(lines, anchor, shape)]
    lines.unnamed = anchor
    return []


def _start(lines: Lines, anchor: int, shape: Shape) -> list[int]:
    """The line that names the trace and what of the lines up to the anchor is of it; empty where none names it."""
    between: list[int] = []
    for at, text in lines.before(anchor):
        if shape.heading.search(text) and not text.startswith((" ", "\t")):
            return [*_place(lines, at), at, *between[::-1]]
        if shape.before.search(text):
            between.append(at)
        elif at == anchor - 1 and LABELLED.search(text):
            return [at]
    return []


def _place(lines: Lines, at: int) -> list[int]:
    """The place and the code that Node.js prints above an error."""
    above: list[int] = []
    for earlier, text in lines.before(at):
        above.append(earlier)
        if NODE_PLACE.match(text):
            return above[::-1]
    return []


def _rest(lines: Lines, anchor: int, shape: Shape) -> list[int]:
    """The lines of the trace after its anchor."""
    run: list[int] = []
    blank: list[int] = []
    last = anchor
    for at, text in lines.after(anchor):
        if at - last > MOST_FOREIGN or lines.waited(last, at) or NODE_PLACE.match(text):
            break
        if shape.inside.match(text):
            run += [*blank, at]
            blank, last = [], at
        elif not text:
            blank.append(at)
        elif shape.heading.search(text):
            break
    return run


def _traceback(lines: Lines, anchor: int) -> list[int]:
    """The lines of a Python traceback, with the further ones of its chain."""
    run, blank, last = [anchor], list[int](), anchor
    ended = False
    for at, text in lines.after(anchor):
        if at - last > MOST_FOREIGN or lines.waited(last, at):
            break
        if not text:
            blank.append(at)
            continue
        is_header = HEADER in text and "|" not in text
        if is_header and not PYTHON_CHAIN.match(lines.text(run[-1])):
            break
        ends = not ended and bool(PYTHON_ENDING.match(text))
        if ends or is_header or (PYTHON_CHAIN.match(text) if ended else text[0] in " \t"):
            run += [*blank, at]
            blank, last, ended = [], at, not is_header and (ended or ends)
    return run
