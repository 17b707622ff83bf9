"""In which windows a pull reads the log, and how far it has come: pure, from its plan and its progress.

Decides: after the first pages, which say how dense the log is, the rest is divided into windows of at least ten pages,
to be read side by side; so no call is made for sizing. One page is believed for a few windows, three for more: a burst
at the start must not cost a call for each of many windows that hold nothing. Cannot tell: how dense the rest is; a
window may be ten times as long as another, and the last one is waited for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from incident.findings import Gap
from incident.http1 import printable
from incident.scope import Scope, rfc3339
from incident.sources.log_queries import BY_USE, LOGS, QUERIES, WHOLE
from incident.sources.pull_parts import RESOURCES, Plan, Progress, PullFolder, Window, closed
from incident.sources.volume import is_enough

PAGES_A_WINDOW = 10
"""Pages that a window has at least, about. Each window costs half a page more, on average: one in twenty."""

FEW_WINDOWS = 4
"""The windows that one page is believed for."""

MOST_WINDOWS = 16
ENOUGH_PAGES = 3
"""Pages that are waited for before the log is divided into more than a few windows."""

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
    if count < 2 or (count > FEW_WINDOWS and progress.parts < ENOUGH_PAGES):
        return None
    edges = [at.last + left * part // count for part in range(count)] + [at.end]
    return closed(plan, number, (Window(LOGS.name, *edge) for edge in pairwise(edges)))


def expected(plan: Plan, came: Mapping[int, Progress]) -> int | None:
    """About how many entries a pull will have in the end, by the part of the log's windows that was read; None where
    that is too little to tell.
    """
    if is_by_use(plan):
        return None
    parts = [covered(plan.windows[n], progress) for n, progress in came.items() if plan.windows[n].query == LOGS.name]
    done, whole = (sum(part) for part in zip(*parts, strict=True)) if parts else (0, 0)
    total = sum(progress.entries for progress in came.values())
    return round(total * whole / done) if is_enough(total, done, whole) else None


def covered(window: Window, progress: Progress) -> tuple[int, int]:
    """The nanoseconds of a window that were read, and all of them; one that is closed ends where it was left."""
    whole, at = (window.end - window.start).value, progress.next
    done = whole if at is None else (at.last - window.start).value if at.last is not None else 0
    return done, done if window.closed else whole


def unread(plan: Plan, came: Mapping[int, Progress]) -> list[int]:
    """The windows that have something left."""
    left = [n for n, progress in came.items() if progress.next is not None]
    return sorted(n for n in left if not (plan.windows[n].closed and _is_taken_over(plan, n, came[n])))


def _is_taken_over(plan: Plan, number: int, progress: Progress) -> bool:
    """Whether another window begins where a closed one was left; else its last parts were lost."""
    last = progress.next.last if progress.next else None
    return any(other.start == last for n, other in enumerate(plan.windows) if n != number)


def lost(folder: PullFolder, plan: Plan) -> list[Gap]:
    """A gap for each window of a finished pull whose parts do not hold all that came, and which no gap speaks of."""
    came = {n: folder.progress(n, window) for n, window in enumerate(plan.windows)}
    known = {gap["frame"] for gap in plan.result["gaps"]}
    short = {n for n in unread(plan, came) if QUERIES[plan.windows[n].query].frame not in known}
    short |= {n for n in came if folder.parts(n) != folder.sound(n)}
    return [_lost(folder, plan, plan.windows[n]) for n in sorted(short)]


def _lost(folder: PullFolder, plan: Plan, window: Window) -> Gap:
    query, span = QUERIES[window.query], f"between {rfc3339(window.start)} and {rfc3339(window.end)}"
    reason = f"{query.words} {span} are missing: {printable(str(folder.path), 200)!r} lacks parts that were pulled"
    return Gap(query.frame, reason, f"give the pull's command again: {folder.command(plan)}", "partial")


def is_whole(folder: PullFolder, plan: Plan) -> bool:
    """Whether a pull is finished, without a gap, and all its files are there."""
    has_files = all((folder.path / f"{name}.parquet").exists() for name in RESOURCES)
    return bool(plan.result) and not plan.result["gaps"] and has_files and not lost(folder, plan)


def of_frame(plan: Plan, frame: str) -> list[int]:
    """The windows whose entries are of one frame."""
    return [n for n, window in enumerate(plan.windows) if QUERIES[window.query].frame == frame]
