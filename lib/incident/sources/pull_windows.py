"""In which windows a pull reads the log, and how far it has come: pure, from its plan and its progress.

Decides: after the first page, which says how dense the log is, the rest is divided into windows of about ten pages, to
be read side by side; so no call is made for sizing. Cannot tell: how dense the rest is; a window may be ten times as
long as another, and the last one is waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from incident.scope import Scope
from incident.sources.log_queries import BY_USE, LOGS, QUERIES, WHOLE
from incident.sources.pull_parts import Plan, Progress, Window, closed

PAGES_A_WINDOW = 10
"""Pages that a window has about. Each window costs half a page more, on average: one in twenty."""

MOST_WINDOWS = 64
ONE_NANOSECOND = pd.Timedelta(1, unit="ns")


@dataclass(frozen=True)
class Snapshot:
    """How far a pull has come: entries, about how many there will be (None: unknown), calls, and calls a minute."""

    entries: int
    expected: int | None
    calls: int
    calls_per_minute: int


def windows_of(scope: Scope, limited: bool) -> tuple[Window, ...]:
    """The windows that a pull begins with: the whole one, for each query."""
    return tuple(Window(query.name, scope.start, scope.end) for query in (BY_USE if limited else WHOLE))


def is_by_use(plan: Plan) -> bool:
    """Whether the queries follow each other by use, since a limit was set when the pull began."""
    return any(window.query == BY_USE[-1].name for window in plan.windows)


def is_divided(plan: Plan) -> bool:
    """Whether the log is read in several windows."""
    return not is_by_use(plan) and len(plan.windows) > len(WHOLE)


def divided(plan: Plan, number: int, progress: Progress, page: int) -> Plan | None:
    """The plan in which several windows take over what window `number` has left; None where that is not worth it.

    `page` is how many entries its last page had; one that is empty says nothing.
    """
    window, at = plan.windows[number], progress.next
    if window.query != LOGS.name or is_divided(plan) or at is None or at.last is None or not page:
        return None
    came, left = max(at.last - window.start, ONE_NANOSECOND), at.end - at.last
    pages = progress.entries / max(page, progress.entries // progress.parts)  # a page may be shorter than others
    count = min(MOST_WINDOWS, int(pages * (left / came) // PAGES_A_WINDOW))
    if count < 2:
        return None
    edges = [at.last + left * part // count for part in range(count)] + [at.end]
    return closed(plan, number, (Window(LOGS.name, *edge) for edge in pairwise(edges)))


def expected(plan: Plan, came: Mapping[int, Progress]) -> int | None:
    """About how many entries a pull will have in the end, by the part of the log's windows that was read."""
    if is_by_use(plan):
        return None
    parts = [covered(plan.windows[n], progress) for n, progress in came.items() if plan.windows[n].query == LOGS.name]
    done, whole = (sum(part) for part in zip(*parts, strict=True)) if parts else (0, 0)
    total = sum(progress.entries for progress in came.values())
    return round(total * whole / done) if done else None


def covered(window: Window, progress: Progress) -> tuple[int, int]:
    """The nanoseconds of a window that were read, and all of them; one that is closed ends where it was left."""
    whole, at = (window.end - window.start).value, progress.next
    done = whole if at is None else (at.last - window.start).value if at.last is not None else 0
    return done, done if window.closed else whole


def unread(plan: Plan, came: Mapping[int, Progress]) -> list[int]:
    """The windows that have something left."""
    return [n for n, window in enumerate(plan.windows) if came[n].next is not None and not window.closed]


def of_frame(plan: Plan, frame: str) -> list[int]:
    """The windows whose entries are of one frame."""
    return [n for n, window in enumerate(plan.windows) if QUERIES[window.query].frame == frame]
