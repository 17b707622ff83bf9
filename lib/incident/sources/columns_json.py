"""A page of the frame `logs` from entries as REST JSON: a column at a time, with no protobuf between.

Decides: what each column is, from one entry of an exported file; the same as `columns` makes of the same entry when it
is pulled. Only the fields that a column needs are read, and what repeats (resource and labels) once for each distinct
value. Cannot tell what is wrong with an entry, nor read one whose payload is a message: it raises, and protobuf's own
JSON reader (`rest.log_entry`) decides.
Source: cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry; protobuf.dev/programming-guides/json.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import compress
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as compute
from msgspec import Raw

from incident import frames, platform
from incident.sources.columns import ORIGIN, PAGE, SPLIT

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
Columns = dict[str, Any]

KINDS: dict[str, pa.DataType] = {part.name: part.type for part in PAGE}
"""The Arrow type of each column."""


class Request(msgspec.Struct, rename="camel", gc=False):
    """An entry's httpRequest; names are found fastest in the order in which gcloud prints them."""

    latency: str | None = None
    protocol: str | None = None
    remote_ip: str | None = None
    request_method: str | None = None
    request_url: str | None = None
    status: Int32 | None = None
    user_agent: str | None = None


class Split(msgspec.Struct, rename="camel", gc=False):
    """Which part of which split entry an entry is."""

    index: Int32 | None = None
    total_splits: Int32 | None = None
    uid: str | None = None


SEVERITIES = frozenset(platform.SEVERITIES)
ABSENT = Raw()
"""A document that is not there."""


class Entry(msgspec.Struct, rename="camel", gc=False, kw_only=True):
    """The fields of a LogEntry that are read; documents are kept as their text."""

    http_request: Request | None = None
    insert_id: str | None = None
    json_payload: Raw = ABSENT
    labels: Raw = ABSENT
    log_name: str
    proto_payload: Raw = ABSENT
    receive_timestamp: str | None = None
    resource: Raw = ABSENT
    severity: str | None = None
    span_id: str | None = None
    split: Split | None = None
    text_payload: str | None = None
    timestamp: str | None = None
    trace: str | None = None


DURATION = r"^\d{1,6}(\.\d{1,9})?s$"
DIGITS = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else ord(" ") for byte in range(256))
MANY_DIGITS = b"0" * 16
"""What a number that a double may not hold looks like once every digit is a zero; a Struct's numbers are doubles."""


def _number(text: str) -> Raw:
    """A number with a fraction or an exponent, as it is written: Python's shortest, a whole one without a fraction."""
    number = float(text)
    return Raw(str(int(number)) if number.is_integer() else repr(number))


entries = msgspec.json.Decoder(list[Entry]).decode
"""The entries of a JSON array's text."""

_resource = msgspec.json.Decoder(dict[str, Any] | None).decode
_labels = msgspec.json.Decoder(dict[str, str] | None).decode
_document = msgspec.json.Decoder(dict[str, Any], float_hook=_number).decode
_compact = msgspec.json.Encoder(order="sorted").encode


