"""Rows as a table for a terminal.

Decides: the layout only. Reads: rows of a probe, plain dicts. Cannot tell: anything that is not in them. What came from
the other side is shown without control characters.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

from incident.http1 import printable

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


def observed(row: Mapping[str, Any]) -> str:
    """What was seen, in few words: the status, the rule that was broken, the code of a close, or where it stopped.

    >>> observed({"kind": "websocket", "verdict": "accepted", "http_status": 101, "close_code": 4401})
    'accepted, closed 4401'
    """
    if row.get("verdict") == "unreachable" or not (row.get("http_status") or row.get("rule")):
        return f"no answer at {row.get('stage')}"
    if row["kind"] == "http":
        return str(row.get("rule") or row["http_status"])
    if row["verdict"] == "accepted":
        return f"accepted, closed {row['close_code']}" if row.get("close_code") else "accepted"
    return f"{row['verdict']}: {row['rule'] if row['verdict'] == 'broken' else row['http_status']}"


def _line(cells: Sequence[str]) -> str:
    widths = HANDSHAKE_COLUMNS.values()
    return "".join(printable(cell, size - 1).ljust(size) for cell, size in zip(cells, widths, strict=True)).rstrip()


def _total(row: Mapping[str, Any]) -> str:
    spent = [seconds for seconds in row["timings"].values() if seconds is not None]
    return f"{sum(spent) * 1000:.0f} ms" if spent else "-"


def _reason(row: Mapping[str, Any], width: int) -> list[str]:
    text = printable(str(row.get("because") or ""), 600)
    return textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")
