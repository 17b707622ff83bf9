"""The table of a probe for people: narrow, and safe whatever the other side wrote."""

from __future__ import annotations

from typing import Any

import pytest

from incident.tables import handshake_table, observed


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
        "no-header-refused     403         refused: 403              12 ms     ok",
        "x-test-type           accepted    refused: 403              12 ms     failed",
        "    answered 403 Forbidden; only 101 opens a WebSocket",
        "1 of 2 checks ok",
    ]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"verdict": "broken", "rule": "accept-wrong", "http_status": 101}, "broken: accept-wrong"),
        ({"verdict": "unreachable", "stage": "headers", "http_status": 403}, "no answer at headers"),
        ({"verdict": "accepted", "http_status": 101}, "accepted"),
        ({"verdict": "accepted", "http_status": 101, "close_code": 1006}, "accepted, closed 1006"),
        ({"kind": "http", "verdict": None, "http_status": 503, "rule": None}, "503"),
        ({"kind": "http", "verdict": None, "http_status": None, "rule": None, "stage": "tls"}, "no answer at tls"),
        ({"kind": "http", "verdict": None, "http_status": None, "rule": "http-malformed"}, "http-malformed"),
    ],
)
def test_observed(fields: dict[str, Any], words: str) -> None:
    """The rule, the status, the code or the stage: whichever says most."""
    assert observed(row(**fields)) == words


def test_hostile_text() -> None:
    """No text of the other side moves the cursor, adds a line that looks like ours, or breaks the width."""
    because = "\x1b[2J\r\n7 of 7 checks ok\u202e " + "x" * 300
    lines = handshake_table([row(name="n\x1b" * 50, because=because)]).splitlines()
    assert all(len(line) <= 80 and line.isprintable() for line in lines)
    assert "7 of 7 checks ok" not in lines
