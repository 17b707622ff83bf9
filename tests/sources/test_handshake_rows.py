"""A probe's rows as a frame, of this version and of others, and the entries that they left in the log."""

import json
from typing import Any

import pandas as pd
import pytest

from incident.frames import rows_frame
from incident.sources.handshake_rows import OwnEntries, handshake_row, handshakes, unseen

OLD = {
    "name": "health", "kind": "http", "time": "2025-09-07T10:00:00Z", "url": "https://c/health", "verdict": None,
    "stage": "status", "http_status": 200, "probe_id": "1f", "trace_id": "a" * 32, "timings": {"status_s": 0.1},
    "expected": "200", "status": "ok",
}  # fmt: skip
NEW = OLD | {
    "place": "tag:canary", "sent": ["User-Agent"], "tls": {"version": "TLSv1.3", "trusted": True, "because": ""},
    "addresses": [{"address": "::1", "port": 443, "family": "IPv6", "connect_s": None, "error": "refused"}],
}  # fmt: skip


def entry(trace: str, probe_id: str, revision: str, second: int = 0, log: str = "requests") -> dict[str, Any]:
    """A marked row of `logs`."""
    return {
        "log_name": f"projects/p/logs/run.googleapis.com%2F{log}", "timestamp": pd.Timestamp(f"2025-09-07T10:00:0{second}Z"),
        "insert_id": f"{trace}{second}", "trace": f"projects/p/traces/{trace}" if trace else None, "probe_id": probe_id,
        "http_request_method": "GET" if log == "requests" else None, "revision_name": revision,
    }  # fmt: skip


def test_all_fields_come_in() -> None:
    """Documents are kept as JSON, so that one file holds a run."""
    made = handshakes([NEW], rows_frame("logs", []))
    assert made["place"].item() == "tag:canary"
    documents = [json.loads(made[name].item()) for name in ("addresses", "tls", "sent", "timings")]
    assert documents == [NEW["addresses"], NEW["tls"], NEW["sent"], NEW["timings"]]


def test_a_row_of_an_older_version() -> None:
    """A file that an older version wrote says nothing of addresses and TLS: null, and never a mistake."""
    made = handshakes([OLD, OLD | {"tls": None}], rows_frame("logs", []))
    assert made[["place", "addresses", "tls", "sent"]].isna().all(axis=None)
    assert made["timings"].tolist() == ['{"status_s": 0.1}'] * 2


@pytest.mark.parametrize("wrong", [{"tls": "TLSv1.3"}, {"addresses": {}}, {"sent": "User-Agent"}, {"timings": []}])
def test_a_document_of_another_shape(wrong: dict[str, Any]) -> None:
    """What is not a list or a mapping where one is due would fail later, in a chart."""
    with pytest.raises(ValueError, match=f"^its '{next(iter(wrong))}' has a wrong shape$"):
        handshake_row(OLD | wrong)


def test_the_trace_before_the_probe_id() -> None:
    """A retried check has one probe id and several traces; its row is of the last try, and no line of a container."""
    logs = rows_frame("logs", [
        entry("a" * 32, "1f", "r1", 0), entry("b" * 32, "1f", "r2", 1), entry("a" * 32, "1f", "r3", 2, "stderr"),
    ])  # fmt: skip
    own = OwnEntries.of(logs)
    assert [own.of_probe(trace * 32, "1f")[1] for trace in "ac"] == ["trace", "probe id"]
    assert own.of_probe("c" * 32, "2f") == (None, "")
    assert handshakes([OLD, OLD | {"trace_id": "c" * 32}], logs)["revision_name"].tolist() == ["r1", "r2"]


def test_which_are_missing() -> None:
    """A handshake that got no answer may have left none, so nobody waits for its entry."""
    logs = rows_frame("logs", [entry("a" * 32, "1f", "r1")])
    rows = [OLD, OLD | {"trace_id": "c" * 32, "probe_id": "2f"}, OLD | {"probe_id": "3f", "http_status": None}]
    assert unseen(rows, logs) == rows[1:2]
