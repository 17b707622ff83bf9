"""A log bucket's linked BigQuery dataset: the service's log entries, reduced there, so that only a small result comes.

Decides: what may be scanned, and what is said where more would be. A dry run says the bytes before anything is paid;
where that is above the bound nothing is run, and a gap names the option that raises it. The bound goes with the query
too (`maximum_bytes_billed`). It is 10 GiB unless given: by the list price of a query that is a few cents, and it is
days of a busy service's entries. Where more groups come than may be kept, the window is cut into fewer stretches and
asked once more, while the bound affords that; what is left out then is a gap.

Everything but the service's own entries is asked as for `cloud`. The audit entries too: they are few, and the Logging
API gives their payloads whole, while in SQL they are columns of another shape. So are the entries of our own
handshakes that are not in the dataset yet.

Cannot tell: nanoseconds, since BigQuery keeps microseconds; entries that the linked bucket excludes or no longer
holds; of a large group, the entries that are not in its sample (`analytics_sql`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from incident import platform
from incident.findings import Gap
from incident.scope import Parameters
from incident.sources.analytics_jobs import WRONG, Question, failure, parameters_of
from incident.sources.analytics_rows import batches_of, counted, shared
from incident.sources.analytics_sql import reduction
from incident.sources.columns import logs_frame
from incident.sources.entries import SERVICE_LOGS, probes_marked
from incident.sources.entry_pages import ask_late, cap
from incident.sources.export_entries import categories_in_order
from incident.sources.handshake_rows import unseen
from incident.sources.linked import Linked, bytes_of, enough, in_words

if TYPE_CHECKING:
    from incident.sources.cloud import Asked, Pull

Row = Mapping[str, Any]

BOUND: Final = "10GiB"
"""What one run may scan, unless told otherwise."""

ROWS: Final = 50_000
"""About how many rows come at most, unless told otherwise: some 50 MB."""

STRETCHES: Final = (120, 12, 1)
"""Into how many parts the window is cut, so that rates can be told over time; the next where groups are too many."""


def asking(parameters: Parameters) -> Callable[[Pull, Sequence[Row], float], pd.DataFrame]:
    """What asks for the frame `logs` of a pull, as `entry_pages.ask_logs` does."""
    linked, bound = Linked.of(parameters.source), bytes_of(parameters.max_bytes_billed or BOUND)
    rows = int(parameters.max_entries or ROWS)

    def ask(pull: Pull, probes: Sequence[Row], probed_at: float) -> pd.DataFrame:
        cap(pull)
        return ask_logs(Reading(pull, linked, bound, rows), probes, probed_at)

    return ask


@dataclass
class Reading:
    """One pull's entries from one dataset: at most about `rows` rows, `left` bytes may still be scanned."""

    pull: Pull
    linked: Linked
    bound: int
    rows: int = ROWS
    left: int = field(init=False)

    def __post_init__(self) -> None:
        """Nothing has been scanned yet."""
        self.left = self.bound

    def question(self, stretches: int, probes: Sequence[Row]) -> Question:
        """The query that cuts the window into so many stretches."""
        scope = self.pull.scope
        seconds = int((scope.end - scope.start).total_seconds()) + 1
        names = [platform.log_name(scope.project, log) for log in SERVICE_LOGS]
        traces = [f"projects/{scope.project}/traces/{row['trace_id']}" for row in probes]
        sql = reduction(self.linked.table, stretches, seconds, self.rows)
        return Question(self.pull.clients.bigquery(self.linked.project), sql, parameters_of(scope, names, traces))


def ask_logs(reading: Reading, probes: Sequence[Row], probed_at: float) -> pd.DataFrame:
    """The frame `logs` with `entry_count`; what is missing is a gap of the pull."""
    pull, own = reading.pull, {row["trace_id"]: row["probe_id"] for row in probes}
    found = shared(_reduced(reading, probes))
    batches = batches_of(found, pull.scope)
    logs = probes_marked(logs_frame(batches)[0], own)
    if not pull.gap("logs") and (late := ask_late(pull, unseen(probes, logs), probed_at)):
        logs = probes_marked(logs_frame([*batches, *late])[0], own)
    if logs.empty:
        pull.complete.discard("logs")  # no entry at all may as well mean a wrong name: nobody vouches for that
    return counted(categories_in_order(logs), found)


def _reduced(reading: Reading, probes: Sequence[Row]) -> list[Row]:
    """The rows of the finest reduction that kept every group, else of the coarsest that the bound affords."""
    found: list[Row] = []
    for stretches in STRETCHES:
        came = _answer(reading, stretches, probes)
        found = found if came is None else came
        if came is None or not _left_out(found)[0]:
            break
    groups, entries = _left_out(found)
    if groups:
        reason = f"{groups:,} groups, the least useful, were left out of the {reading.rows:,} rows that may come: "
        remedy = f"give --max-entries {2 * (groups + found[0]['all_groups'])}, or a later --start"
        reading.pull.miss(Gap("logs", f"{reason}{entries:,} entries are missing", remedy, "capped"))
    return found


def _left_out(rows: Sequence[Row]) -> tuple[int, int]:
    """How many groups, and entries in them, are not among the rows."""
    kept = {row["number"]: row["entry_count"] for row in rows}
    if not rows:
        return 0, 0
    return rows[0]["all_groups"] - len(kept), rows[0]["all_entries"] - sum(kept.values())


def _answer(reading: Reading, stretches: int, probes: Sequence[Row]) -> list[Row] | None:
    """The rows of one query; None where it was not run, or failed, which is a gap."""
    pull = reading.pull
    words = f"SQL, from {reading.linked.view}, in {stretches} stretches"
    with pull.counting("logs", words, window=True) as asked:
        try:
            return _paid(reading, reading.question(stretches, probes), asked)
        except WRONG as error:
            _miss(reading, failure(error, reading.linked, reading.bound), asked)
    return None


def _paid(reading: Reading, question: Question, asked: Asked) -> list[Row] | None:
    """The rows of a query that the bound affords; None where it does not, a gap where nothing was run at all."""
    pull, name = reading.pull, reading.linked.view
    scanned = question.scans()
    pull.calls.made += 1
    if scanned > reading.left:
        if reading.left == reading.bound:
            _miss(reading, _above(reading, scanned), asked)
        return None
    rows: list[Row] = [*question.rows(reading.left)]
    pull.calls.made += 1
    reading.left -= scanned
    asked.rows = sum({row["number"]: row["entry_count"] for row in rows}.values())
    pull.complete.add("logs")
    pull.notes.append(
        f"{name}: a dry run said that the query scans {in_words(scanned)}, and at most {in_words(reading.bound)} "
        f"may be billed; {asked.rows:,} entries came as {len(rows):,} rows"
    )
    return rows


def _above(reading: Reading, scanned: int) -> Gap:
    reason = (
        f"nothing was asked of {reading.linked.view}: the query would scan {in_words(scanned)}, "
        f"and at most {in_words(reading.bound)} may be billed"
    )
    return Gap("logs", reason, f"give --max-bytes-billed {enough(scanned)}, or a later --start", "refused")


def _miss(reading: Reading, gap: Gap, asked: Asked) -> None:
    asked.gaps.append(gap.reason)
    reading.pull.miss(gap)
