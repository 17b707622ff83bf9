"""Rows of the reduction as the frame `logs`: each once, with how many entries it stands for.

Decides: how a group's count is shared out among its rows: evenly, the earliest taking what is left over, so that the
counts of a group's rows add up to the group's. Reads rows as `analytics_sql.reduction` names their fields; makes them
the same columns as an export of the same entries would (`columns_json`). Cannot tell: nanoseconds; when an entry that
did not come was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from msgspec import Raw

from incident.scope import Scope
from incident.sources import columns_json

Row = Mapping[str, Any]

AT_ONCE: Final = 5_000
IDENTITY: Final = ("log_name", "timestamp", "insert_id")
Count = tuple[Row, int]


def shared(rows: Iterable[Row]) -> list[Count]:
    """Each row once, with its share of its group's count.

    >>> at = [datetime(2025, 9, 7, 10, 0, second) for second in (0, 1)]
    >>> rows = [{"number": 1, "entry_count": 5, "log_name": "a", "timestamp": time, "insert_id": "x"} for time in at]
    >>> [(row["timestamp"].second, count) for row, count in shared([*rows, rows[0]])]
    [(0, 3), (1, 2)]
    """
    found: list[Count] = []
    for _, group in groupby(sorted(rows, key=itemgetter("number")), key=itemgetter("number")):
        kept = list({identity(row): row for row in group}.values())
        kept.sort(key=itemgetter("timestamp", "insert_id"))
        each, over = divmod(kept[0]["entry_count"], len(kept))
        found += [(row, each + (place < over)) for place, row in enumerate(kept)]
    return found


def identity(row: Row) -> tuple[Any, ...]:
    """What names an entry."""
    return tuple(row[name] for name in IDENTITY)


def batches_of(found: Sequence[Count], scope: Scope) -> list[pa.RecordBatch]:
    """The rows as batches with the columns of `columns.PAGE`."""
    entries = [entry(row, scope) for row, _ in found]
    pages = [entries[start : start + AT_ONCE] for start in range(0, len(entries), AT_ONCE)]
    return [columns_json.page_batch(columns_json.held(page)) for page in pages]


def counted(logs: pd.DataFrame, found: Sequence[Count]) -> pd.DataFrame:
    """`logs` with `entry_count`, one where a row came from elsewhere."""
    counts = {identity(row): count for row, count in found}
    times = logs["timestamp"].dt.to_pydatetime() if logs.empty else logs["timestamp"].dt.floor("us").dt.to_pydatetime()
    names = zip(logs["log_name"], times, logs["insert_id"], strict=True)
    return logs.assign(entry_count=pd.array([counts.get(name, 1) for name in names], dtype="Int64"))


def entry(row: Row, scope: Scope) -> columns_json.Entry:
    """A row as an entry of REST JSON."""
    resource = {"service_name": scope.service, "revision_name": row["revision_name"] or "", "location": scope.region}
    return columns_json.Entry(
        log_name=row["log_name"], insert_id=row["insert_id"], severity=row["severity"],
        timestamp=_time(row["timestamp"]), receive_timestamp=_time(row["receive_timestamp"]),
        resource=_raw(json.dumps({"labels": resource})), labels=_raw(row["labels"]),
        text_payload=row["text_payload"], json_payload=_raw(row["json_payload"]),
        trace=row["trace"], span_id=row["span_id"], http_request=_request(row),
    )  # fmt: skip


def _request(row: Row) -> columns_json.Request | None:
    values = {name: row[name] for name in ("request_method", "request_url", "status", "user_agent")}
    values |= {name: row[name] for name in ("protocol", "remote_ip")} | {"latency": _duration(row)}
    return columns_json.Request(**values) if any(value is not None for value in values.values()) else None


def _duration(row: Row) -> str | None:
    """A request's latency as REST JSON has it; null where it is none that a request can have."""
    seconds, nanos = row["latency_s"], row["latency_ns"]
    if (seconds is None and nanos is None) or not (0 <= (seconds or 0) < 1e6 and 0 <= (nanos or 0) < 1e9):
        return None
    return f"{seconds or 0}.{nanos or 0:09d}s"


def _time(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None


def _raw(text: str | None) -> Raw:
    return columns_json.ABSENT if text in (None, "null") else Raw(str(text).encode())
