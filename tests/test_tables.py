"""The table of a probe for people: narrow, and safe whatever the other side wrote."""

from __future__ import annotations

from typing import Any

from incident.tables import Table, handshake_table


def row(**fields: Any) -> dict[str, Any]:
    """A row of a probe."""
    timings = {
        "resolve_s": 0.001,
        "connect_s": 0.002,
        "tls_s": None,
        "status_s": 0.009,
        "headers_s": 0.0,
        "open_s": None,
    }
    base = {"name": "x", "kind": "websocket", "verdict": "refused", "stage": "status", "http_status": 403}
    return base | {"rule": "status-101", "expected": "accepted", "status": "failed", "timings": timings} | fields


def test_table() -> None:
    """A row that is fine takes one line; one that is not says why beneath."""
    rows = [
        row(name="no-header-refused", expected="403", status="ok", because="answered 403"),
        row(name="x-test-type", because="answered 403 Forbidden; only 101 opens a WebSocket"),
    ]
    assert handshake_table(rows).splitlines() == [
        "check                 expected    observed                  time      status",
        "no-header-refused     403         refused 403               12 ms     ok",
        "x-test-type           accepted    refused 403               12 ms     failed",
        "    answered 403 Forbidden; only 101 opens a WebSocket",
        "1 of 2 checks ok",
    ]


def test_hostile_text() -> None:
    """No text of the other side moves the cursor, adds a line that looks like ours, or breaks the width."""
    because = "\x1b[2J\r\n7 of 7 checks ok\u202e " + "x" * 300
    lines = handshake_table([row(name="n\x1b" * 50, because=because)]).splitlines()
    assert all(len(line) <= 80 and line.isprintable() for line in lines)
    assert "7 of 7 checks ok" not in lines


def test_a_frame_as_people_read_it():
    """Whole texts on their own lines, nothing where nothing is known, and no markup of the other side's."""
    from incident.frames import rows_frame

    logs = rows_frame("logs", [{"text": "Traceback:\n  <script>", "http_request_status": 503}])
    shown = Table(logs[["timestamp", "revision_name", "http_request_status", "http_request_latency", "text"]])
    assert "<td style=" in shown._repr_html_()
    assert "Traceback:\n  &lt;script&gt;" in shown._repr_html_()
    assert repr(shown).splitlines() == [
        "timestamp  revision_name  http_request_status  http_request_latency  text",
        "                          503                                        Traceback:",
    ]
