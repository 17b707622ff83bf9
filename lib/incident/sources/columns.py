"""The frame `logs` from pages of entries: a column at a time, so that no entry becomes a dictionary.

Decides: what each column of a row is, from one raw entry; that the parts of an entry which was too large become one
row again (`splits`); that each entry is there once. Reads `decode.Page`. Cannot tell: the text of a part that did not
come, for which `splits.MISSING` stands in the text and a gap beside it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

import pandas as pd
import pyarrow as pa
from google.api.monitored_resource_pb2 import MonitoredResource
from google.cloud.logging_v2.types import LogEntry
from google.protobuf.struct_pb2 import Struct

from incident import frames
from incident.findings import Gap
from incident.sources import splits
from incident.sources.decode import official
from incident.sources.decode_json import struct_text
from incident.sources.entries import SEVERITY, audit_log, one_of_each

Columns = dict[str, Any]

LOGS = frames.FRAMES["logs"].columns
SPLIT = {"split_uid": frames.TEXT, "split_index": frames.WHOLE, "split_total": frames.WHOLE}
PAGE = pa.schema([*LOGS.items(), *SPLIT.items()])
"""A page's columns: the frame's, and of which split entry a row is a part."""

ORIGIN = ("service_name", "revision_name", "location", "instance_id", "container_name", "labels")
REQUEST = (
    "http_request_method", "http_request_url", "http_request_status", "http_request_user_agent",
    "http_request_protocol", "http_request_remote_ip", "http_request_latency",
)  # fmt: skip
NO_REQUEST = (None,) * len(REQUEST)
NOT_SPLIT = (None,) * len(SPLIT)
EMPTY_IS_NULL = frozenset({"trace", "span_id", *REQUEST[:-1]})
"""Columns in which a field that is not set is null; protobuf does not tell it from an empty one."""


@dataclass(frozen=True)
class Split:
    """Which part of which entry a row is, named as in LogEntry.LogSplit."""

    uid: str
    index: int
    total_splits: int


def page_batch(entries: Iterable[Any]) -> pa.RecordBatch:
    """The entries of one `decode.Page` as a batch with the columns of `PAGE`, in the order they came."""
    held = list(entries)
    columns = _plain(held) | _origins(held) | _named(("text", "json_payload"), map(_payload, held))
    columns |= _named(REQUEST, map(_request, held)) | _named(tuple(SPLIT), map(_split, held))
    columns["probe_id"] = pa.nulls(len(held), frames.TEXT)
    return pa.RecordBatch.from_arrays([_array(columns[part.name], part) for part in PAGE], schema=PAGE)


def logs_frame(batches: Iterable[pa.RecordBatch]) -> tuple[pd.DataFrame, tuple[Gap, ...]]:
    """The frame `logs` of some pages' batches: split entries joined, each entry once, oldest first.

    The gap is there where a split entry lacks a part.
    """
    table = pa.Table.from_batches(batches, schema=PAGE)
    is_part = table["split_uid"].is_valid()
    parts = table.filter(is_part).to_pylist()
    rest = table.filter(pa.compute.invert(is_part)) if parts else table
    joined = [frames.batch("logs", _joined(parts))] if parts else []
    whole = frames.frame("logs", [*rest.select(list(LOGS)).to_batches(), *joined])
    return one_of_each(whole, "logs"), _gaps(parts)


def _joined(parts: Sequence[Mapping[str, Any]]) -> list[splits.Row]:
    """The rows of split entries, each made of its parts."""
    entries = [("logs", {name: part[name] for name in LOGS}, Split(*(part[name] for name in SPLIT))) for part in parts]
    return [row for _, row in splits.rejoined(entries)]


def _gaps(parts: Sequence[Mapping[str, Any]]) -> tuple[Gap, ...]:
    came, totals = defaultdict(set), {part["split_uid"]: part["split_total"] for part in parts}
    for part in parts:
        came[part["split_uid"]].add(part["split_index"])
    cut = sum(len(came[uid]) < total for uid, total in totals.items())
    if not cut:
        return ()
    reason = f"{cut} of {len(totals)} entries that were too large and were split came without some of their parts"
    remedy = "give a --start and an --end that lie a minute further out, or run again once the rest has arrived"
    return (Gap("logs", reason, remedy),)


def _plain(held: Sequence[Any]) -> Columns:
    """The columns that are fields of the entry itself."""
    return {
        "log_name": [entry.log_name for entry in held],
        "insert_id": [entry.insert_id for entry in held],
        "severity": [SEVERITY.get(entry.severity) for entry in held],
        "trace": [entry.trace for entry in held],
        "span_id": [entry.span_id for entry in held],
        "timestamp": _nanoseconds(held, "timestamp"),
        "receive_timestamp": _nanoseconds(held, "receive_timestamp"),
    }


def _nanoseconds(held: Sequence[Any], name: str) -> list[int | None]:
    times = [time.seconds * 1_000_000_000 + time.nanos for time in map(attrgetter(name), held)]
    return [time if time or entry.HasField(name) else None for time, entry in zip(times, held, strict=True)]


def _origins(held: Sequence[Any]) -> Columns:
    """The columns that follow from resource and labels; the few distinct ones of a page are read once each."""
    numbers: dict[tuple[bytes, ...], int] = {}
    rows = [numbers.setdefault((entry.resource, *entry.labels[:]), len(numbers)) for entry in held]
    known, rows = _named(ORIGIN, map(_origin, numbers)), pa.array(rows, pa.int32())
    return {name: pa.array(column, pa.string()).dictionary_encode().take(rows) for name, column in known.items()}


@lru_cache(maxsize=4096)
def _origin(raw: tuple[bytes, ...]) -> tuple[str | None, ...]:
    resource = MonitoredResource.FromString(raw[0]).labels
    labels = {label.key: label.value for label in map(LogEntry.pb().LabelsEntry.FromString, raw[1:])}
    return (
        *(resource.get(name) or None for name in ORIGIN[:3]),
        labels.get("instanceId"), labels.get("container_name"), json.dumps(labels, sort_keys=True),
    )  # fmt: skip


def _payload(entry: Any) -> tuple[str | None, str | None]:
    """The text and the JSON document of an entry."""
    kind = entry.WhichOneof("payload")
    if kind == "text_payload":
        return entry.text_payload, None
    if kind == "json_payload":
        struct = Struct.FromString(entry.json_payload)
        message = struct.fields.get("message")
        is_text = message is not None and message.HasField("string_value")
        return message.string_value if is_text else None, struct_text(struct)
    audit = audit_log(official(entry)) if kind else None
    return (audit.status.message or None) if audit else None, None


def _request(entry: Any) -> tuple[Any, ...]:
    if not entry.HasField("http_request"):
        return NO_REQUEST
    request = entry.http_request
    took = request.latency
    latency = took.seconds + took.nanos / 1e9
    return (
        request.request_method, request.request_url, request.status, request.user_agent, request.protocol,
        request.remote_ip, latency if latency or request.HasField("latency") else None,
    )  # fmt: skip


def _split(entry: Any) -> tuple[Any, ...]:
    return (entry.split.uid, entry.split.index, entry.split.total_splits) if entry.HasField("split") else NOT_SPLIT


def _named(names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> Columns:
    """Rows as columns, which are there without rows too."""
    return dict(zip(names, zip(*rows, strict=True), strict=False)) or dict.fromkeys(names, ())


def _array(column: Any, part: pa.Field) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    values = [value or None for value in column] if part.name in EMPTY_IS_NULL else column
    if part.type == frames.REPEATED:
        return pa.array(values, pa.string()).dictionary_encode()
    return pa.array(values, part.type)
