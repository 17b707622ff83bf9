"""The columns of every frame, their types and keys, and the one validator.

A frame is a pandas frame on Arrow memory, built a page at a time. Times are `datetime64[ns, UTC]`, durations are
seconds, strings that repeat are categories, nested values are JSON text with sorted keys. Names are Google's own in
snake_case (LogEntry, Revision, Build). A column that a source does not know is null; none is ever left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

TIME = pa.timestamp("ns", tz="UTC")
TEXT = pa.string()
REPEATED = pa.dictionary(pa.int32(), pa.string())
WHOLE = pa.int64()
SECONDS = pa.float64()
FLAG = pa.bool_()

DTYPES = {
    TIME: "datetime64[ns, UTC]", TEXT: "str", REPEATED: "category", WHOLE: "Int64", SECONDS: "float64", FLAG: "boolean",
}  # fmt: skip
"""The pandas type that a column of each Arrow type has; the validator pins it."""

PANDAS_TYPES = {TEXT: pd.StringDtype(na_value=float("nan")), WHOLE: pd.Int64Dtype(), FLAG: pd.BooleanDtype()}


@dataclass(frozen=True)
class Frame:
    """One frame's columns, in order, with their types, and the columns that name a row.

    `optional` columns are there only where a source has something to say in them.
    """

    columns: Mapping[str, pa.DataType]
    key: tuple[str, ...]
    optional: Mapping[str, pa.DataType] = field(default_factory=dict)
    schema: pa.Schema = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Keep the Arrow schema beside the columns it is made of."""
        object.__setattr__(self, "schema", pa.schema(list(self.columns.items())))

    def schema_of(self, names: Iterable[str]) -> pa.Schema:
        """The schema with those optional columns that are among some names."""
        present = set(names)
        return pa.schema([*self.schema, *((name, kind) for name, kind in self.optional.items() if name in present)])


IDENTITY = {"log_name": REPEATED, "timestamp": TIME, "insert_id": TEXT}

FRAMES: dict[str, Frame] = {
    # text is textPayload, jsonPayload's message, or the proto's status message; probe_id marks what our own probe
    # caused, which is evidence of nothing. entry_count is how many entries a row stands for, where a source reduces
    # them to samples; null is one.
    "logs": Frame(
        IDENTITY | {
            "receive_timestamp": TIME, "severity": REPEATED, "text": TEXT, "json_payload": TEXT,
            "service_name": REPEATED, "revision_name": REPEATED, "location": REPEATED, "instance_id": REPEATED,
            "container_name": REPEATED, "trace": TEXT, "span_id": TEXT, "labels": REPEATED,
            "http_request_method": REPEATED, "http_request_url": TEXT, "http_request_status": WHOLE,
            "http_request_latency": SECONDS, "http_request_user_agent": REPEATED, "http_request_protocol": REPEATED,
            "http_request_remote_ip": REPEATED, "probe_id": TEXT,
        },
        ("log_name", "timestamp", "insert_id"),
        {"entry_count": WHOLE},
    ),
    "audit": Frame(
        IDENTITY | {
            "method_name": REPEATED, "principal_email": REPEATED, "resource_name": REPEATED, "revision_name": REPEATED,
            "severity": REPEATED, "status_code": WHOLE, "status_message": TEXT, "request": TEXT, "response": TEXT,
        },
        ("log_name", "timestamp", "insert_id"),
    ),
    # environment maps a variable's name to its tag or its secret's reference; settings is the rest of the template.
    # traffic_start_time is the earliest of: the first request that the revision served, and, for a revision that the
    # service's traffic names now, its readiness. traffic_end_time is the start of the next revision that took
    # traffic, null for one that the service's traffic statuses still name; where an older revision serves again, a
    # newer one's end is its own last request. bypass is JSON, what each variable that may switch a test bypass on came
    # to before its value was replaced by a tag.
    "revisions": Frame(
        {
            "revision_name": TEXT, "create_time": TIME, "creator": TEXT, "image": TEXT, "image_digest": TEXT,
            "commit": TEXT, "build_id": TEXT, "environment": TEXT, "settings": TEXT, "ready": FLAG,
            "ready_reason": TEXT, "ready_message": TEXT, "traffic_start_time": TIME, "traffic_end_time": TIME,
            "bypass": TEXT,
        },
        ("revision_name",),
    ),
    "traffic": Frame(
        {"time": TIME, "revision_name": TEXT, "percent": WHOLE, "tag": TEXT, "url": TEXT}, ("time", "revision_name")
    ),
    "service": Frame(
        {
            "service_name": TEXT, "url": TEXT, "ingress": TEXT, "create_time": TIME, "update_time": TIME,
            "last_modifier": TEXT, "latest_created_revision": TEXT, "latest_ready_revision": TEXT, "ready": FLAG,
            "ready_reason": TEXT, "ready_message": TEXT, "invoker_iam_disabled": FLAG, "labels": TEXT,
        },
        ("service_name",),
    ),
    "builds": Frame(
        {
            "build_id": TEXT, "status": REPEATED, "create_time": TIME, "start_time": TIME, "finish_time": TIME,
            "image": TEXT, "digest": TEXT, "commit": TEXT, "log_url": TEXT, "failure": TEXT,
        },
        ("build_id",),
    ),
    "iam": Frame({"role": TEXT, "member": TEXT}, ("role", "member")),
    # timings is JSON, in seconds by stage; revision_name is the revision whose request entry carries the probe. place
    # is "endpoint" for what decides the run, "service" or "tag:NAME" for the same check elsewhere. addresses, tls and
    # sent are JSON: each address that was tried, the TLS session and certificate, the names of the headers sent.
    "handshakes": Frame(
        {
            "probe_id": TEXT, "time": TIME, "name": TEXT, "kind": REPEATED, "url": TEXT, "verdict": REPEATED,
            "stage": REPEATED, "http_status": WHOLE, "rule": REPEATED, "because": TEXT, "subprotocol": TEXT,
            "close_code": WHOLE, "close_reason": TEXT, "held_s": SECONDS, "attempts": WHOLE, "trace_id": TEXT,
            "place": REPEATED, "addresses": TEXT, "tls": TEXT, "sent": TEXT, "timings": TEXT, "expected": TEXT,
            "status": REPEATED, "revision_name": TEXT,
        },
        ("probe_id",),
    ),
    # files are those that differ between the commits of a revision and of the one before it, change git's own letter
    # (A, M, D, R); definitions are where a name that a traceback lacks is defined at the top of a Python module: path
    # is empty where it is nowhere, module the dotted name that it is imported from. Both come with --repo alone.
    "files": Frame(
        {"revision_name": TEXT, "previous": TEXT, "path": TEXT, "change": REPEATED, "old_path": TEXT},
        ("revision_name", "path"),
    ),
    "definitions": Frame(
        {"name": TEXT, "path": TEXT, "line": WHOLE, "module": TEXT, "commit": TEXT}, ("name", "path", "line")
    ),
    # one row: another service, as --compare-to names it, PROJECT/REGION/SERVICE, with its serving revision's columns
    # as in revisions; members is a JSON object of role to members, null where they may not be read.
    "compared": Frame(
        {
            "service_name": TEXT, "revision_name": TEXT, "create_time": TIME, "image": TEXT, "image_digest": TEXT,
            "commit": TEXT, "build_id": TEXT, "environment": TEXT, "settings": TEXT, "ingress": TEXT,
            "invoker_iam_disabled": FLAG, "members": TEXT,
        },
        ("service_name",),
    ),
}  # fmt: skip

