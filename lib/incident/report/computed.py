"""How a report's numbers were computed: from which frames, by which queries, in which window, from how many entries.

Reads the queries and frames of the evidence. It cannot tell what a query would say today.
"""

from __future__ import annotations

from incident.charts.words import counted
from incident.evidence import Evidence, Query
from incident.frames import FRAMES
from incident.report.blocks import Block, Computed, Grid, Items, Paragraph, Section
from incident.scope import rfc3339
from incident.sentences import clock

QUERY_COLUMNS = ("frame", "rows kept", "entries read", "calls", "window, UTC", "asked by")


def computed(evidence: Evidence, rule: str, *frames: str) -> Computed:
    """A rule in words with the size of each frame that it read."""
    return Computed(f"{rule} From {'; '.join(_size(evidence, frame) for frame in frames)}. Queries:", frames)


def how(evidence: Evidence) -> Section:
    """Every frame with the queries that filled it, when they were asked, and what the run has to say of them."""
    rows: list[tuple[str, ...]] = []
    anchors: list[str] = []
    for frame in FRAMES:
        asked = [query for query in evidence.queries if query.frame == frame]
        kept = f"{len(evidence.frames[frame]):,}"
        rows += [_query_row(frame, kept, query) for query in asked] or [
            (frame, kept, "", "", "", _without_query(frame))
        ]
        anchors += [f"how-{frame}", *[""] * (len(asked) - 1)]
    when = f"Evidence pulled {rfc3339(evidence.pulled.floor('s'))}; it is kept in evidence/, one Parquet file a frame."
    notes: list[Block] = [Items(evidence.notes)] if evidence.notes else []
    return Section("How was this computed?", "how", [Paragraph(when), Grid(QUERY_COLUMNS, rows, anchors), *notes])


def _size(evidence: Evidence, frame: str) -> str:
    asked = [query for query in evidence.queries if query.frame == frame]
    kept = counted(len(evidence.frames[frame]), "row")
    ours = len(evidence.logs) - len(evidence.service_logs) if frame == "logs" else 0
    left_out = f", {ours:,} of our own probes left out" if ours else ""
    window = next((f", {_window(query)} UTC" for query in asked if query.start), "")
    return f"{frame} ({kept}{left_out}{window})"


def _query_row(frame: str, kept: str, query: Query) -> tuple[str, ...]:
    return frame, kept, f"{query.entries:,}", f"{query.calls:,}", _window(query), query.filter


def _window(query: Query) -> str:
    return f"{clock(query.start)} to {clock(query.end)}" if query.start else ""


def _without_query(frame: str) -> str:
    return {"handshakes": "the probe, or a record of it", "traffic": "the service's own traffic statuses"}.get(
        frame, "a record"
    )
