"""Pages of entries as columns, beside the plain way: one row an entry, from the official messages."""

import json
import math
from typing import Any

import grpc
import pandas as pd
import pyarrow as pa
import pytest
from google.cloud.audit import audit_log_pb2
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse, LogEntry
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from hypothesis import given, settings
from hypothesis import strategies as st

from incident import frames, platform
from incident.sources import columns, decode, entries
from incident.sources.decode_json import struct_text

STDERR = "run.googleapis.com/stderr"
SEVERITIES = {number: name for name, number in platform.SEVERITIES.items()}

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.floats() | st.integers(-(2**53), 2**53).map(float)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
TIMES = st.fixed_dictionaries({}, optional={"seconds": st.integers(0, 2**33), "nanos": st.integers(0, 999_999_999)})


def wholly(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A message's fields, each of which may be missing, as `LogEntry(**fields)` takes them."""
    return st.fixed_dictionaries({}, optional=fields)


REQUESTS = wholly(
    request_method=TEXTS, request_url=TEXTS, status=st.integers(0, 599), user_agent=TEXTS, protocol=TEXTS,
    remote_ip=TEXTS, latency=TIMES, referer=TEXTS, request_size=st.integers(0, 2**40),
)  # fmt: skip
PAYLOADS = st.one_of(
    st.just({}),
    TEXTS.map(lambda text: {"text_payload": text}),
    st.dictionaries(TEXTS | st.just("message"), VALUES, max_size=4).map(lambda made: {"json_payload": struct(made)}),
)
ENTRIES = st.builds(
    lambda fields, payload: LogEntry.pb()(**fields, **payload),
    wholly(
        log_name=TEXTS, insert_id=TEXTS, severity=st.sampled_from([0, 200, 500, 250]), trace=TEXTS, span_id=TEXTS,
        timestamp=TIMES, receive_timestamp=TIMES, http_request=REQUESTS, trace_sampled=st.booleans(),
        labels=st.dictionaries(TEXTS | st.sampled_from(["instanceId", "container_name"]), TEXTS, max_size=4),
        resource=wholly(
            type=TEXTS,
            labels=st.dictionaries(st.sampled_from(["service_name", "revision_name", "location", "x"]), TEXTS),
        ),
    ),
    PAYLOADS,
)  # fmt: skip


def struct(value: dict[str, Any]) -> Struct:
    """A Struct of a dictionary."""
    made = Struct()
    made.update(value)
    return made


def plain(value: Any) -> Any:
    """A Struct's value as `json.loads` gives it; numbers that JSON does not have as protobuf's JSON writes them."""
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {name: plain(part) for name, part in value.struct_value.fields.items()}
    if kind == "list_value":
        return [plain(part) for part in value.list_value.values]
    if kind != "number_value":
        return None if kind in (None, "null_value") else getattr(value, kind)
    number = value.number_value
    if math.isfinite(number):
        return int(number) if number.is_integer() else number
    return json_format.MessageToDict(double(number))


def double(number: float) -> Any:
    """protobuf's own message of one double."""
    from google.protobuf.wrappers_pb2 import DoubleValue

    return DoubleValue(value=number)


def time_of(message: Any, field: str) -> int | None:
    """A time in nanoseconds."""
    time = getattr(message, field)
    return time.seconds * 10**9 + time.nanos if message.HasField(field) else None


def row(entry: Any) -> dict[str, Any]:
    """One official LogEntry as a row of `logs`, field by field, the slow and plain way."""
    text, document, request = None, None, entry.http_request
    if entry.HasField("text_payload"):
        text = entry.text_payload
    if entry.HasField("json_payload"):
        fields = {name: plain(value) for name, value in entry.json_payload.fields.items()}
        document = json.dumps(fields, sort_keys=True, ensure_ascii=False, allow_nan=False)
        message = entry.json_payload.fields.get("message")
        text = message.string_value if message is not None and message.HasField("string_value") else None
    resource, latency = entry.resource.labels, request.latency
    return {
        "log_name": entry.log_name, "insert_id": entry.insert_id, "severity": SEVERITIES.get(entry.severity),
        "timestamp": time_of(entry, "timestamp"), "receive_timestamp": time_of(entry, "receive_timestamp"),
        "text": text, "json_payload": document, "trace": entry.trace or None, "span_id": entry.span_id or None,
        "labels": json.dumps(dict(entry.labels), sort_keys=True),
        "instance_id": entry.labels.get("instanceId"), "container_name": entry.labels.get("container_name"),
        "service_name": resource.get("service_name") or None, "revision_name": resource.get("revision_name") or None,
        "location": resource.get("location") or None,
        "http_request_method": request.request_method or None, "http_request_url": request.request_url or None,
        "http_request_status": request.status or None, "http_request_user_agent": request.user_agent or None,
        "http_request_protocol": request.protocol or None, "http_request_remote_ip": request.remote_ip or None,
        "http_request_latency": latency.seconds + latency.nanos / 1e9 if request.HasField("latency") else None,
    }  # fmt: skip


def batch(*raw: Any) -> pa.RecordBatch:
    """The batch of a page that holds these official messages."""
    return columns.page_batch(decode.page_of(raw).entries)


@settings(max_examples=150, deadline=None)
@given(st.lists(ENTRIES, max_size=4))
def test_columns_are_the_rows(raw: list[Any]) -> None:
    """The quick way must say exactly what the plain way says, for each field that is there and each that is not."""
    expected = frames.batch("logs", map(row, raw)).to_pylist()
    assert batch(*raw).select(list(columns.LOGS)).to_pylist() == expected


def test_a_page_without_entries() -> None:
    """An empty page is legal: it has every column, so that it can stand beside the others."""
    assert (batch().num_rows, batch().schema) == (0, columns.PAGE)
    logs, gaps = columns.logs_frame([])
    assert (len(logs), gaps) == (0, ())


@settings(deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_struct_text(document: dict[str, Any]) -> None:
    """Evidence is read with `json.loads` and compared as text: valid JSON, in one order, whatever an application logs."""
    made = struct(document)
    expected = {name: plain(value) for name, value in made.fields.items()}
    assert struct_text(made) == json.dumps(expected, sort_keys=True, ensure_ascii=False, allow_nan=False)


def test_numbers_of_a_struct() -> None:
    """A status of 403 is no 403.0, and one NaN must not make a document unreadable."""
    made = struct({"status": 403.0, "share": 0.1, "not": math.nan, "much": math.inf, "little": -math.inf})
    assert struct_text(made) == '{"little": "-Infinity", "much": "Infinity", "not": "NaN", "share": 0.1, "status": 403}'


def test_an_audit_log_among_the_logs(make: Any) -> None:
    """A platform's line that carries a status instead of a text has that status's message as its text."""
    entry, other = make.entry(STDERR, "2025-09-07T10:00:00Z"), make.entry(STDERR, "2025-09-07T10:00:01Z")
    entry.proto_payload.Pack(audit_log_pb2.AuditLog(status={"code": 9, "message": "it is not ready"}))
    other.proto_payload.Pack(Struct())
    assert batch(entry, other)["text"].to_pylist() == ["it is not ready", None]


def test_an_entry_stays_whole(make: Any) -> None:
    """Fields that no frame reads are still in the entry, so that what reads official messages can have it."""
    entry = make.request_entry("2025-09-07T10:00:00.123456789Z", referer="https://a", request_size=7)
    entry.source_location.file, entry.trace_sampled = "a.py", True
    (viewed,) = decode.page_of([entry]).entries
    assert decode.official(viewed) == entry
    assert decode.official(entry) is entry


def test_audit_entries_of_a_page(make: Any) -> None:
    """Audit entries are few and deep: they go by rows, and must say the same from a page as from official messages."""
    entry = make.entry("cloudaudit.googleapis.com/activity", "2025-09-07T10:00:00.000000007Z", severity=300)
    entry.proto_payload.Pack(audit_log_pb2.AuditLog(method_name="m", request=struct({"n": 1.0}), status={"code": 9}))
    (viewed,) = decode.page_of([entry]).entries
    row_of_page = entries.audit_row(viewed)
    assert row_of_page == entries.audit_row(entry)
    assert (row_of_page["request"], row_of_page["status_code"], row_of_page["severity"]) == ('{"n": 1}', 9, "NOTICE")


def part(make: Any, index: int, text: str, total: int = 3, uid: str = "u") -> Any:
    """One part of an entry that was too large."""
    split = {"uid": uid, "index": index, "total_splits": total}
    return make.entry(STDERR, "2025-09-07T10:00:00.000000001Z", f"{uid}{index}", text_payload=text, split=split)


def test_split_entries_over_pages(make: Any) -> None:
    """A traceback in parts is one entry: its parts may come in any order, on other pages, and twice."""
    line = make.entry(STDERR, "2025-09-07T09:00:00Z", text_payload="before")
    pages = [
        batch(part(make, 2, "c"), line),
        batch(),
        batch(part(make, 0, "a"), part(make, 1, "b"), part(make, 2, "c")),
    ]
    logs, gaps = columns.logs_frame(pages)
    assert list(logs["text"]) == ["before", "abc"]
    assert list(logs["insert_id"])[1] == "u0"
    assert logs["timestamp"][1].nanosecond == 1
    assert gaps == ()


def test_a_split_entry_without_a_part(make: Any) -> None:
    """A text with a hole must say so twice: where the hole is, and as a gap, so that nothing follows from silence."""
    pages = [batch(part(make, 0, "a"), part(make, 2, "c"), part(make, 0, "whole", 1, "v"))]
    logs, (gap,) = columns.logs_frame(pages)
    assert sorted(logs["text"]) == ["a[…]c", "whole"]
    assert (gap.frame, gap.kind) == ("logs", "partial")
    assert gap.reason == "1 of 2 entries that were too large and were split came without some of their parts"
    assert gap.remedy == (
        "give a --start and an --end that lie a minute further out, or run again once the rest has arrived"
    )


def test_the_transport(google: Any, make: Any) -> None:
    """The official client, its requests and its pager, with pages that are read the quick way, nanoseconds kept."""
    google.entries = [make.entry(STDERR, f"2025-09-07T10:00:0{n}.123456789Z", text_payload=str(n)) for n in range(5)]
    with grpc.insecure_channel(google.address) as channel:
        client = LoggingServiceV2Client(transport=decode.Transport(channel=channel))
        request = ListLogEntriesRequest(filter=f'"{google.entries[0].log_name}"', page_size=1000)
        logs, _ = columns.logs_frame(
            [columns.page_batch(page.entries) for page in client.list_log_entries(request).pages]
        )
    assert list(logs["text"]) == ["0", "1", "2", "3", "4"]
    assert set(logs["timestamp"].dt.nanosecond) == {789}
    assert len(google.requests("ListLogEntries")) == 3


def test_bytes_that_are_no_page() -> None:
    """What is no page at all is refused where it is read, as the official message refuses it."""
    for read in (decode.Page.FromString, ListLogEntriesResponse.pb().FromString):
        with pytest.raises(Exception, match="parsing"):
            read(b"\x0a\xff")


def test_names_of_the_schema() -> None:
    """Field numbers come from the official descriptor: a client that renamed a field would lose a column in silence."""
    fields = {field.name for field in decode.Page.DESCRIPTOR.fields_by_name["entries"].message_type.fields}
    assert fields == decode.READ


def test_the_frame_is_the_validated_one(make: Any) -> None:
    """Every column has the frame's type, so that rules, archives and charts need not know how it was read."""
    logs, _ = columns.logs_frame([batch(make.request_entry("2025-09-07T10:00:00Z", status=101))])
    pd.testing.assert_frame_equal(logs, frames.validated("logs", logs))
    assert list(logs.columns) == list(columns.LOGS)