ASKED_FOR = frozenset({"files", "definitions", "compared"})
"""Frames that come only where somebody asked for them: that one is empty is no gap."""


def batch(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.RecordBatch:
    """One page of rows as an Arrow batch of frame `name`; a key that is no column is a mistake of ours."""
    spec = FRAMES[name]
    rows = list(rows)
    for row in rows[:1]:
        if unknown := set(row) - set(spec.columns):
            raise KeyError(f"frame {name!r} has no column {', '.join(sorted(unknown))}")
    return pa.RecordBatch.from_pylist(rows, schema=spec.schema)


def frame(name: str, batches: Iterable[pa.RecordBatch] = ()) -> pd.DataFrame:
    """The pandas frame of some pages, in the order they came; every column is there even when no page is.

    >>> frame("iam", [batch("iam", [{"role": "roles/run.invoker", "member": "allUsers"}])]).shape
    (1, 2)
    """
    held = list(batches)
    schema = FRAMES[name].schema_of(held[0].schema.names if held else ())
    table = pa.Table.from_batches(held, schema=schema).unify_dictionaries()
    return validated(name, table.to_pandas(types_mapper=PANDAS_TYPES.get))


def rows_frame(name: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The frame of some rows that are already in memory."""
    return frame(name, [batch(name, rows)])


def validated(name: str, data: pd.DataFrame) -> pd.DataFrame:
    """`data` itself, once each column of frame `name` is there with its type; else a `TypeError` that says which.

    >>> validated("iam", pd.DataFrame({"role": ["x"]}))
    Traceback (most recent call last):
    TypeError: frame 'iam' has no column 'member'
    """
    for column, kind in {**FRAMES[name].columns, **FRAMES[name].optional}.items():
        if column not in data:
            if column in FRAMES[name].optional:
                continue
            raise TypeError(f"frame {name!r} has no column {column!r}")
        if str(data[column].dtype) != DTYPES[kind]:
            raise TypeError(f"frame {name!r}, column {column!r}: {data[column].dtype}, where {DTYPES[kind]} is due")
    return data


def table(name: str, data: pd.DataFrame) -> pa.Table:
    """The Arrow table that a frame is written as: exactly its columns, exactly their types."""
    schema = FRAMES[name].schema_of(data.columns)
    return pa.Table.from_pandas(validated(name, data)[schema.names], schema)


def keys(name: str, rows: pd.DataFrame, most: int | None = None) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The rows' names as findings cite them: the frame, and its key columns as text.

    >>> keys("iam", rows_frame("iam", [{"role": "roles/run.invoker", "member": "allUsers"}]))
    (('iam', ('roles/run.invoker', 'allUsers')),)
    """
    columns = [rows[column].head(most or len(rows)) for column in FRAMES[name].key]
    return tuple((name, tuple(map(_as_text, values))) for values in zip(*columns, strict=True))


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, pd.Timestamp) else "" if pd.isna(value) else str(value)
