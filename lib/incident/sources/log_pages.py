"""Pages of log entries, one call after the other, and the place where reading goes on.

Decides: that a page without entries that has a token means "go on"; that a token older than its 24 hours, or one that
is refused, is left for a narrower window, which begins with the last entry that came; that entry comes twice then, and
`entries.one_of_each` takes it out. Cannot tell: an entry that arrived behind the place where reading has come to.
Source: cloud.google.com/logging/quotas (page tokens), logging_v2 ListLogEntriesResponse (empty pages).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pyarrow as pa
from google.api_core.exceptions import InvalidArgument
from google.cloud.logging_v2.types import ListLogEntriesRequest

from incident import frames
from incident.scope import Scope
from incident.sources import columns, entries
from incident.sources.calls import Calls
from incident.sources.clients import Clients
from incident.sources.limits import PAGE_SIZE
from incident.sources.log_queries import LogQuery

TOKEN_LIFE = 23 * 3600.0
"""Seconds for which a token is used: an hour less than it lives, since its clock is another."""

ONE_NANOSECOND = pd.Timedelta(1, unit="ns")


@dataclass(frozen=True)
class Position:
    """Where reading goes on: the window that is asked for, and a token of it with the time when it was given.

    `given` is in seconds since 1970, `last` the time of the last entry that came.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    token: str = ""
    given: float = 0.0
    last: pd.Timestamp | None = None

    def narrowed(self, query: LogQuery) -> Position:
        """The same place without a token: the rest of the window, from the last entry that came."""
        if self.last is None:
            return Position(self.start, self.end)
        if query.newest_first:
            return Position(self.start, self.last + ONE_NANOSECOND, last=self.last)
        return Position(self.last, self.end, last=self.last)


@dataclass(frozen=True)
class LogPage:
    """One page: its entries (of a `decode.Page`), where the next begins (None: nowhere), and what it cost."""

    entries: Sequence[Any]
    next: Position | None
    calls: int
    seconds: float


@dataclass(frozen=True)
class Reader:
    """Reads pages of one scope; `now` is in seconds since 1970."""

    scope: Scope
    calls: Calls
    clients: Clients
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time

    def pages(self, query: LogQuery, at: Position) -> Iterator[LogPage]:
        """The pages of a query from a place on; raises what a call fails with, and `Spent` at a limit."""
        following: Position | None = at
        while following is not None:
            yield (page := self.page(query, following))
            following = page.next

    def page(self, query: LogQuery, at: Position, on_call: Callable[[], Any] = lambda: None) -> LogPage:
        """The page at one place; `on_call` is told of each attempt, since one that fails gives no page to count it."""
        size = self.calls.allowance.page_size()
        if at.token and self.now() - at.given > TOKEN_LIFE:
            at = at.narrowed(query)
        try:
            page = self._asked(query, at, size, on_call)
        except InvalidArgument:
            if not at.token:
                raise
            page = self._asked(query, at.narrowed(query), size, on_call)
        self.calls.allowance.take(len(page.entries))
        return page

    def sized(self, query: LogQuery, at: Position) -> LogPage:
        """The first page with entries from one place on, for its numbers alone."""
        calls, seconds = 0, 0.0
        while True:
            page = self._asked(query, at, PAGE_SIZE)
            calls, seconds = calls + page.calls, seconds + page.seconds
            if page.entries or page.next is None:
                return replace(page, calls=calls, seconds=seconds)
            at = page.next

    def _asked(self, query: LogQuery, at: Position, size: int, on_call: Callable[[], Any] = lambda: None) -> LogPage:
        attempts, began = 0, self.clock()

        def attempt(**given: Any) -> Any:
            nonlocal attempts
            attempts += 1
            on_call()
            return self.clients.logging.list_log_entries(**given)

        page = next(self.calls.make(attempt, self._request(query, at, size), paced=True).pages)
        raw = page.entries
        return LogPage(raw, self._next(at, page.next_page_token, raw), attempts, self.clock() - began)

    def _request(self, query: LogQuery, at: Position, size: int) -> ListLogEntriesRequest:
        return ListLogEntriesRequest(
            resource_names=[f"projects/{self.scope.project}"],
            filter=query.filter(replace(self.scope, start=at.start, end=at.end)),
            order_by=query.order,
            page_size=size,
            page_token=at.token,
        )

    def _next(self, at: Position, token: str, raw: Sequence[Any]) -> Position | None:
        last = time_of(raw[-1]) if raw else at.last
        return replace(at, token=token, given=self.now(), last=last) if token else None


def time_of(entry: Any) -> pd.Timestamp:
    """The timestamp of a raw entry, to the nanosecond, UTC."""
    return pd.Timestamp(entry.timestamp.seconds * 1_000_000_000 + entry.timestamp.nanos, tz="UTC")


def page_batch(frame: str, raw: Sequence[Any]) -> pa.RecordBatch:
    """A page's entries as a batch of frame `audit`, or of `logs` with which parts of split entries they are."""
    if frame == "logs":
        return columns.page_batch(raw)
    return frames.batch("audit", map(entries.audit_row, raw))