class Held(NamedTuple):
    """Entries, with their logs and the texts of their resources, of which there are few distinct ones."""

    entries: Sequence[Entry]
    log_names: pa.DictionaryArray
    resources: pa.DictionaryArray

    def origins(self) -> tuple[list[tuple[str, bytes]], np.ndarray]:
        """Each distinct pair of a log and a resource's text, and which of them each entry has."""
        logs, resources = self.log_names.dictionary.to_pylist(), self.resources.dictionary.to_pylist()
        codes = self.log_names.indices.to_numpy() * np.int64(len(resources)) + self.resources.indices.to_numpy()
        found, which = np.unique(codes, return_inverse=True)
        return [(logs[code // len(resources)], resources[code % len(resources)]) for code in found], which

    def only(self, wanted: np.ndarray) -> Held:
        """The entries where `wanted` is true."""
        if wanted.all():
            return self
        mask = pa.array(wanted)
        return Held(list(compress(self.entries, wanted)), self.log_names.filter(mask), self.resources.filter(mask))


def held(found: Sequence[Entry]) -> Held:
    """Some entries, with what they have in common."""
    log_names = _array([entry.log_name for entry in found], frames.REPEATED)
    return Held(found, log_names, _distinct([entry.resource for entry in found]))


def _distinct(documents: Sequence[Raw]) -> pa.DictionaryArray:
    return pa.array(list(map(bytes, documents)), pa.binary()).dictionary_encode()


def page_batch(page: Held) -> pa.RecordBatch:
    """Entries of one service's logs as a batch with the columns of `columns.PAGE`, in their order.

    An entry that has no time, or is not of the shape that Google writes, raises one of `rest.UNREADABLE`.
    """
    found, labels = page.entries, _distinct([entry.labels for entry in page.entries])
    columns = _plain(found) | _payloads(found) | _requests(found) | _splits(found)
    columns |= _read(page.resources, ORIGIN[:3], _resource_columns) | _read(labels, ORIGIN[3:], _label_columns)
    columns |= {"log_name": page.log_names, "probe_id": pa.nulls(len(found), frames.TEXT)}
    return pa.RecordBatch.from_arrays([_array(columns[name], kind) for name, kind in KINDS.items()], schema=PAGE)


def _plain(found: Sequence[Entry]) -> Columns:
    times = [entry.timestamp for entry in found]
    if None in times:
        raise ValueError("it has no timestamp")
    return {
        "timestamp": pa.array(times, pa.string()).cast(frames.TIME),
        "receive_timestamp": pa.array([entry.receive_timestamp for entry in found], pa.string()).cast(frames.TIME),
        "insert_id": [entry.insert_id or "" for entry in found],
        "severity": [
            severity if severity in SEVERITIES else "DEFAULT" for severity in [entry.severity for entry in found]
        ],
        "trace": [entry.trace or None for entry in found],
        "span_id": [entry.span_id or None for entry in found],
    }


def _read(texts: pa.DictionaryArray, names: Sequence[str], read: Callable[[bytes], tuple[str | None, ...]]) -> Columns:
    """The columns that follow from a document, which is read once for each distinct text."""
    known = list(map(read, texts.dictionary.to_pylist()))
    columns = [_array([row[place] for row in known], frames.REPEATED) for place in range(len(names))]
    return _spread(pa.RecordBatch.from_arrays(columns, list(names)), texts.indices)


def _spread(known: pa.RecordBatch, rows: pa.Array) -> Columns:
    """The columns whose row `i` is row `rows[i]` of the known ones, null where that is null."""
    spread = known.take(rows)
    return dict(zip(spread.schema.names, spread.columns, strict=True))


@lru_cache(maxsize=4096)
def _resource_columns(text: bytes) -> tuple[str | None, ...]:
    labels = (_resource(text or b"null") or {}).get("labels") or {}
    return tuple(labels.get(name) or None for name in ORIGIN[:3])


@lru_cache(maxsize=4096)
def _label_columns(text: bytes) -> tuple[str | None, ...]:
    labels = _labels(text or b"null") or {}
    return labels.get("instanceId"), labels.get("container_name"), json.dumps(labels, sort_keys=True)


def _payloads(found: Sequence[Entry]) -> Columns:
    """The text and the JSON document of each entry."""
    if [entry.proto_payload for entry in found].count(ABSENT) < len(found):
        raise ValueError("it has a payload that is a message")
    texts: list[str | None] = [entry.text_payload for entry in found]
    documents: list[str | None] = [None] * len(found)
    for number, raw in enumerate([entry.json_payload for entry in found]):
        if raw is ABSENT:
            continue
        if texts[number] is not None:
            raise ValueError("it has two payloads")
        texts[number], documents[number] = document_text(bytes(raw))
    return {"text": texts, "json_payload": documents}


def document_text(raw: bytes) -> tuple[str | None, str]:
    """A document's message, where that is a text, and the document as `decode_json.struct_text` writes it.

    >>> document_text(b'{"n": 3.0, "message": "up", "share": 5e-1}')
    ('up', '{"message": "up", "n": 3, "share": 0.5}')
    """
    document = _document(raw)
    message = document.get("message")
    held = _as_doubles(document) if MANY_DIGITS in raw.translate(DIGITS) else document
    return message if isinstance(message, str) else None, msgspec.json.format(_compact(held), indent=0).decode()


def _as_doubles(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_doubles(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_doubles(part) for part in value]
    return Raw(str(int(float(value)))) if type(value) is int else value


def _requests(found: Sequence[Entry]) -> Columns:
    """The columns of the request, made of the entries that have one, and null where an entry has none."""
    requests = [entry.http_request for entry in found if entry.http_request]
    is_there = np.array([entry.http_request is not None for entry in found], bool)
    columns: Columns = {
        "http_request_method": [request.request_method or None for request in requests],
        "http_request_url": [request.request_url or None for request in requests],
        "http_request_status": [request.status or None for request in requests],
        "http_request_user_agent": [request.user_agent or None for request in requests],
        "http_request_protocol": [request.protocol or None for request in requests],
        "http_request_remote_ip": [request.remote_ip or None for request in requests],
        "http_request_latency": seconds([request.latency or None for request in requests]),
    }
    known = pa.RecordBatch.from_arrays([_array(column, KINDS[name]) for name, column in columns.items()], list(columns))
    return _spread(known, pa.array(np.cumsum(is_there) - 1, pa.int64(), mask=~is_there))


def seconds(durations: Sequence[str | None]) -> pa.DoubleArray:
    """Durations of REST JSON; `ValueError` where one is none, is negative, or has no end within eleven days.

    Added as `columns` adds a Duration's two parts, so that both have the same last digit.

    >>> seconds(["3.786648988s", None, "60s"]).to_pylist()
    [3.786648988, None, 60.0]
    """
    texts = pa.array(durations, pa.string())
    if not compute.all(compute.match_substring_regex(texts, DURATION), min_count=0).as_py():
        raise ValueError("it has a wrong duration")
    took = compute.utf8_slice_codeunits(texts, 0, -1).cast(pa.float64()).to_numpy(zero_copy_only=False)
    whole, nanos = np.divmod(np.rint(took * 1e9), 1e9)
    return pa.array(whole + nanos / 1e9, mask=np.isnan(took))


def _splits(found: Sequence[Entry]) -> Columns:
    splits = [entry.split for entry in found]
    if not any(splits):
        return {name: pa.nulls(len(found), kind) for name, kind in SPLIT.items()}
    return {
        "split_uid": [split and (split.uid or "") for split in splits],
        "split_index": [split and (split.index or 0) for split in splits],
        "split_total": [split and (split.total_splits or 0) for split in splits],
    }


def _array(column: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    return pa.array(column, pa.string()).dictionary_encode() if kind == frames.REPEATED else pa.array(column, kind)
