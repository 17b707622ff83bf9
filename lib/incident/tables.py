"""Rows as a table, for a terminal and for a notebook.

Decides: the layout only. Reads: rows of a probe, plain dicts, or a frame. Cannot tell: anything that is not in them.
What came from the other side is shown without control characters, and escaped in HTML.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from incident.handshake import observed
from incident.http1 import printable

if TYPE_CHECKING:
    import pandas as pd

HANDSHAKE_COLUMNS: Final = {"check": 22, "expected": 12, "observed": 26, "time": 10, "status": 10}


def handshake_table(rows: Sequence[Mapping[str, Any]], width: int = 80) -> str:
    """One line a check, and under each that is not `ok` the reason; no line is longer than `width`.

    `time` is what the handshake took, without the hold after it. A single row has its reason always.

    >>> row = {"name": "health", "kind": "http", "expected": "200", "http_status": 200, "status": "ok", "timings": {}}
    >>> print(handshake_table([row, row]))
    check                 expected    observed                  time      status
    health                200         200                       -         ok
    health                200         200                       -         ok
    2 of 2 checks ok
    """
    lines = [_line(list(HANDSHAKE_COLUMNS))]
    for row in rows:
        lines.append(_line([str(row["name"]), str(row["expected"]), observed(row), _total(row), str(row["status"])]))
        if row["status"] != "ok" or len(rows) == 1:
            lines += _reason(row, width)
    passed = sum(row["status"] == "ok" for row in rows)
    return "\n".join(line[:width] for line in [*lines, f"{passed} of {len(rows)} checks ok"])


def _line(cells: Sequence[str]) -> str:
    widths = HANDSHAKE_COLUMNS.values()
    return "".join(printable(cell, size - 1).ljust(size) for cell, size in zip(cells, widths, strict=True)).rstrip()


def _total(row: Mapping[str, Any]) -> str:
    spent = [seconds for seconds in row["timings"].values() if seconds is not None]
    return f"{sum(spent) * 1000:.0f} ms" if spent else "-"


def _reason(row: Mapping[str, Any], width: int) -> list[str]:
    text = printable(str(row.get("because") or ""), 600)
    return textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")


LONGEST_CELL: Final = 4000
CELL: Final = "text-align:left;vertical-align:top;white-space:pre-wrap;overflow-wrap:break-word;max-width:60ch"


@dataclass(frozen=True)
class Table:
    """A frame as people read it: whole texts, times in UTC to the millisecond, nothing for what is missing.

    `note` stands below it, and alone where there is no row.

    >>> import pandas as pd
    >>> Table(pd.DataFrame({"name": ["a"], "time": [pd.Timestamp("2025-09-07T10:00:00.1234Z")], "code": [None]}))
    name  time                     code
    a     2025-09-07 10:00:00.123
    """

    data: pd.DataFrame
    note: str = ""

    def _repr_html_(self) -> str:
        """The table as HTML, every cell escaped."""
        head = "".join(f'<th style="{CELL}">{html.escape(str(name))}</th>' for name in self.data)
        rows = ("".join(f'<td style="{CELL}">{html.escape(text)}</td>' for text in row) for row in self._rows())
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if body or not self.note else ""
        return table + (f"<p>{html.escape(printable(self.note, LONGEST_CELL))}</p>" if self.note else "")

    def __repr__(self) -> str:
        """The table as plain text, the first line of each cell."""
        rows = [[str(name) for name in self.data], *([text.split("\n")[0] for text in row] for row in self._rows())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(text.ljust(size) for text, size in zip(row, widths, strict=True)) for row in rows)
        table = [line.rstrip() for line in lines] if len(rows) > 1 or not self.note else []
        return "\n".join([*table, *([printable(self.note, LONGEST_CELL)] if self.note else [])])

    def _rows(self) -> Iterable[list[str]]:
        return ([cell(value) for value in row] for row in self.data.itertuples(index=False, name=None))


def cell(value: object) -> str:
    """A value as a table shows it.

    >>> cell(["chat-00001-abc", "chat-00002-def"]), cell(True), cell(float("nan")), cell("a\\x1bb")
    ('chat-00001-abc, chat-00002-def', 'yes', '', 'a�b')
    """
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or (not isinstance(value, str) and str(value) in ("nan", "<NA>", "NaT")):
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"
    return "\n".join(printable(line, LONGEST_CELL) for line in str(value).replace("\t", "    ").split("\n"))
