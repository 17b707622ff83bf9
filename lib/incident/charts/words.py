"""Numbers, times and lists as a sentence says them; a number keeps its unit and its denominator on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from incident.analysis.changes import short_name

SPACE = "\N{NO-BREAK SPACE}"
LONGEST_TITLE = 44
NAMED = 3
UNITS = ((86400, "day", "d"), (3600, "hour", "h"), (60, "minute", "min"), (1, "second", "s"))


def of(count: int, total: int) -> str:
    """A count with its denominator, kept on one line.

    >>> of(33, 1370)
    '33\\xa0of\\xa01,370'
    """
    return f"{count:,}{SPACE}of{SPACE}{total:,}"


def counted(count: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "entry"), counted(1521, "entry")
    ('1\\xa0entry', '1,521\\xa0entries')
    """
    plural = noun[:-1] + "ies" if noun.endswith("ry") else noun + "s"
    return f"{count:,}{SPACE}{noun if count == 1 else plural}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as a list in a sentence.

    >>> listed(["00135", "00136", "00137"])
    '00135, 00136 and 00137'
    """
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def on_revisions(names: Sequence[str]) -> str:
    """On which revisions: by number, or how many where there are three or more.

    >>> on_revisions(["chat-00135-aaa", "chat-00136-aaa"])
    'on 00135 and 00136'
    """
    numbers = [short_name(name) for name in names]
    if not numbers:
        return "on no named revision"
    return f"on {listed(numbers)}" if len(numbers) < NAMED else f"on {counted(len(numbers), 'revision')}"


def lasting(time: pd.Timedelta, short: bool = False) -> str:
    """A duration in its largest unit that is at least one, rounded; `short` with the unit's sign.

    >>> lasting(pd.Timedelta("29min 10s")), lasting(pd.Timedelta("1s"), short=True), lasting(pd.Timedelta("80ms"))
    ('29\\xa0minutes', '1\\xa0s', '80\\xa0ms')
    """
    seconds = time.total_seconds()
    if seconds < 1:
        return duration(seconds)
    unit, noun, sign = next((unit for unit in UNITS if seconds >= unit[0]), UNITS[-1])
    return f"{round(seconds / unit)}{SPACE}{sign}" if short else counted(round(seconds / unit), noun)


def duration(seconds: float) -> str:
    """A short duration with its unit.

    >>> duration(6.23), duration(0.5)
    ('6.2\\xa0s', '500\\xa0ms')
    """
    return f"{seconds:.1f}{SPACE}s" if seconds >= 1 else f"{seconds * 1000:.0f}{SPACE}ms"


def short_time(seconds: float) -> str:
    """A time with at most three digits before its unit, so that it fits on a segment and under a tick.

    >>> short_time(4.0), short_time(0.0213), short_time(0.0005), short_time(0.0034)
    ('4\\xa0s', '21\\xa0ms', '0.5\\xa0ms', '3.4\\xa0ms')
    """
    if seconds >= 1:
        return f"{f'{seconds:.1f}'.removesuffix('.0')}{SPACE}s"
    milliseconds = seconds * 1000
    digits = f"{milliseconds:.0f}" if milliseconds >= 10 else f"{milliseconds:.1f}".removesuffix(".0")
    return f"{digits}{SPACE}ms"


def moment(time: pd.Timestamp) -> str:
    """A time of day, with seconds only where it has some."""
    return f"{time:%H:%M}" if time == time.floor("min") else f"{time:%H:%M:%S}"


def window(start: pd.Timestamp, end: pd.Timestamp) -> str:
    """A window with its date, UTC; both dates where it crosses midnight.

    >>> window(pd.Timestamp("2025-09-07T20:30Z"), pd.Timestamp("2025-09-08T00:40Z"))
    '2025-09-07 20:30 – 2025-09-08 00:40 UTC'
    """
    until = moment(end) if start.date() == end.date() else f"{end:%Y-%m-%d} {moment(end)}"
    return f"{start:%Y-%m-%d} {moment(start)} – {until} UTC"


def brief(title: str) -> str:
    """A group's title, short enough for a sentence; the exception's type, which comes first, stays."""
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1].rstrip() + "…"


def came_to(row: dict[str, Any]) -> str:
    """What one handshake came to, in few words.

    >>> came_to({"verdict": "refused", "code": "503", "stage": "status", "kind": "websocket"})
    'refused with 503'
    """
    if row["kind"] == "http" or pd.isna(row["verdict"]):
        return f"HTTP {row['code']}" if row["code"] != "none" else f"no answer at {stage_word(row['stage'])}"
    if row["verdict"] == "accepted":
        return row["code"].replace("close", "closed with") if row["code"].startswith("close") else "accepted"
    if row["verdict"] == "refused":
        return f"refused with {row['code']}"
    return f"{row['verdict']} at {stage_word(row['stage'])}"


def stage_word(stage: object) -> str:
    """A stage's name in a sentence."""
    return {"tls": "TLS"}.get(str(stage), str(stage))
