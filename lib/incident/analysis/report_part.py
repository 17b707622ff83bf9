"""What a part of the report that a team files is: rows of text, what they were computed from, why there is none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from incident.analysis.changes import short_name

if TYPE_CHECKING:
    from incident.analysis.case import Case

Cells = tuple[str, ...]
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Part:
    """One part of the report: rows under columns, all text.

    `source` is what they were computed from; `empty` says why there is no row, and is empty where there is one.
    """

    title: str
    columns: Cells
    rows: tuple[Cells, ...]
    source: str
    empty: str = ""

    @property
    def note(self) -> str:
        """What stands below the rows: why there is none, and what they were computed from."""
        reason = f"{self.empty[:1].upper()}{self.empty[1:]}. " if self.empty else ""
        return f"{reason}From {self.source}."

    def frame(self) -> pd.DataFrame:
        """The rows as a frame, for a table."""
        return pd.DataFrame(list(self.rows), columns=list(self.columns))


def report_part(title: str, columns: Cells, rows: Iterable[Cells], source: str, empty: str) -> Part:
    """A part; `empty` is kept only where there is no row."""
    kept = tuple(rows)
    return Part(title, columns, kept, source, "" if kept else empty)


def frame_counts(case: Case, *names: str) -> str:
    """How many rows of which frames something was computed from."""
    counts = {name: len(case.evidence.frames[name]) for name in names}
    return ", ".join(f"{count:,} row{'' if count == 1 else 's'} of {name}" for name, count in counts.items())


def short_names(names: Iterable[str]) -> str:
    """Revisions by their numbers, in a list."""
    return ", ".join(map(short, names))


def short(revision: str | None) -> str:
    """A revision by its number; nothing for none."""
    return short_name(revision or "")
