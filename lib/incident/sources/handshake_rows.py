"""A probe's rows as the `handshakes` frame, and the request entries that the service's own log has of them.

Decides: which request entry is a handshake's, by its trace first and by the probe's id in the user agent second. Reads:
rows as `incident probe` makes them, also those of a version that knew fewer fields; the marked `logs` frame. Cannot
tell: whether Cloud Run keeps the trace that a request brings; that is unverified, so both are looked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from incident import platform
from incident.frames import FRAMES, rows_frame

Row = dict[str, Any]
Matched = Literal["trace", "probe id", ""]

DOCUMENTS: Mapping[str, type] = {"timings": dict, "addresses": list, "tls": dict, "sent": list}
"""The columns that hold JSON, and what each is; null where a row does not have it."""

REQUESTS_LOG = platform.REQUESTS.replace("/", "%2F")


def handshake_row(row: Mapping[str, Any], revision_name: str | None = None) -> Row:
    """A probe's row as a row of `handshakes`; a field that the row does not have is null.

    Raises `ValueError` where a field that holds a document is of another shape.
    """
    known = {name: row.get(name) for name in FRAMES["handshakes"].columns}
    for name, kind in DOCUMENTS.items():
        if row.get(name) is not None and not isinstance(row[name], kind):
            raise ValueError(f"its {name!r} has a wrong shape")
    documents = {name: json.dumps(row[name], sort_keys=True) for name in DOCUMENTS if row.get(name) is not None}
    time = pd.Timestamp(row["time"]).as_unit("ns").value
    return known | documents | {"time": time, "revision_name": revision_name}


def handshakes(rows: Sequence[Mapping[str, Any]], logs: pd.DataFrame) -> pd.DataFrame:
    """The `handshakes` frame of a probe's rows; the revision is that of the request entry that each left."""
    own = OwnEntries.of(logs)
    named = [own.of_probe(row.get("trace_id"), row["probe_id"])[0] or {} for row in rows]
    revisions = [_text(entry.get("revision_name")) for entry in named]
    return rows_frame("handshakes", [handshake_row(*pair) for pair in zip(rows, revisions, strict=True)])


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


@dataclass(frozen=True)
class OwnEntries:
    """The request entries that probes caused, by trace id (32 hex) and by probe id; of several the last."""

    by_trace: Mapping[str, Row]
    by_probe: Mapping[str, Row]

    @classmethod
    def of(cls, logs: pd.DataFrame) -> OwnEntries:
        """Those in a `logs` frame that is marked with `probe_id`."""
        marked = logs[logs["probe_id"].notna() & logs["http_request_method"].notna()]
        is_request = marked["log_name"].astype("str").str.endswith(REQUESTS_LOG).astype(bool)
        entries: list[Row] = marked[is_request].sort_values("timestamp", kind="stable").to_dict("records")
        traced = {entry["trace"].rsplit("/", 1)[-1]: entry for entry in entries if isinstance(entry["trace"], str)}
        return cls(traced, {entry["probe_id"]: entry for entry in entries})

    def of_probe(self, trace_id: object, probe_id: object) -> tuple[Row | None, Matched]:
        """The entry of one handshake, and what it was found by; a retry shares the probe's id, never the trace."""
        if entry := self.by_trace.get(str(trace_id)):
            return entry, "trace"
        entry = self.by_probe.get(str(probe_id))
        return entry, "probe id" if entry else ""


def unseen(rows: Iterable[Mapping[str, Any]], logs: pd.DataFrame) -> list[Mapping[str, Any]]:
    """The rows whose request was answered and has no entry in `logs`, which is marked."""
    own = OwnEntries.of(logs)
    return [row for row in rows if row.get("http_status") and own.of_probe(row["trace_id"], row["probe_id"])[0] is None]
