"""Rows as a table, for a terminal and for a notebook.

Decides: the layout only. Reads: rows of a probe, plain dicts, or a frame. Cannot tell: anything that is not in them.
What came from the other side is shown without control characters, and escaped in HTML.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from incident.cells import cells, fitted, wrapped
from incident.handshake import observed
from incident.http1 import printable
from incident.sources.checks import duration

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]

HANDSHAKE_COLUMNS: Final = {"check": 22, "expected": 12, "observed": 26, "time": 10, "status": 10}
COLOURS: Final = {"failed": "1;31", "uncertain": "33", "ok": "36", "skipped": "2"}
"""Bold red, yellow, cyan, dim: told apart by brightness too, and each stands on the word that it colours."""

INDENT: Final = " " * 4
LABEL: Final = 12
LONGEST_REASON: Final = 600
FEW_DAYS: Final = 14
"""A certificate with fewer days left is worth a line."""

MOST_NAMES: Final = 3


def handshake_table(rows: Sequence[Row], width: int = 80, color: bool = False) -> str:
    """One line a check, and under each that needs it where it stopped, why, and how long each stage took.

    `width` is in cells, at least 60; `color` colours the words of the statuses, for a terminal. `time` is what the
    handshake took, without the hold after it. Details stand under a single row, one that is not `ok`, and one that
    took several tries; what is said of addresses and certificates is said once.

    >>> row = {"name": "health", "kind": "http", "expected": "200", "http_status": 200, "status": "ok", "timings": {}}
    >>> print(handshake_table([row, row]))
    check                 expected    observed                  time      status
    health                200         200                       -         ok
    health                200         200                       -         ok
    2 of 2 checks ok
    """
    table = _Layout(max(width, 60), color)
    return "\n".join([table.line(list(HANDSHAKE_COLUMNS)), *table.body(rows), *table.foot(rows)])


@dataclass(frozen=True)
class _Layout:
    """How wide the table is, and whether it has colours."""

    width: int
    color: bool

    def body(self, rows: Sequence[Row]) -> Iterator[str]:
        """The lines of every row, those of one place under its name; nothing of addresses or certificates twice."""
        said: set[tuple[str, str]] = set()
        for place, members in groupby(rows, lambda row: row.get("place") or "endpoint"):
            if place != "endpoint":
                yield fitted(_place(place), self.width).rstrip()
            for row in members:
                yield self.line(
                    [str(row["name"]), str(row["expected"]), observed(row), _total(row), str(row["status"])],
                    self.coloured(str(row["status"])),
                )
                yield from self.details(row, whole=len(rows) == 1, said=said)

    def line(self, cells: Sequence[str], last: str = "") -> str:
        """Cells in their columns, the check's and the observed one sharing what the width adds or takes."""
        widths = dict(HANDSHAKE_COLUMNS)
        more = self.width - sum(widths.values())
        widths["check"] += more // 2
        widths["observed"] += more - more // 2
        text = [fitted(cell, size - 1) + " " for cell, size in zip(cells, widths.values(), strict=True)]
        return "".join([*text[:-1], last or text[-1]]).rstrip()

    def coloured(self, status: str) -> str:
        """A status, in its colour where there are colours."""
        word = fitted(status, HANDSHAKE_COLUMNS["status"] - 1).rstrip()
        return f"\x1b[{COLOURS[status]}m{word}\x1b[0m" if self.color and status in COLOURS else word

    def details(self, row: Row, whole: bool, said: set[tuple[str, str]]) -> Iterator[str]:
        """What a row needs said beneath it, each under its label."""
        needed = whole or row["status"] != "ok" or (row.get("attempts") or 1) > 1
        facts = [(_stopped(row), str(row.get("because") or "")), ("times (ms)", _times(row))] if needed else []
        once = [("addresses", _addresses(row)), ("certificate", _certificate(row, whole))]
        shown = [once[0], ("certificate", _certificate(row, whole, str(row.get("because") or "") if needed else ""))]
        facts += [fact for fact, key in zip(shown, once, strict=True) if key not in said]
        said.update(once)
        if needed:
            facts.append(("sent", ", ".join(row.get("sent") or [])))
        for label, text in facts:
            if text:
                yield from self.labelled(label, printable(text, LONGEST_REASON))

    def labelled(self, label: str, text: str) -> Iterator[str]:
        """A text under a label, wrapped and indented to one column."""
        for at, line in enumerate(wrapped(text, self.width - len(INDENT) - LABEL)):
            yield f"{INDENT}{label if at == 0 else '':<{LABEL}}{line}"

    def foot(self, rows: Sequence[Row]) -> list[str]:
        """The names of the headers that several checks sent; how many checks are ok, and how many were skipped."""
        passed, skipped = (sum(row["status"] == status for row in rows) for status in ("ok", "skipped"))
        apart = f", {skipped} skipped" if skipped else ""
        names = dict.fromkeys(name for row in rows for name in row.get("sent") or [])
        sent = wrapped(printable(f"headers sent: {', '.join(names)}", LONGEST_REASON), self.width)
        return [*(sent if names and len(rows) > 1 else []), f"{passed} of {len(rows)} checks ok{apart}"]


