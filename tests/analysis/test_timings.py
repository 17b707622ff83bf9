"""Where the time of each handshake went, from the timings of its last try and the log's latency."""

import json

import pytest

from incident.analysis.timings import stage_table, timings
from incident.tables import Table

STAGES = ("resolve_s", "connect_s", "tls_s", "status_s", "headers_s", "open_s")


def tried(name, *took, **fields):
    """A handshake that was refused with 403, with the seconds of its stages."""
    given = {"probe_id": name, "trace_id": f"trace-{name}", "name": name, "kind": "websocket", "time": "10:05:00",
             "attempts": 1, "status": "ok", "verdict": "refused", "stage": "status", "http_status": 403}  # fmt: skip
    return given | {"timings": json.dumps(dict(zip(STAGES, took, strict=False)))} | fields


def entry(name, latency):
    """The application's own entry of a handshake."""
    return {"log": "requests", "at": "10:05:00", "revision": "chat-00139-new", "instance": "00ab", "status": 403,
            "latency": latency, "probe_id": name, "trace": f"projects/p/traces/trace-{name}"}  # fmt: skip


def test_stages_add_up_and_the_longest_is_named(evidence):
    """The total is the sum of what was measured, and nothing got by subtraction."""
    row = timings(evidence({"frames": {"handshakes": [tried("a", 0.01, 0.02, None, 0.3, 0.001)]}})).iloc[0]
    assert row["total_s"] == pytest.approx(0.331)
    assert (row["longest"], row["stopped"], row["code"]) == ("status", "", "403")
    assert row[["tls_s", "open_s", "server_s"]].isna().all()


@pytest.mark.parametrize(("stage", "word"), [
    ("resolve", "resolve"), ("connect", "connect"), ("tls", "tls"), ("request", "status"), ("status", "status"),
    ("headers", "headers"), ("made up", ""),
])  # fmt: skip
def test_where_no_answer_came_is_a_stage_that_is_timed(evidence, stage, word):
    """Sending the request counts with the wait for its answer, so a stop there is drawn there."""
    row = tried("a", 0.1, 0.1, 0.1, 5, verdict="unreachable", stage=stage, http_status=None)
    assert timings(evidence({"frames": {"handshakes": [row]}}))["stopped"].item() == word


@pytest.mark.parametrize(("latency", "kept"), [(0.2, [0.2]), (0.3, [0.3]), (0.31, [])])
def test_a_latency_beyond_the_wait_is_no_part_of_it(evidence, latency, kept):
    """The log counts until the body is sent, and the probe does not wait for a body."""
    case = {"frames": {"handshakes": [tried("a", 0, 0, 0, 0.3)], "logs": [entry("a", latency)]}}
    assert timings(evidence(case))["server_s"].dropna().tolist() == kept


def test_by_clock_and_of_the_endpoint_alone(evidence):
    """Who reads it follows the run; another place's network is another network."""
    rows = [tried("later", 1, time="10:05:02"), tried("first", 1), tried("elsewhere", 1, place="service")]
    assert list(timings(evidence({"frames": {"handshakes": rows}}))["name"]) == ["first", "later"]


def test_the_table_is_in_milliseconds(evidence):
    """A number that is read aloud at night has three digits and a unit; a stage that none reached has no column."""
    rows = [tried("a", 0.0002, 0.0123, None, 0.25), tried("b", 2.5, verdict="unreachable", stage="resolve", attempts=3)]
    rows[1]["http_status"] = None
    table = stage_table(timings(evidence({"frames": {"handshakes": rows, "logs": [entry("a", 0.2)]}})))
    assert repr(Table(table)) == (
        "check  tries  resolve, ms  connect, ms  status, ms  total, ms  by the log, ms  stopped in\n"
        "a      1      0.2          12.3         250.0       262.5      200.0\n"
        "b      3      2500.0                                2500.0                     resolve"
    )
    assert stage_table(timings(evidence({"frames": {}}))).empty
