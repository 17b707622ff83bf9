"""The windows of a pull being read: pages from Cloud Logging, redacted, to parts in a folder.

Decides: what is read side by side, what a page is redacted by, and what ended a window early. A page is redacted
before it is written, by what the service's revisions hold and by all that was learned until then. What a page shows to
be secret is taken out of the older parts before that page is kept, and once more when the pull ends or is interrupted;
then the parts of a split entry are looked at as one text. Cannot tell: a secret without name or shape that only a page
of an earlier sitting showed to be one, since what is learned is kept nowhere.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from incident import frames
from incident.evidence import Query
from incident.findings import Gap
from incident.redact import Redactor
from incident.scope import rfc3339
from incident.sources.calls import FAILURES, failure
from incident.sources.columns import PAGE
from incident.sources.limits import Spent
from incident.sources.log_pages import LogPage, Reader, page_batch
from incident.sources.log_queries import QUERIES, WHOLE, LogQuery
from incident.sources.pull_parts import Plan, Progress, PullFolder
from incident.sources.pull_windows import Snapshot, divided, expected, is_by_use, of_frame, unread
from incident.sources.split_texts import new_texts, pieces_of, with_texts
from incident.sources.volume import Cut, Volume, capped_gaps, rest_words

WORKERS = 4
"""Windows that are read at once; the quota, not this number, is what limits a long pull."""

LOOKING_BACK = 0.5
"""The most of a reading's time that goes into older parts, since a log may teach something on every page."""

SCHEMAS = {"logs": PAGE, "audit": frames.FRAMES["audit"].schema}
"""The columns of the parts, by frame."""


class Stopped(Exception):
    """Somebody ended the pull while it waited."""