def _stopped(row: Row) -> str:
    """The label of the reason: the stage that a check came to."""
    return f"at {row['stage']}" if row.get("stage") and row["status"] != "skipped" else "because"


def _total(row: Row) -> str:
    spent = [seconds for seconds in row["timings"].values() if seconds is not None]
    return duration(sum(spent)) if spent else "-"


def _times(row: Row) -> str:
    """Each stage that was reached, in milliseconds; the end of an opening takes none, and is left out then."""
    spent = [(name.removesuffix("_s"), 1000 * took) for name, took in row["timings"].items() if took is not None]
    shown = [(name, f"{took:.{1 if 0.05 <= took < 0.95 else 0}f}") for name, took in spent]
    return ", ".join(f"{name} {took}" for name, took in shown if (name, took) != ("open", "0"))


def _place(place: str) -> str:
    """The line above the rows of another place than the endpoint.

    >>> _place("service"), _place("tag:canary")
    ("at the service's own URL", 'at tag canary')
    """
    return "at the service's own URL" if place == "service" else f"at {place.replace(':', ' ', 1)}"


def _addresses(row: Row) -> str:
    """The addresses in the order they were tried, where one failed."""
    tried = row.get("addresses") or []
    if not any(address["error"] for address in tried):
        return ""
    return "; ".join(f"{_address(address)} {address['error'] or 'connected'}" for address in tried)


def _address(address: Row) -> str:
    host = f"[{address['address']}]" if address["family"] == "IPv6" else address["address"]
    return f"{host}:{address['port']}"


def _certificate(row: Row, whole: bool, reason: str = "") -> str:
    """What matters of the certificate: that it is not trusted and why, and when it ends; for a single row always.

    `reason` stands above it: what it says of the certificate is not said again.
    """
    tls = row.get("tls") or {}
    if not tls:
        return ""
    days = tls.get("days_left")
    if tls.get("trusted") is False:
        return "; ".join(filter(None, [_distrust(tls, reason), _ends(tls), *_named(tls), tls.get("version")]))
    if whole or (days is not None and days < FEW_DAYS):
        return "; ".join(filter(None, [_ends(tls), tls.get("version")]))
    return ""


def _distrust(tls: Row, reason: str) -> str:
    """Why a certificate is not trusted, where the reason above it does not say it."""
    because = tls.get("because") or "no reason was given"
    return "" if because in reason else f"not trusted: {because}"


def _named(tls: Row) -> list[str]:
    """For which names a certificate is, and who issued it."""
    names = tls.get("names") or []
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    made_for = f"for {', '.join(names[:MOST_NAMES])}{more}" if names else ""
    return [made_for, f"issued by {tls['issuer']}" if tls.get("issuer") else ""]


def _ends(tls: Row) -> str:
    """When a certificate ends, or ended.

    >>> _ends({"days_left": -2.5, "not_after": "2026-11-21T10:00:00Z"})
    'expired 2 days ago, on 2026-11-21'
    """
    days = tls.get("days_left")
    if days is None:
        return ""
    whole = int(abs(days))
    counted = f"{whole} day{'' if whole == 1 else 's'}"
    when = f", on {tls['not_after'][:10]}" if tls.get("not_after") else ""
    return f"expired {counted} ago{when}" if days < 0 else f"expires in {counted}{when}"


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
        widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(fitted(text, size) for text, size in zip(row, widths, strict=True)) for row in rows)
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
