"""Log entries that were too large and were split: one entry again.

Decides: which entries are parts of one, by `split.uid`, and their order, by `split.index` (LogEntry.LogSplit in
google/logging/v2/log_entry.proto). Reads rows with their splits. Cannot tell: the text of a part that is missing; an
audit entry's parts stay apart, since a split payload is no whole document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Row = dict[str, Any]

MISSING = "[…]"
"""What stands in a text for a part of it that is not there."""


def rejoined(entries: Iterable[tuple[str, Row, Any | None]]) -> Iterator[tuple[str, Row]]:
    """Frame and row of each entry; the parts of a text come last, as one row with the first part's other columns.

    An entry's third item is its LogSplit or None. Where parts of a text are missing, `MISSING` stands.
    """
    parts: dict[str, dict[int, Row]] = {}
    totals: dict[str, int] = {}
    for name, row, split in entries:
        if split is None or name != "logs":
            yield name, row
        else:
            parts.setdefault(split.uid, {})[split.index] = row
            totals[split.uid] = split.total_splits
    for uid, rows in parts.items():
        yield "logs", _joined(rows, totals[uid])


def _joined(rows: dict[int, Row], total: int) -> Row:
    texts, expected = [], 0
    for index in sorted(rows):
        texts += [rows[index]["text"] or ""] if index == expected else [MISSING, rows[index]["text"] or ""]
        expected = index + 1
    texts += [MISSING] if expected < total else []
    return rows[min(rows)] | {"text": "".join(texts)}