@dataclass
class Reading:
    """The windows of one pull being read; `tell` gets a snapshot after each page, from any of the threads."""

    folder: PullFolder
    plan: Plan
    reader: Reader
    redactor: Redactor
    tell: Callable[[Snapshot], Any] = lambda snapshot: None
    stop: threading.Event = field(default_factory=threading.Event)
    spent: Spent | None = None
    failed: dict[int, Exception] = field(default_factory=dict)
    came: dict[int, Progress] = field(default_factory=dict)
    learned: dict[str, int] = field(default_factory=dict)
    attempts: Counter[int] = field(default_factory=Counter)
    looked_back: int = 0
    looking_back: float = 0.0
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def __post_init__(self) -> None:
        """Find out how far each window has come."""
        self.began = self.reader.clock()
        self.volume = Volume((self.plan.scope.start, self.plan.scope.end))
        self._look()
        allowance = self.reader.calls.allowance  # what earlier sittings took counts
        allowance.entries = sum(progress.entries for progress in self.came.values())
        allowance.calls = sum(progress.calls for progress in self.came.values())

    def _look(self) -> None:
        self.came |= {n: self.folder.progress(n, window) for n, window in enumerate(self.plan.windows)}

    def read(self) -> None:
        """Read every window to its end, or to what ends it; `Stopped` where that is somebody."""
        for number in self._unread():
            if is_by_use(self.plan) or number < len(WHOLE):
                self.read_window(number)
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="pull") as pool:
            try:
                list(pool.map(self.read_window, [] if is_by_use(self.plan) else self._unread()))
            except BaseException:
                self.stop.set()
                raise
        if self.stop.is_set():
            raise Stopped

    def _unread(self) -> list[int]:
        return [n for n in unread(self.plan, self.came) if n not in self.failed]

    def read_window(self, number: int) -> None:
        """Read one window on from where it has come; what ends it early is kept."""
        query = QUERIES[self.plan.windows[number].query]
        try:
            while (at := self.came[number].next) and not self.stop.is_set():
                page = self.reader.page(query, at, lambda: self.attempts.update([number]))
                self.keep(number, query, page)
                if self._is_divided(number, len(page.entries)):
                    return
                self._measure(page)
        except FAILURES as error:
            self.failed[number] = error
        except Spent as spent:
            self.spent = spent
        except Stopped:
            self.stop.set()

    def keep(self, number: int, query: LogQuery, page: LogPage) -> None:
        """Write a page, redacted, and tell how far the pull has come."""
        progress = self.came[number].after(page)
        table = pa.Table.from_batches([page_batch(query.frame, page.entries)])
        with self._lock:  # one at a time: the redactor learns, and a snapshot sees all windows
            redacted = self._redacted(table, learn=True)
            self._look_back()
            name = self.folder.keep(number, redacted, progress)
            self.learned[name] = self.redactor.learned
            self.came[number] = progress
            self.attempts.pop(number, None)
            self.tell(self.snapshot())

    def snapshot(self) -> Snapshot:
        """How far the pull has come."""
        total = sum(progress.entries for progress in self.came.values())
        calls = sum(progress.calls for progress in self.came.values()) + self.volume.calls
        return Snapshot(total, expected(self.plan, self.came), calls, self.reader.calls.pace.most)

    def _is_divided(self, number: int, page: int) -> bool:
        """Whether other windows take over what this one has left."""
        if plan := divided(self.plan, number, self.came[number], page):
            self.folder.save(plan)
            self.plan = plan
            self._look()
        return plan is not None

    def _measure(self, page: LogPage) -> None:
        """Make the sizing calls of a pull with a limit, once a query has more than one page."""
        if is_by_use(self.plan) and page.entries and page.next:
            self.volume.measure(self.reader, page)

    def _redacted(self, table: pa.Table, learn: bool = False) -> pa.Table:
        if not table.num_rows:
            return table
        data = table.to_pandas(types_mapper=frames.PANDAS_TYPES.get)
        if learn:
            self.redactor.learn_frame(data)
        return pa.Table.from_pandas(self.redactor.frame(data), table.schema, preserve_index=False)

    def _look_back(self) -> None:
        """Take what was learned since the last time out of the older parts, as long as that stays cheap."""
        began = self.reader.clock()
        if self.redactor.learned == self.looked_back or self.looking_back > LOOKING_BACK * (began - self.began):
            return
        self._redact_parts()
        self.looking_back += self.reader.clock() - began

    def redact_again(self) -> None:
        """Take all that was learned out of all parts, those of split entries as one text."""
        with self._lock:
            self._redact_splits()
            self._redact_parts()

    def _redact_parts(self) -> None:
        """Rewrite the parts that are older than the last secret that was learned, where that changes them."""
        for frame, schema in SCHEMAS.items():
            for name, table in self.folder.tables(of_frame(self.plan, frame), schema):
                if self.learned.get(name) == self.redactor.learned:
                    continue
                if not (again := self._redacted(table)).equals(table):
                    self.folder.rewrite(name, again)
                self.learned[name] = self.redactor.learned
        self.looked_back = self.redactor.learned

    def _redact_splits(self) -> None:
        """Rewrite the parts in which a split entry's text is secret only when it is whole."""
        logs = of_frame(self.plan, "logs")
        if changed := new_texts(pieces_of(self.folder, logs), self.redactor):
            for name, table in self.folder.tables(logs, PAGE):
                if not (again := with_texts(table, changed)).equals(table):
                    self.folder.rewrite(name, again)

    def gaps(self) -> dict[int, Gap]:
        """What is missing of each window that did not come to its end, by its number."""
        found = {number: self._failure(number, error) for number, error in self.failed.items()}
        if self.spent:
            left = self._unread()
            gaps = capped_gaps(list(map(self._cut, left)), self.spent, self.reader.calls.allowance, self.volume)
            found |= dict(zip(left, gaps, strict=True))
        return found

    def _failure(self, number: int, error: Exception) -> Gap:
        query, at = QUERIES[self.plan.windows[number].query], self.came[number].next
        came = f"; {rest_words(query, at.last)} are missing" if at and at.last is not None else ""
        return failure(query.frame, self.plan.scope, error, came)

    def _cut(self, number: int) -> Cut:
        window, progress = self.plan.windows[number], self.came[number]
        return Cut(QUERIES[window.query], (window.start, window.end), progress.entries, progress.next)

    def queries(self, gaps: Mapping[int, Gap]) -> list[Query]:
        """What was asked, and what it cost: one for each window, and the sizing calls apart."""
        found = []
        for number, window in enumerate(self.plan.windows):
            query, done = QUERIES[window.query], self.came[number]
            text = query.filter(replace(self.plan.scope, start=window.start, end=window.end))
            span = rfc3339(window.start), rfc3339(window.end)
            why = (gaps[number].reason,) if number in gaps else ()
            calls = done.calls + self.attempts[number]  # those after the last page brought none
            found.append(Query(query.frame, text, *span, done.entries, calls, done.seconds, why))
        return [*found, *self.volume.queries(self.plan.scope)]


def sleeper(stop: threading.Event) -> Callable[[float], None]:
    """A sleep that ends with `Stopped` when somebody ends the pull."""

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped

    return sleep
