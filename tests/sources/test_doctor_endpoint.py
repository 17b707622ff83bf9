"""What is said of an endpoint's name, certificate and health, from a probe's row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from incident.sources.doctor_endpoint import (
    Dated,
    clock_line,
    dns_line,
    endpoint_lines,
    health_line,
    network_line,
    tls_line,
)
from incident.sources.endpoint import Surroundings
from incident.sources.target import parse_target

TARGET = parse_target("https://chat.example.com/health")
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def row(**fields: Any) -> dict[str, Any]:
    """A row of a probe of kind http."""
    tls = {"version": "TLSv1.3", "days_left": 61.4, "trusted": True, "because": "", "names": ["chat.example.com"]}
    base = {"stage": "status", "status": "ok", "because": "answered 200", "http_status": 200, "url": TARGET.shown}
    return base | {"tls": tls, "addresses": [{"address": "203.0.113.7"}, {"address": "2001:db8::1"}]} | fields


def test_all_well() -> None:
    """What was found is said, also where nothing is amiss: which address, which version, how many days."""
    assert dns_line(row(), TARGET.host).because == "chat.example.com has 203.0.113.7, 2001:db8::1"
    assert tls_line(row(), TARGET).because == "TLSv1.3, the certificate has 61 days left"
    assert health_line(row(), "/health").because == "GET /health answers 200"


def test_a_certificate_that_is_not_trusted() -> None:
    """For which name it is tells a wrong name from a wrong load balancer."""
    tls = {"version": None, "days_left": -1.0, "trusted": False, "because": "certificate has expired", "names": ["a.b"]}
    line = tls_line(row(tls=tls, status="failed"), TARGET)
    assert (line.status, line.because, line.command) == (
        "missing", "not trusted: certificate has expired; the certificate is for a.b",
        "openssl s_client -connect chat.example.com:443 -servername chat.example.com",
    )  # fmt: skip


def test_tls_that_failed_before_a_certificate() -> None:
    """No certificate was seen: nothing is said of its days."""
    tls = {"version": None, "days_left": None, "trusted": None, "because": "the other side does not speak TLS",
           "names": None}  # fmt: skip
    assert tls_line(row(tls=tls), TARGET).because == "the other side does not speak TLS"


@pytest.mark.parametrize(("status", "said"), [("failed", "missing"), ("uncertain", "uncertain")])
def test_a_name_that_does_not_resolve(status: str, said: str) -> None:
    """Where nothing else resolves either, the fault may be on this side, and nothing is missing there."""
    lost = row(stage="resolve", status=status, because="the name does not resolve", tls=None, addresses=[])
    assert (dns_line(lost, TARGET.host).status, dns_line(lost, TARGET.host).command) == (
        said,
        "getent hosts chat.example.com",
    )
    assert tls_line(lost, TARGET).status == "uncertain"
    assert health_line(lost, "/health").status == said


def test_a_name_to_a_port_where_nobody_listens() -> None:
    """The name is well, the connection is not: two lines say so."""
    lines = endpoint_lines("http://127.0.0.1:9/health", Surroundings(control=None))
    assert [(line.name, line.status) for line in lines] == [
        ("endpoint DNS", "ok"), ("endpoint TLS", "skipped"), ("endpoint health", lines[2].status),
    ]  # fmt: skip
    assert lines[2].because == "GET /health: 127.0.0.1 port 9: connection refused"


def test_no_date_is_no_time() -> None:
    """A server without a clock says nothing of ours."""
    line = clock_line(Dated(None, NOW, "chat.example.com gave no Date"), "chat.example.com")
    assert (line.status, line.because) == ("uncertain", "beside no other: chat.example.com gave no Date")


def test_the_network_is_there() -> None:
    """An answer of any status shows the way."""
    assert network_line(Dated(NOW, NOW), {}).because == "logging.googleapis.com answers"
