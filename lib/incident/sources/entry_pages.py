"""The live project's log entries, a page at a time: the audit frame, the logs frame, and late entries of our probes.

Decides: when the log is asked once more. A request entry is written when its request has ended and arrives seconds
later, so those of the handshakes made a moment ago may be missing from the window that was just read; they are asked
for again, alone, once. Cannot tell: an entry that comes later still; `analysis.sides` says until when to wait.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
from google.protobuf.timestamp_pb2 import Timestamp

from incident import frames, platform
from incident.findings import Gap
from incident.scope import Scope
from incident.sources import entries
from incident.sources.calls import FAILURES
from incident.sources.columns import logs_frame
from incident.sources.handshake_rows import unseen
from incident.sources.limits import Spent
from incident.sources.log_pages import Position, Reader, page_batch
from incident.sources.log_queries import AUDIT, BY_USE, DENIALS, LOGS, WHOLE, LogQuery
from incident.sources.request_bytes import identity
from incident.sources.volume import Cut, capped_gaps, rest_words

if TYPE_CHECKING:
    from incident.sources.cloud import Pull

Row = dict[str, Any]
Batches = list[Any]

PAGE_SIZE = 1000
"""The most that `entries.list` and `builds.list` give in one call."""

LATE_WAIT = 2.0
"""Seconds after the last handshake at which missing entries are asked for once more: 0.4 s and 3.2 s late were seen."""

MOST_ASKED = 100
CLOCK_SKEW = pd.Timedelta("60s")
"""How far this machine's clock may be ahead of Google's, where entries are looked for by a time of ours."""


def ask_audit(pull: Pull) -> pd.DataFrame:
    """The frame `audit` of a pull's scope; what is missing is a gap of the pull."""
    batches = [batch for query in (AUDIT, DENIALS) for batch in _ask(pull, query)]
    return entries.one_of_each(frames.frame("audit", batches), "audit")


def ask_logs(pull: Pull, probes: Sequence[Row], probed_at: float) -> pd.DataFrame:
    """The frame `logs` of a pull's scope, with the entries of our own probes marked.

    `probes` are the rows of this run's handshakes, the last of which ended at `probed_at` on the pull's clock. Where a
    limit is set, the most useful entries are asked for first (`log_queries`).
    """
    queries = [query for query in (BY_USE if pull.calls.allowance.limits else WHOLE) if query.frame == "logs"]
    batches = [batch for query in queries for batch in _ask(pull, query)]
    cap(pull)
    logs, gaps = _marked(batches, probes)
    late = ask_late(pull, unseen(probes, logs), probed_at) if not pull.gap("logs") else []
    logs, gaps = _marked([*batches, *late], probes) if late else (logs, gaps)
    for gap in gaps:
        pull.miss(gap)
    if logs.empty:
        pull.complete.discard("logs")  # no entry at all may as well mean a wrong name: nobody vouches for that
    return logs


def _marked(batches: Batches, probes: Sequence[Row]) -> tuple[pd.DataFrame, tuple[Gap, ...]]:
    own = {row["trace_id"]: row["probe_id"] for row in probes}
    logs, gaps = logs_frame(batches)
    return entries.probes_marked(logs, own), gaps


def _ask(pull: Pull, query: LogQuery) -> Batches:
    """The entries of one query, one Arrow batch a page; the ones that came where it fails, or where a limit ends it."""
    batches: Batches = []
    at: Position | None = (begin := Position(pull.scope.start, pull.scope.end))
    is_limited = bool(pull.calls.allowance.limits)
    with pull.asking(query.frame, query.filter(pull.scope), window=True) as asked:
        try:
            for page in _reader(pull).pages(query, begin):
                batches.append(page_batch(query.frame, page.entries))
                asked.rows, at = asked.rows + len(page.entries), page.next
                asked.came = f"; {rest_words(query, at.last)} are missing" if at and at.last is not None else ""
                if is_limited and query.frame == "logs" and page.entries and at:
                    pull.volume.measure(_reader(pull), page)
        except Spent as spent:
            pull.spent = spent
            pull.cuts[len(pull.queries)] = Cut(query, pull.volume.window, asked.rows, at)
    return batches


def cap(pull: Pull) -> None:
    """Say what a limit cost, once all queries have been asked, so that every gap can name the limit to give."""
    pull.queries += pull.volume.queries(pull.scope)
    if pull.spent:
        gaps = capped_gaps(list(pull.cuts.values()), pull.spent, pull.calls.allowance, pull.volume)
        for number, gap in zip(pull.cuts, gaps, strict=True):
            pull.queries[number] = replace(pull.queries[number], gaps=(gap.reason,))
            pull.miss(gap)


def _reader(pull: Pull) -> Reader:
    return Reader(pull.scope, pull.calls, pull.clients, pull.clock)


def ask_late(pull: Pull, missing: Sequence[Mapping[str, Any]], probed_at: float) -> Batches:
    """The request entries of handshakes that were answered and are not in the log yet.

    A call that fails leaves no gap: the window was read whole, and its last moments count as unsettled anyway.
    """
    batches: Batches = []
    if text := probes_filter(pull.scope, missing):
        pull.sleep(max(0.0, LATE_WAIT - (pull.clock() - probed_at)))
        query = replace(LOGS, filter=lambda scope: probes_filter(scope, missing))
        with suppress(*FAILURES, Spent), pull.counting("logs", text, window=True) as asked:
            for page in _reader(pull).pages(query, Position(pull.scope.start, pull.scope.end)):
                batches.append(page_batch("logs", page.entries))
                asked.rows += len(page.entries)
    return [batch for batch in batches if batch.num_rows]


def probes_filter(scope: Scope, rows: Sequence[Mapping[str, Any]]) -> str:
    """The filter for the request entries of some handshakes within a scope; empty where none can be in it.

    By trace or by user agent, since it is unverified whether Cloud Run keeps the trace that a request brings. Of very
    many handshakes the last are asked for: a filter has at most 20,000 characters (cloud.google.com/logging/quotas).
    """
    rows = rows[-MOST_ASKED:]
    times = [time for row in rows if scope.start <= (time := pd.Timestamp(row["time"])) < scope.end]
    if not times:
        return ""
    narrow = replace(scope, start=max(scope.start, min(times) - CLOCK_SKEW))
    traces = " OR ".join(entries.quoted(f"projects/{scope.project}/traces/{row['trace_id']}") for row in rows)
    agents = " OR ".join(entries.quoted(user_agent(row["probe_id"])) for row in rows)
    window = entries.logs_filter(narrow, (platform.REQUESTS,))
    return f"{window} AND (trace=({traces}) OR httpRequest.userAgent=({agents}))"


def user_agent(probe_id: str) -> str:
    """The user agent that the probe sends; `entries.OUR_USER_AGENT` reads it."""
    return dict(identity(probe_id, "0" * 32, "0" * 16))["User-Agent"]


def moment_of(time: Timestamp) -> pd.Timestamp:
    """A protobuf timestamp, to the nanosecond, UTC."""
    return pd.Timestamp(time.seconds * 1_000_000_000 + time.nanos, tz="UTC")
