"""Words that every sentence is made of: safe text, counts, times, a revision's number.

Whatever came from the other side is made safe for where it is shown: HTML is escaped in a notebook, control characters
are replaced everywhere.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

from incident.http1 import printable

LONGEST = 2000


class Sentence(str):
    """Text that a notebook shows as paragraphs of prose, and everything else as the plain text it is."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """The text as HTML, escaped; a line is a paragraph."""
        return "".join(f"<p>{html.escape(line)}</p>" for line in self.splitlines() if line)

    def __repr__(self) -> str:
        """The text itself: a notebook's plain output is read by people."""
        return str(self)


def safe(text: object) -> str:
    """A text of the other side's on one line, without anything that a terminal would obey."""
    return printable(" ".join(str(text).split()), LONGEST)


def capitalised(text: str) -> str:
    """A text that begins a sentence; names within it keep their letters."""
    return text[:1].upper() + text[1:]


def counted(number: int, noun: str) -> str:
    """A number and its noun: `1 call`, `1,200 calls`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def clock(time: str) -> str:
    """The time of day of an RFC 3339 time, to the second.

    >>> clock("2025-09-07T10:03:16.21Z")
    '10:03:16'
    """
    return time[11:19]


def window(scope: Mapping[str, str]) -> str:
    """What was looked at: service, region, and the window in UTC with its date.

    >>> window({"service": "chat", "region": "r", "start": "2025-09-07T10:00:00Z", "end": "2025-09-07T11:00:00Z"})
    'chat (r), 2025-09-07 10:00:00 to 11:00:00 UTC'
    """
    start, end = scope["start"], scope["end"]
    until = clock(end) if start[:10] == end[:10] else f"{end[:10]} {clock(end)}"
    return f"{scope['service']} ({scope['region']}), {start[:10]} {clock(start)} to {until} UTC"


def number(revision: str | None) -> str:
    """A revision's number, by which people call it: see `analysis.changes.short_name`."""
    from incident.analysis.changes import short_name  # pandas, which a probe must not wait for

    return short_name(revision or "")
