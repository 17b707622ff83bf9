"""Entries as REST JSON straight into columns: the same page that the same entries give when they are pulled."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.sources import columns, columns_json, decode, rest
from incident.sources.decode_json import struct_text
from incident.sources.rest import UNREADABLE

LOG = "projects/p/logs/run.googleapis.com%2Fstdout"
TIME = "2025-09-07T10:00:00.123456789Z"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
documents = st.recursive(
    st.none() | st.booleans() | texts | numbers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
times = st.builds(
    lambda second, digits: f"2025-09-07T10:00:{second:02d}{'.' + digits if digits else ''}Z",
    st.integers(0, 59), st.text("0123456789", max_size=9),
)  # fmt: skip
durations = st.builds(
    lambda whole, digits: f"{whole}{'.' + digits if digits else ''}s",
    st.integers(0, 999_999), st.text("0123456789", max_size=9),
)  # fmt: skip
requests = st.fixed_dictionaries(
    {},
    optional={
        "requestMethod": texts, "requestUrl": texts | st.none(), "status": st.integers(0, 999), "userAgent": texts,
        "protocol": texts, "remoteIp": texts, "latency": durations, "requestSize": st.just("327"), "shiny": documents,
    },
)  # fmt: skip
resources = st.fixed_dictionaries({"type": texts}, optional={"labels": st.dictionaries(
    st.sampled_from(["service_name", "revision_name", "location"]), texts)})  # fmt: skip
labels = st.dictionaries(st.sampled_from(["instanceId", "container_name", "commit-sha", "ä"]), texts)
splits = st.fixed_dictionaries(
    {}, optional={"uid": texts, "index": st.integers(0, 9), "totalSplits": st.integers(0, 9)}
)
payloads = st.one_of(
    st.just({}),
    st.builds(lambda text: {"textPayload": text}, texts),
    st.builds(lambda held: {"jsonPayload": held}, st.dictionaries(texts | st.just("message"), documents, max_size=4)),
)
entries = st.builds(
    lambda fixed, payload: fixed | payload,
    st.fixed_dictionaries(
        {"logName": st.just(LOG) | texts.filter(bool), "timestamp": times},
        optional={
            "receiveTimestamp": times | st.none(), "insertId": texts, "severity": st.sampled_from(["ERROR", "NEW", "INFO"]),
            "trace": texts | st.none(), "spanId": texts, "resource": resources, "labels": labels, "httpRequest": requests,
            "split": splits, "errorGroups": st.just([{"id": "a"}]), "traceSampled": st.booleans(),
        },
    ),
    payloads,
)  # fmt: skip


def from_json(values: list[Any]) -> list[dict[str, Any]]:
    """The rows of the columns."""
    text = json.dumps(values, ensure_ascii=False)
    return list(columns_json.page_batch(columns_json.held(columns_json.entries(text))).to_pylist())


def from_protobuf(values: list[Any]) -> list[dict[str, Any]]:
    """The rows that the same entries give as the messages that are pulled."""
    return list(columns.page_batch(decode.page_of(map(rest.log_entry, values)).entries).to_pylist())


@settings(max_examples=80, deadline=None)
@given(st.lists(entries, max_size=4))
def test_the_same_page_as_when_it_is_pulled(values: list[Any]) -> None:
    """Two ways to a frame must not give two answers, whatever an entry holds and leaves out."""
    assert from_json(values) == from_protobuf(values)


def entry(**changes: Any) -> dict[str, Any]:
    return {"logName": LOG, "timestamp": TIME, "insertId": "a"} | changes


@pytest.mark.parametrize(
    "document",
    [
        '{"n": 9007199254740993, "deep": [{"m": -9007199254740993}]}', '{"n": 123456789012345678901234567890}',
        '{"n": 1e300}', '{"n": 1e-7, "m": 0.00001}', '{"n": -0.0, "m": 1E2, "k": 3.0}', '{"a": 1, "a": 2}',
        '{"message": {"a": 1}}', '{"message": ""}', '{"\\u00e9\\ud83d\\ude00": "\\u0001\\u007f\\/\\u2028"}', "{}",
    ],
)  # fmt: skip
def test_a_document_is_written_as_a_struct_is(document: str) -> None:
    """A Struct's numbers are doubles: the same line of a log must be the same text, whichever way it came."""
    value = entry(jsonPayload=json.loads(document))
    assert columns_json.document_text(document.encode())[1] == struct_text(rest.log_entry(value).json_payload)
    assert from_json([value]) == from_protobuf([value])


@pytest.mark.parametrize(
    "changes",
    [
        {"timestamp": None}, {"timestamp": ""}, {"timestamp": "yesterday"}, {"timestamp": "9999-12-31T00:00:00Z"},
        {"receiveTimestamp": 5}, {"labels": {"a": []}}, {"resource": {"labels": [1]}}, {"resource": 5},
        {"httpRequest": {"status": "503"}}, {"httpRequest": {"status": 2**31}}, {"httpRequest": {"latency": "3.7"}},
        {"httpRequest": {"latency": "-1s"}}, {"httpRequest": {"latency": "1e3s"}}, {"jsonPayload": None},
        {"jsonPayload": [1]}, {"jsonPayload": {"a": 1}, "textPayload": "b"}, {"protoPayload": {"@type": "x"}},
        {"textPayload": 5}, {"split": {"index": "1"}},
    ],
)  # fmt: skip
def test_what_the_columns_do_not_take(changes: dict[str, Any]) -> None:
    """It is protobuf's reader that judges what is not plain: none of it may slip in with a value of its own."""
    with pytest.raises(UNREADABLE):
        from_json([entry(), entry(**changes)])


def test_only_the_wanted() -> None:
    """A page holds entries of other services and of audit logs too, whose columns are not ours to read."""
    values = [entry(), entry(insertId="b", resource={"type": "x"}), entry(insertId="c", logName="other")]
    held = columns_json.held(columns_json.entries(json.dumps(values)))
    origins, which = held.origins()
    assert [origins[number] for number in which] == [(LOG, b""), (LOG, b'{"type": "x"}'), ("other", b"")]
    page = columns_json.page_batch(held.only(np.array([False, True, False])))
    assert (page["insert_id"].to_pylist(), page["log_name"].to_pylist()) == (["b"], [LOG])
